//! Secrets that the operator keeps. Their values were found or made by `observe`; here they are only written down.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use sha2::{Digest, Sha256};

use super::{metadata, names};
use crate::keys;
use crate::plan::Plan;

pub(super) fn secrets(plan: &Plan) -> Vec<Secret> {
    let shop = &plan.shop.name;
    let values = &plan.secrets;
    let mut secrets = vec![secret(plan, names::signing_key(shop), [(names::SIGNING_KEY, values.signing_key.expose())])];
    if let Some((email, password)) = &values.made_admin {
        let data = [(names::EMAIL, email.as_str()), (names::PASSWORD, password.expose())];
        secrets.push(secret(plan, names::admin(shop), data));
    }
    if plan.redis.is_some() {
        let password = values.redis_password.expose();
        // Redis itself needs the digest alone.
        let users = format!("user default on #{} ~* &* +@all\n", keys::hex(&Sha256::digest(password)));
        let data = [
            (names::PASSWORD, password),
            (names::URL, values.redis_url.value.expose()),
            (names::REDIS_USERS, users.as_str()),
        ];
        secrets.push(secret(plan, names::redis(shop), data));
    }
    if values.payment_api_key_is_made {
        let data = [(names::API_KEY, values.payment_api_key.value.expose())];
        secrets.push(secret(plan, names::sandbox_psp(shop), data));
    }
    secrets
}

fn secret<const N: usize>(plan: &Plan, name: String, data: [(&str, &str); N]) -> Secret {
    let data: BTreeMap<_, _> =
        data.into_iter().map(|(key, value)| (key.to_owned(), ByteString(value.as_bytes().to_vec()))).collect();
    Secret {
        metadata: metadata::of_shop(&plan.shop, name),
        type_: Some("Opaque".to_owned()),
        data: Some(data),
        ..Secret::default()
    }
}
