//! Images as clients send and read them.

use serde::{Deserialize, Serialize};
use shop_types::{ImageId, ProductId};
use utoipa::ToSchema;

use super::given;
use crate::domain::{Image, ImageChange, Product};

/// What to change of an image; absent fields stay.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"alt": "The mug from the side", "position": 0}))]
pub(crate) struct ImageChangeBody {
    /// What it shows, for those who do not see it; at most 200 characters.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    alt: Option<String>,
    /// Where it shall stand, from 0; behind the last is the end.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, format = "uint32")]
    position: Option<u32>,
}

impl From<ImageChangeBody> for ImageChange {
    fn from(ImageChangeBody { alt, position }: ImageChangeBody) -> Self {
        Self { alt, position }
    }
}

/// An image of a product.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ImageBody {
    id: ImageId,
    /// Where its bytes are.
    #[schema(
        example = "/api/v1/products/0190b3c0-0000-7000-8000-000000000001/images/0190b3c0-0000-7000-8000-000000000002"
    )]
    url: String,
    /// image/png, image/jpeg or image/webp.
    media_type: &'static str,
    /// Its size.
    bytes: u64,
    alt: String,
    /// Where it stands, from 0.
    position: usize,
}

impl ImageBody {
    fn new(product: ProductId, position: usize, image: &Image) -> Self {
        let Image { id, media, bytes, alt } = image;
        let url = format!("/api/v1/products/{product}/images/{id}");
        Self { id: *id, url, media_type: media.word(), bytes: *bytes, alt: alt.clone(), position }
    }

    /// An image of a product, which has it.
    pub(crate) fn of(product: &Product, image: ImageId) -> Option<Self> {
        product.image(image).map(|(position, image)| Self::new(product.id, position, image))
    }

    /// All images of a product.
    pub(crate) fn all(product: &Product) -> Vec<Self> {
        let images = product.images.iter().enumerate();
        images.map(|(position, image)| Self::new(product.id, position, image)).collect()
    }
}
