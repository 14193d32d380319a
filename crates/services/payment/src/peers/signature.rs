//! Signatures of webhooks in the form `t=<unix seconds>,v1=<hex>[,v1=<hex>..]` over `t.body`, as several providers have them.

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha2::Sha256;
use shop_config::Secret;

use super::Untrusted;

/// Seconds between signing and arrival, at most, also the other way round.
const WINDOW: i64 = 300;
/// Signatures that are tried: more than one while a provider changes its secret.
const SIGNATURES: usize = 8;

/// Checks a header against a body. The time is judged last, so that it tells a stranger nothing.
///
/// # Errors
/// [`Untrusted`].
pub(super) fn check(secret: &Secret, header: &str, body: &[u8], now: Timestamp) -> Result<(), Untrusted> {
    let (mut time, mut signatures) = (None, Vec::new());
    for part in header.split(',') {
        match part.trim().split_once('=') {
            Some(("t", _)) if time.is_some() => return Err(Untrusted::Unsigned),
            Some(("t", text)) => time = Some(text),
            Some(("v1", hex)) => signatures.push(hex),
            // Providers add other schemes.
            Some(_) => {}
            None => return Err(Untrusted::Unsigned),
        }
    }
    let digits = time.filter(|text| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()));
    let digits = digits.ok_or(Untrusted::Unsigned)?;
    let signed_at: i64 = digits.parse().map_err(|_| Untrusted::Unsigned)?;
    if signatures.is_empty() || signatures.len() > SIGNATURES {
        return Err(Untrusted::Unsigned);
    }
    let fits = signatures.iter().filter_map(|hex| bytes(hex)).any(|signature| {
        Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()).is_ok_and(|mac| {
            // `verify` compares in constant time.
            mac.chain_update(digits).chain_update(b".").chain_update(body).verify_slice(&signature).is_ok()
        })
    });
    if !fits {
        return Err(Untrusted::WrongSignature);
    }
    if now.as_second().abs_diff(signed_at) > WINDOW.unsigned_abs() {
        return Err(Untrusted::OutOfTime);
    }
    Ok(())
}

/// 32 bytes of lower-case hex.
fn bytes(hex: &str) -> Option<[u8; 32]> {
    const fn digit(b: u8) -> Option<u8> {
        match b {
            b'0'..=b'9' => Some(b - b'0'),
            b'a'..=b'f' => Some(b - b'a' + 10),
            _ => None,
        }
    }
    if hex.len() != 64 {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: i64 = 1_700_000_000;
    const BODY: &[u8] = br#"{"a":1}"#;
    /// From `printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac key`.
    const GOOD: &str = "a438e398bfafc57e4396bb7fc2304422f0f768e965d073ca313cb52e22e6ad03";

    fn check_at(header: &str, body: &[u8], seconds: i64) -> Result<(), Untrusted> {
        check(&Secret::new("key"), header, body, Timestamp::from_second(seconds).unwrap())
    }

    #[test]
    fn a_signature_holds_within_its_window() {
        let header = format!("t={TIME},v1={GOOD}");
        for late in [0, 300, -300] {
            assert_eq!(check_at(&header, BODY, TIME + late), Ok(()), "{late}");
        }
        for late in [301, -301, i64::from(i32::MAX)] {
            assert_eq!(check_at(&header, BODY, TIME + late), Err(Untrusted::OutOfTime), "{late}");
        }
    }

    #[test]
    fn one_of_several_signatures_is_enough() {
        let other = "0".repeat(64);
        let header = format!("t={TIME}, v0=x, v1={other}, v1={GOOD}");
        assert_eq!(check_at(&header, BODY, TIME), Ok(()));
    }

    #[test]
    fn what_was_changed_or_signed_by_others_is_refused() {
        let later = TIME + 1;
        let other = GOOD.replace('a', "b");
        for (header, body) in [
            (format!("t={TIME},v1={GOOD}"), &b"{\"a\":2}"[..]),
            (format!("t={TIME},v1={GOOD}"), b""),
            (format!("t={later},v1={GOOD}"), BODY),
            (format!("t={TIME},v1={other}"), BODY),
            (format!("t={TIME},v1={}", &GOOD[..62]), BODY),
            (format!("t={TIME},v1={}", GOOD.to_uppercase()), BODY),
            (format!("t={TIME},v1="), BODY),
        ] {
            assert_eq!(check_at(&header, body, TIME), Err(Untrusted::WrongSignature), "{header}");
        }
        let other_secret =
            check(&Secret::new("key2"), &format!("t={TIME},v1={GOOD}"), BODY, Timestamp::from_second(TIME).unwrap());
        assert_eq!(other_secret, Err(Untrusted::WrongSignature));
    }

    #[test]
    fn what_is_not_of_the_form_is_unsigned() {
        let many = vec![format!("v1={GOOD}"); 9].join(",");
        for header in [
            String::new(),
            GOOD.to_owned(),
            format!("v1={GOOD}"),
            format!("t={TIME}"),
            format!("t=,v1={GOOD}"),
            format!("t=-5,v1={GOOD}"),
            format!("t=99999999999999999999,v1={GOOD}"),
            format!("t={TIME},t={TIME},v1={GOOD}"),
            format!("t={TIME},{many}"),
        ] {
            assert_eq!(check_at(&header, BODY, TIME), Err(Untrusted::Unsigned), "{header}");
        }
    }
}
