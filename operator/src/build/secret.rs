//! Secrets that the operator keeps. Their values were found or made by `observe`; here they are only written down.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use sha2::{Digest, Sha256};

use super::{metadata, names};
use crate::keys;
use crate::plan::{PaymentSecrets, Plan};

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
    let PaymentSecrets { api_key, webhook_secret, are_made } = &values.payment;
    if *are_made {
        let located = std::iter::once(api_key).chain(webhook_secret);
        let data = located.map(|located| (located.key.as_str(), located.value.expose()));
        secrets.push(secret(plan, names::sandbox_psp(shop), data));
    }
    secrets
}

fn secret<'a>(plan: &Plan, name: String, data: impl IntoIterator<Item = (&'a str, &'a str)>) -> Secret {
    let data: BTreeMap<_, _> =
        data.into_iter().map(|(key, value)| (key.to_owned(), ByteString(value.as_bytes().to_vec()))).collect();
    Secret {
        metadata: metadata::of_shop(&plan.shop, name),
        type_: Some("Opaque".to_owned()),
        data: Some(data),
        ..Secret::default()
    }
}
