//! Who calls: bearer tokens and the role each has. Tokens are kept only as their SHA-256. Knows no API.

use std::fmt::Write as _;

use axum::http::{HeaderMap, header};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::store::{Collection, StoreError, Tx};

/// Registered tokens, by their full fingerprint.
const TOKENS: Collection<Role> = Collection::new("tokens");

/// Hexadecimal digits of a fingerprint that tell tokens apart in the journal.
const SHORT: usize = 12;

/// What a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Role {
    /// Everything, on every API.
    Admin,
    /// Is known, but may not touch billing.
    Member,
}

/// The SHA-256 of a token, in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Fingerprint(String);

impl Fingerprint {
    /// The fingerprint of `token`.
    pub(crate) fn of(token: &str) -> Self {
        let mut text = String::new();
        for byte in Sha256::digest(token.as_bytes()) {
            // Writing to a String can't fail.
            let _ = write!(text, "{byte:02x}");
        }
        Self(text)
    }

    /// The first digits: enough to tell tokens apart, useless to whoever reads them.
    pub(crate) fn short(&self) -> &str {
        self.0.get(..SHORT).unwrap_or(&self.0)
    }
}

/// Who sent a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Caller {
    /// No bearer token.
    Anonymous,
    /// A bearer token that is not registered.
    Unknown(Fingerprint),
    /// A registered token.
    Known(Fingerprint, Role),
}

impl Caller {
    /// The fingerprint of the token sent, if one was.
    pub(crate) fn fingerprint(&self) -> Option<&Fingerprint> {
        match self {
            Self::Anonymous => None,
            Self::Unknown(fingerprint) | Self::Known(fingerprint, _) => Some(fingerprint),
        }
    }
}

/// Says who sent a request with `headers`; `permanent` tokens are admins that nothing can remove.
///
/// # Errors
/// When the store can't be read.
pub(crate) fn identify(
    tx: &Tx,
    permanent: &[Fingerprint],
    headers: &HeaderMap,
) -> Result<Caller, StoreError> {
    let Some(token) = bearer(headers) else { return Ok(Caller::Anonymous) };
    let fingerprint = Fingerprint::of(token);
    if permanent.contains(&fingerprint) {
        return Ok(Caller::Known(fingerprint, Role::Admin));
    }
    Ok(match tx.get(&TOKENS, &fingerprint.0)? {
        Some(role) => Caller::Known(fingerprint, role),
        None => Caller::Unknown(fingerprint),
    })
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// Registers `token`, or gives it another role.
///
/// # Errors
/// When the store can't be written.
pub(crate) fn register(tx: &Tx, token: &str, role: Role) -> Result<(), StoreError> {
    tx.put(&TOKENS, &Fingerprint::of(token).0, &role)
}

/// Forgets `token`; says whether it was registered.
///
/// # Errors
/// When the store can't be written.
pub(crate) fn revoke(tx: &Tx, token: &str) -> Result<bool, StoreError> {
    tx.remove(&TOKENS, &Fingerprint::of(token).0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(authorization: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::AUTHORIZATION, authorization.parse().unwrap())])
    }

    #[test]
    fn only_a_bearer_header_carries_a_token() {
        assert_eq!(bearer(&headers("Bearer abc")), Some("abc"));
        assert_eq!(bearer(&headers("bearer abc")), Some("abc"));
        assert_eq!(bearer(&headers("Basic abc")), None);
        assert_eq!(bearer(&headers("Bearer ")), None);
        assert_eq!(bearer(&HeaderMap::new()), None);
    }

    #[test]
    fn a_fingerprint_is_the_sha_256_and_not_the_token() {
        let fingerprint = Fingerprint::of("abc");
        assert_eq!(fingerprint.short(), "ba7816bf8f01");
        assert!(!format!("{fingerprint:?}").contains("abc\""));
    }
}
