//! The images of a product: what may be one, and in which order they stand.

use jiff::Timestamp;
use shop_types::ImageId;

use super::Product;
use crate::domain::{Error, Lines, text};

/// Images of one product.
const MOST_IMAGES: usize = 20;
/// Bytes of one image.
pub(crate) const MAX_IMAGE_BYTES: usize = 5 * 1024 * 1024;

const ALT: &str = "must be at most 200 characters on one line";

/// What an image is, by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Media {
    Png,
    Jpeg,
    Webp,
}

impl Media {
    /// Tells by the bytes, whatever the client says.
    pub(crate) fn of(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some(Self::Png),
            [0xff, 0xd8, 0xff, ..] => Some(Self::Jpeg),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Self::Webp),
            [..] => None,
        }
    }

    /// The media type.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Webp => "image/webp",
        }
    }
}

/// An image of a product. Its bytes never change: another picture is another image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Image {
    pub(crate) id: ImageId,
    pub(crate) media: Media,
    /// Its size.
    pub(crate) bytes: u64,
    /// What it shows, for those who do not see it.
    pub(crate) alt: String,
}

/// What is to change of an image; absent parts stay as they are.
#[derive(Debug, Clone, Default)]
pub(crate) struct ImageChange {
    pub(crate) alt: Option<String>,
    /// Where it shall stand, from 0; behind the last is the end.
    pub(crate) position: Option<u32>,
}

impl Product {
    /// The image with this id, and where it stands.
    pub(crate) fn image(&self, id: ImageId) -> Option<(usize, &Image)> {
        self.images.iter().enumerate().find(|(_, image)| image.id == id)
    }

    /// Adds an image, at the end or at a place, and counts the version up.
    pub(crate) fn add_image(mut self, mut image: Image, position: Option<u32>, now: Timestamp) -> Result<Self, Error> {
        self.check_active()?;
        if self.images.len() >= MOST_IMAGES {
            return Err(Error::TooManyImages);
        }
        image.alt = checked_alt(&image.alt)?;
        self.place(image, position);
        Ok(self.next(now))
    }

    /// Changes an image and counts the version up.
    pub(crate) fn change_image(mut self, id: ImageId, change: ImageChange, now: Timestamp) -> Result<Self, Error> {
        self.check_active()?;
        let (at, _) = self.image(id).ok_or(Error::NoSuchImage)?;
        let ImageChange { alt, position } = change;
        if let (Some(alt), Some(image)) = (alt, self.images.get_mut(at)) {
            image.alt = checked_alt(&alt)?;
        }
        if position.is_some() {
            let image = self.images.remove(at);
            self.place(image, position);
        }
        Ok(self.next(now))
    }

    /// Takes an image away and counts the version up.
    pub(crate) fn remove_image(mut self, id: ImageId, now: Timestamp) -> Result<Self, Error> {
        self.check_active()?;
        let (at, _) = self.image(id).ok_or(Error::NoSuchImage)?;
        self.images.remove(at);
        Ok(self.next(now))
    }

    fn place(&mut self, image: Image, position: Option<u32>) {
        let end = self.images.len();
        let at = position.map_or(end, |at| usize::try_from(at).unwrap_or(end).min(end));
        self.images.insert(at, image);
    }
}

fn checked_alt(alt: &str) -> Result<String, Error> {
    text("alt", alt, 0..=200, Lines::One, ALT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::NewProduct;
    use shop_types::{Money, ProductId};
    use uuid::Uuid;

    fn product() -> Product {
        let new = NewProduct {
            name: "Mug".into(),
            slug: None,
            description: None,
            category: None,
            category_name: None,
            attributes: std::collections::BTreeMap::new(),
            price: Money::new(1, "EUR".parse().unwrap()),
            sku: None,
            variants: Vec::new(),
            stock: None,
        };
        Product::create(ProductId::from_uuid(Uuid::from_u128(1)), new, "EUR".parse().unwrap(), at()).unwrap()
    }

    fn at() -> Timestamp {
        Timestamp::UNIX_EPOCH
    }

    fn id(n: u128) -> ImageId {
        ImageId::from_uuid(Uuid::from_u128(n))
    }

    fn image(n: u128) -> Image {
        Image { id: id(n), media: Media::Png, bytes: 8, alt: " Mug ".into() }
    }

    fn order(product: &Product) -> Vec<u128> {
        product.images.iter().map(|image| image.id.as_uuid().as_u128()).collect()
    }

    #[test]
    fn an_image_is_what_its_bytes_say() {
        assert_eq!(Media::of(b"\x89PNG\r\n\x1a\n...."), Some(Media::Png));
        assert_eq!(Media::of(b"\xff\xd8\xff\xe0"), Some(Media::Jpeg));
        assert_eq!(Media::of(b"RIFF\x01\x02\x03\x04WEBPVP8 "), Some(Media::Webp));
        for other in [&b""[..], b"\x89PNG", b"GIF89a", b"<svg/>", b"RIFF\x01\x02\x03\x04WAVE", b"\xff\xd8", b"%PDF"] {
            assert_eq!(Media::of(other), None, "{other:?}");
        }
    }

    #[test]
    fn images_stand_where_they_are_put() {
        let one = product().add_image(image(1), None, at()).unwrap().add_image(image(2), Some(0), at()).unwrap();
        let all = one.add_image(image(3), Some(99), at()).unwrap();
        assert_eq!((order(&all), all.version, all.images[0].alt.as_str()), (vec![2, 1, 3], 4, "Mug"));
        let moved = |n, position| {
            let change = ImageChange { alt: None, position: Some(position) };
            order(&all.clone().change_image(id(n), change, at()).unwrap())
        };
        assert_eq!((moved(3, 0), moved(2, 1), moved(2, 9)), (vec![3, 2, 1], vec![1, 2, 3], vec![1, 3, 2]));
        assert_eq!(order(&all.remove_image(id(1), at()).unwrap()), [2, 3]);
    }

    #[test]
    fn a_product_has_at_most_twenty_images_and_alt_texts_are_short() {
        let full = (0..20).try_fold(product(), |product, n| product.add_image(image(n), None, at())).unwrap();
        assert_eq!(full.clone().add_image(image(20), None, at()), Err(Error::TooManyImages));
        for alt in ["x".repeat(201), "a\nb".into()] {
            let wrong = Image { alt: alt.clone(), ..image(1) };
            assert_eq!(product().add_image(wrong, None, at()), Err(Error::invalid("alt", ALT)));
            let change = ImageChange { alt: Some(alt), position: None };
            assert_eq!(full.clone().change_image(id(1), change, at()), Err(Error::invalid("alt", ALT)));
        }
        assert_eq!(full.clone().remove_image(id(20), at()), Err(Error::NoSuchImage));
        assert_eq!(full.change_image(id(20), ImageChange::default(), at()), Err(Error::NoSuchImage));
    }

    #[test]
    fn an_archived_product_has_no_images_and_gets_none() {
        let archived = product().add_image(image(1), None, at()).unwrap().archive(at()).unwrap();
        assert!(archived.images.is_empty());
        assert_eq!(archived.add_image(image(2), None, at()), Err(Error::Archived));
    }
}
