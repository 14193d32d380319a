//! Which images a Shop runs.

/// The images to run unless a Shop says otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Images {
    /// All services.
    pub shopmesh: String,
    /// The managed Redis.
    pub redis: String,
    /// The bundled NGINX.
    pub nginx: String,
}

/// The same name and tag at another registry.
pub(super) fn relocated(image: &str, registry: Option<&str>) -> String {
    match registry {
        None => image.to_owned(),
        Some(registry) => {
            let name = image.rsplit('/').next().unwrap_or(image);
            format!("{}/{name}", registry.trim_end_matches('/'))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_replaces_registry_and_path_but_not_name_tag_and_digest() {
        let at = |image| relocated(image, Some("mirror.example:5000/shop"));
        assert_eq!(at("ghcr.io/shopmesh/shopmesh:1.0"), "mirror.example:5000/shop/shopmesh:1.0");
        assert_eq!(at("redis:7"), "mirror.example:5000/shop/redis:7");
        assert_eq!(at("host:5000/a/nginx@sha256:ab"), "mirror.example:5000/shop/nginx@sha256:ab");
        assert_eq!(relocated("redis:7", None), "redis:7");
    }
}
