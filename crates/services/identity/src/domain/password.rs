//! What a password may be. What does not belong here: hashing it.

use shop_types::text::Broken;
use unicode_normalization::UnicodeNormalization;

/// Passwords that are tried first, one a line, in lower case; shorter ones than the rule allows need not be there.
const COMMON: &str = include_str!("password/common.txt");

/// A password in Unicode's NFC, so that the same letters typed on another keyboard are the same password. Never printed.
#[derive(Clone)]
pub(crate) struct Password(String);

impl Password {
    /// Takes what somebody typed to prove who they are. No rule applies: what breaks one was never stored and is wrong.
    pub(crate) fn typed(text: &str) -> Self {
        Self(text.nfc().collect())
    }

    /// Takes what somebody chose for an account.
    ///
    /// # Errors
    /// [`Broken`] unless it has 8 to 128 characters and is not among the most common ones.
    pub(crate) fn chosen(text: &str) -> Result<Self, Broken> {
        let password = Self::typed(text);
        if !(8..=128).contains(&password.0.chars().count()) {
            return Err(Broken("must be 8 to 128 characters"));
        }
        let lower = password.0.to_lowercase();
        if COMMON.lines().any(|common| common == lower) {
            return Err(Broken("must not be one of the most common passwords"));
        }
        Ok(password)
    }

    /// The bytes, for the one function that hashes them.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_counted_in_characters_after_normalisation() {
        assert!(Password::chosen("seven77").is_err());
        assert!(Password::chosen("eight888").is_ok());
        assert!(Password::chosen(&"ä".repeat(128)).is_ok());
        assert!(Password::chosen(&"ä".repeat(129)).is_err());
        // Eight code points, four letters.
        assert!(Password::chosen("a\u{308}o\u{308}u\u{308}a\u{308}").is_err());
        assert!(Password::chosen("").is_err());
    }

    #[test]
    fn composed_and_decomposed_letters_are_the_same_password() {
        let (one, two) = (Password::typed("Gru\u{308}ße!!!"), Password::chosen("Grüße!!!").unwrap());
        assert_eq!(one.as_bytes(), two.as_bytes());
    }

    #[test]
    fn the_most_common_passwords_are_refused_in_any_case() {
        for text in ["password", "PassWord1", "12345678", "qwertyuiop", "iloveyou"] {
            assert!(Password::chosen(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_list_holds_only_what_the_other_rule_lets_through() {
        assert!(COMMON.lines().count() > 100);
        for line in COMMON.lines() {
            assert!((8..=128).contains(&line.chars().count()), "{line}");
            assert_eq!(line, line.to_lowercase());
        }
    }

    #[test]
    fn a_password_is_never_printed() {
        assert!(!format!("{:?}", Password::typed("hunter2hunter2")).contains("hunter"));
    }
}
