//! One's own addresses.

use shop_mongo::Claim;
use shop_types::{Page, UserId};

use super::{App, Error};
use crate::domain::address::{Address, AddressBook, AddressId, Place, PlaceChange, Refused};

impl App {
    /// A page of one's own addresses, in the order in which they came.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub(crate) async fn addresses(&self, user: UserId, number: u32, size: u32) -> Result<Page<Address>, Error> {
        let book = self.store.address_book(user).await?.addresses;
        let total = book.len() as u64;
        let skipped = usize::try_from(number.saturating_sub(1)).unwrap_or(usize::MAX).saturating_mul(size as usize);
        Ok(Page::new(book.into_iter().skip(skipped).take(size as usize).collect(), number, size, total))
    }

    /// One of one's own addresses.
    ///
    /// # Errors
    /// [`Error::NoSuchAddress`].
    pub(crate) async fn address(&self, user: UserId, id: AddressId) -> Result<Address, Error> {
        found(&self.store.address_book(user).await?, id)
    }

    /// Adds an address; with a claimed key once, however often it is asked for, and `true` when that was before.
    ///
    /// # Errors
    /// [`Error::NoSuchUser`], [`Error::TooManyAddresses`], [`Error::KeyReused`]; [`Error::NoSuchAddress`] when it was added
    /// before and removed since.
    pub(crate) async fn add_address(
        &self,
        user: UserId,
        place: Place,
        is_default: bool,
        claim: Option<Claim>,
    ) -> Result<(Address, bool), Error> {
        let id = AddressId::from_uuid(self.clock.new_id());
        // Another turn follows only when somebody else changed the book meanwhile, used the key, or deleted the account.
        loop {
            self.user(user).await?;
            if let Some(claim) = &claim
                && let Some(row) = self.store.request(claim).await?
            {
                if !claim.fits(&row) {
                    return Err(Error::KeyReused);
                }
                let id = row.resource.parse().map_err(|_| Error::NoSuchAddress)?;
                return Ok((self.address(user, id).await?, true));
            }
            let book = self.store.address_book(user).await?.with(id, place.clone(), is_default)?;
            let start = claim.as_ref().map(|claim| claim.start(id.to_string()));
            if self.store.save_addresses(&book, start, self.now()).await? {
                return Ok((found(&book, id)?, false));
            }
        }
    }

    /// Changes an address that is still at `expected`, and makes it the default if so wished.
    ///
    /// # Errors
    /// [`Error::NoSuchAddress`], [`Error::Stale`].
    pub(crate) async fn change_address(
        &self,
        user: UserId,
        (id, expected): (AddressId, i64),
        change: PlaceChange,
        make_default: bool,
    ) -> Result<Address, Error> {
        loop {
            let book = self.store.address_book(user).await?;
            let book = book.changed(id, expected, change.clone(), make_default)?;
            if self.store.save_addresses(&book, None, self.now()).await? {
                return found(&book, id);
            }
        }
    }

    /// Removes an address. If it was the default, the oldest of the others is now.
    ///
    /// # Errors
    /// [`Error::NoSuchAddress`].
    pub(crate) async fn remove_address(&self, user: UserId, id: AddressId) -> Result<(), Error> {
        loop {
            let book = self.store.address_book(user).await?.without(id)?;
            if self.store.save_addresses(&book, None, self.now()).await? {
                return Ok(());
            }
        }
    }
}

fn found(book: &AddressBook, id: AddressId) -> Result<Address, Error> {
    book.get(id).cloned().ok_or(Error::NoSuchAddress)
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Full => Self::TooManyAddresses,
            Refused::Unknown => Self::NoSuchAddress,
            Refused::Stale(current) => Self::Stale { current },
        }
    }
}
