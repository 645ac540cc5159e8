//! Sealed page tokens: where a page ended, readable and forgeable by nobody but the proxies that
//! share a key.
//!
//! A token is `base64url(nonce ‖ XChaCha20-Poly1305(expiry ‖ position))`. What it is bound to
//! (method, conditions, order, caller) is authenticated with it but not part of it, so a token
//! that is sent with another request does not open.
//! <https://datatracker.ietf.org/doc/html/draft-irtf-cfrg-xchacha>

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};

use crate::{Error, Reason, Result, Violation};

/// How long a token is accepted: 24 hours, in microseconds.
pub const LIFETIME_MICROS: i64 = 24 * 60 * 60 * 1_000_000;

/// Length of a key of [`PageTokens`], in bytes.
pub const KEY_LENGTH: usize = 32;

const NONCE_LENGTH: usize = 24;

/// Tokens are short: a position is at most the values of an order and a key. Anything longer is
/// refused before it is decoded.
const MAX_TOKEN_LENGTH: usize = 16 * 1024;

/// Seals and opens page tokens.
pub struct PageTokens {
    /// The first one seals; all of them open.
    keys: Vec<XChaCha20Poly1305>,
}

impl PageTokens {
    /// With keys that all proxies share. The first one seals, all of them open, so that a key is
    /// replaced by putting the new one first and removing the old one a day later.
    ///
    /// # Errors
    ///
    /// Where there is no key.
    pub fn new(keys: &[[u8; KEY_LENGTH]]) -> Result<Self> {
        if keys.is_empty() {
            return Err(Error::internal("page tokens need a key"));
        }
        let keys = keys.iter().map(|key| XChaCha20Poly1305::new(key.into())).collect();
        Ok(PageTokens { keys })
    }

    /// With a random key: tokens open in this process alone.
    pub fn random() -> Result<Self> {
        let mut key = [0; KEY_LENGTH];
        getrandom::fill(&mut key).map_err(|error| Error::internal(error.to_string()))?;
        PageTokens::new(&[key])
    }

    /// Seals a position, to be opened with the same binding within [`LIFETIME_MICROS`].
    pub fn seal(&self, binding: &[u8], position: &[u8], now_micros: i64) -> Result<String> {
        let mut nonce = [0; NONCE_LENGTH];
        getrandom::fill(&mut nonce).map_err(|error| Error::internal(error.to_string()))?;
        let mut plain = Vec::with_capacity(8 + position.len());
        plain.extend_from_slice(&now_micros.saturating_add(LIFETIME_MICROS).to_be_bytes());
        plain.extend_from_slice(position);
        let payload = Payload { msg: &plain, aad: binding };
        let sealed = self.keys[0]
            .encrypt(XNonce::from_slice(&nonce), payload)
            .map_err(|_| Error::internal("a page token could not be sealed"))?;
        let mut token = Vec::with_capacity(NONCE_LENGTH + sealed.len());
        token.extend_from_slice(&nonce);
        token.extend_from_slice(&sealed);
        Ok(URL_SAFE_NO_PAD.encode(token))
    }

    /// The position in a token.
    ///
    /// # Errors
    ///
    /// PAGE_TOKEN_INVALID, with a violation of `field`, the token's field in the request: it was
    /// not sealed here, with another binding, or expired; the message does not say which.
    pub fn open(
        &self,
        binding: &[u8],
        token: &str,
        now_micros: i64,
        field: &str,
    ) -> Result<Vec<u8>> {
        self.position(binding, token, now_micros).ok_or_else(|| invalid(field))
    }

    fn position(&self, binding: &[u8], token: &str, now_micros: i64) -> Option<Vec<u8>> {
        if token.len() > MAX_TOKEN_LENGTH {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE_LENGTH)?;
        let payload = Payload { msg: sealed, aad: binding };
        let nonce = XNonce::from_slice(nonce);
        let plain = self.keys.iter().find_map(|key| {
            key.decrypt(nonce, Payload { msg: payload.msg, aad: payload.aad }).ok()
        })?;
        let (expiry, position) = plain.split_first_chunk::<8>()?;
        (now_micros < i64::from_be_bytes(*expiry)).then(|| position.to_vec())
    }
}

/// PAGE_TOKEN_INVALID of a token in a field of the request.
pub fn invalid(field: &str) -> Error {
    let what = "is not one that this request was given in the last 24 hours";
    Error::new(Reason::PageTokenInvalid, format!("{field}: {what}"))
        .with_violations(vec![Violation::new(field, what)])
}

impl fmt::Debug for PageTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PageTokens").field("keys", &self.keys.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_token_opens_with_its_binding_until_it_expires() {
        let tokens = PageTokens::random().unwrap();
        let token = tokens.seal(b"list", b"here", 1_000).unwrap();
        assert_eq!(tokens.open(b"list", &token, 1_000, "page_token").unwrap(), b"here");
        assert_eq!(
            tokens.open(b"list", &token, 999 + LIFETIME_MICROS, "page_token").unwrap(),
            b"here"
        );
        for (binding, now) in [(&b"other"[..], 1_000), (&b"list"[..], 1_000 + LIFETIME_MICROS)] {
            let error = tokens.open(binding, &token, now, "page_token").unwrap_err();
            assert_eq!(error.reason(), Reason::PageTokenInvalid);
        }
    }

    #[test]
    fn a_changed_or_cut_token_does_not_open() {
        let tokens = PageTokens::random().unwrap();
        let token = tokens.seal(b"list", b"here", 0).unwrap();
        for length in 0..token.len() {
            assert!(tokens.open(b"list", &token[..length], 0, "page_token").is_err());
        }
        let mut forged = token.clone().into_bytes();
        forged[40] = if forged[40] == b'A' { b'B' } else { b'A' };
        assert!(
            tokens.open(b"list", std::str::from_utf8(&forged).unwrap(), 0, "page_token").is_err()
        );
        assert!(PageTokens::random().unwrap().open(b"list", &token, 0, "page_token").is_err());
        assert!(tokens.open(b"list", &"A".repeat(1 << 20), 0, "page_token").is_err());
    }

    #[test]
    fn a_key_is_replaced_without_losing_tokens() {
        let (old, new) = ([1; KEY_LENGTH], [2; KEY_LENGTH]);
        let token = PageTokens::new(&[old]).unwrap().seal(b"list", b"here", 0).unwrap();
        let both = PageTokens::new(&[new, old]).unwrap();
        assert_eq!(both.open(b"list", &token, 0, "page_token").unwrap(), b"here");
        assert!(PageTokens::new(&[new]).unwrap().open(b"list", &token, 0, "page_token").is_err());
        assert!(PageTokens::new(&[]).is_err());
    }
}
