//! What the plan refuses, with the field or the key that is wrong: nothing is written then.

use std::collections::BTreeMap;

use operator::crd::{Quantity, Shop};
use operator::error::{Class, Error};
use operator::observe::Observed;
use operator::plan::plan;

use crate::fixture::{put, settings, shop, world};

fn refused(spec: &str, change: impl FnOnce(&mut Observed)) -> Error {
    let shop = shop(spec);
    let mut observed = world(&shop);
    change(&mut observed);
    plan(&shop, &observed, &settings()).map(|_| ()).unwrap_err()
}

/// A Shop that an older definition let in: what the rules of the schema refuse is refused by the plan, too.
fn refused_unchecked(spec: &str, change: impl FnOnce(&mut Shop)) -> Error {
    let mut shop = shop(spec);
    let observed = world(&shop);
    change(&mut shop);
    plan(&shop, &observed, &settings()).map(|_| ()).unwrap_err()
}

#[test]
fn a_secret_that_does_not_exist_is_named() {
    for (spec, name) in [
        ("{}", "mongodb"),
        ("redis: {mode: External, external: {urlSecretRef: {name: cache}}}", "cache"),
        ("admin: {secretRef: {name: boss}}", "boss"),
        ("payment: {provider: Sandbox, secretRef: {name: psp}}", "psp"),
        ("image: {pullSecretRefs: [{name: pull}]}", "pull"),
    ] {
        let error = refused(spec, |world| drop(world.referenced.remove(name)));
        assert_eq!((error.reason(), error.class()), ("SecretNotFound", Class::User), "{spec}");
        assert!(error.to_string().contains(&format!("Secret {name}")), "{error}");
    }
}

#[test]
fn a_key_that_is_absent_or_empty_is_named() {
    for (key, value) in [("other", "mongodb://x"), ("uri", "")] {
        let error = refused("{}", |world| {
            world.referenced.insert("mongodb".into(), BTreeMap::new());
            put(world, "mongodb", key, value);
        });
        assert_eq!(error.reason(), "SecretKeyNotFound");
        assert!(error.to_string().contains("`uri`"), "{error}");
    }
    let error = refused("admin: {secretRef: {name: boss}}", |world| put(world, "boss", "password", ""));
    assert!(error.to_string().contains("`password` of Secret boss"), "{error}");
}

#[test]
fn a_uri_of_another_kind_is_refused_without_showing_it() {
    let error = refused("{}", |world| put(world, "mongodb", "uri", "http://ada:sekrit@host"));
    assert_eq!((error.reason(), error.class()), ("SecretUnusable", Class::User));
    let text = format!("{error} {error:?}");
    assert!(text.contains("mongodb://") && !text.contains("sekrit"), "{text}");
}

#[test]
fn a_body_size_that_nginx_would_take_for_another_is_refused() {
    for amount in ["10m", "0", "1023", "65Mi", "999999999999Ti"] {
        let error = refused_unchecked("{}", |shop| shop.spec.ingress.max_body_size = Quantity::new(amount));
        assert_eq!((error.reason(), error.class()), ("InvalidSpec", Class::User), "{amount}");
        assert!(error.to_string().contains("spec.ingress.maxBodySize"), "{error}");
    }
}

#[test]
fn what_services_would_refuse_to_read_is_refused_with_its_field() {
    type Change = fn(&mut Shop);
    let changes: [(Change, &str); 4] = [
        (|shop| shop.spec.cors.allowed_origins = vec!["https://a.example:70000".into()], "spec.cors.allowedOrigins"),
        (|shop| shop.spec.currency = "Euro".into(), "spec.currency"),
        (|shop| shop.spec.mongodb.max_pool_size = 501, "spec.mongodb.maxPoolSize"),
        (|shop| shop.spec.admin.email = Some("a@-x.com".into()), "spec.admin.email"),
    ];
    for (change, field) in changes {
        let error = refused_unchecked("{}", change);
        assert_eq!((error.reason(), error.class()), ("InvalidSpec", Class::User), "{field}");
        assert!(error.to_string().contains(&format!("{field}: must be ")), "{error}");
    }
}

#[test]
fn a_first_administrator_whom_identity_would_refuse_is_refused_with_the_key() {
    let long = "x".repeat(129);
    for (key, value) in [
        ("email", "nobody"),
        ("email", "a@-x.com"),
        ("password", "seven77"),
        ("password", "1234567\n"),
        ("password", &long),
    ] {
        let error = refused("admin: {secretRef: {name: boss}}", |world| put(world, "boss", key, value));
        assert_eq!((error.reason(), error.class()), ("SecretUnusable", Class::User), "{key}");
        let text = error.to_string();
        assert!(text.contains(&format!("key `{key}` of Secret boss must be ")) && !text.contains(value), "{text}");
    }
    let shop = shop("admin: {secretRef: {name: boss}}");
    for (email, password) in [("Ada@Example.org\n", "12345678\r\n"), ("a@b.cd", "größer als sieben")] {
        let mut observed = world(&shop);
        put(&mut observed, "boss", "email", email);
        put(&mut observed, "boss", "password", password);
        assert_eq!(plan(&shop, &observed, &settings()).unwrap().secrets.admin, "boss");
    }
}

#[test]
fn a_secret_that_the_operator_makes_is_not_one_of_the_users() {
    for (secret, field) in [
        ("demo-admin", "spec.admin.secretRef"),
        ("demo-redis", "spec.admin.secretRef"),
        ("demo-sandbox-psp", "spec.payment.secretRef"),
        ("demo-signing-key", "spec.payment.secretRef"),
    ] {
        let error = refused_unchecked("{}", |shop| {
            let reference = serde_json::json!({ "name": secret });
            if field == "spec.admin.secretRef" {
                shop.spec.admin.secret_ref = serde_json::from_value(reference).unwrap();
            } else {
                shop.spec.payment.secret_ref = serde_json::from_value(reference).unwrap();
            }
        });
        assert_eq!((error.reason(), error.class()), ("InvalidSpec", Class::User), "{secret}");
        assert!(error.to_string().contains(&format!("`{field}` must not name {secret}")), "{error}");
    }
}
