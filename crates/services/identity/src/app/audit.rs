//! The audit log: what was done to accounts, and which writes staff and programs asked for.

use shop_types::{EventId, Page, StaffCall};

use super::{App, Error};
use crate::domain::audit::Line;
use crate::store::AuditFilter;

impl App {
    /// Writes calls down, as events tell of them, each event once.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub(crate) async fn write_calls(&self, told_by: Vec<(EventId, StaffCall)>) -> Result<(), Error> {
        Ok(self.store.write_calls(told_by).await?)
    }

    /// A page of the log, the latest first.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub(crate) async fn audit(&self, filter: AuditFilter, (number, size): (u32, u32)) -> Result<Page<Line>, Error> {
        let (lines, total) = self.store.audit_page(filter, number, size).await?;
        Ok(Page::new(lines, number, size, total))
    }
}
