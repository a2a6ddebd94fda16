//! Bytes that are wiped from memory when dropped and never printed.

use std::{fmt, ops::Deref};

use bytes::BytesMut;
use zeroize::{Zeroize as _, Zeroizing};

/// A password or another secret: wiped when dropped, and never printed.
///
/// It has no `Display` and is not serialised; its `Debug` tells nothing, not even the length.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes over the bytes of a secret.
    #[must_use]
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Zeroizing::new(bytes.into()))
    }

    /// The bytes, to be sent and to be shown to nobody.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<&[u8]> for Secret {
    fn from(bytes: &[u8]) -> Self {
        Self::new(bytes)
    }
}

impl From<Vec<u8>> for Secret {
    fn from(bytes: Vec<u8>) -> Self {
        Self::new(bytes)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// Encoded bytes that may hold a secret on their way to a server: wiped when dropped.
///
/// A secret is what was written last, so that no smaller buffer that was outgrown holds it.
#[derive(Default)]
pub(crate) struct SecretOutput(BytesMut);

impl From<BytesMut> for SecretOutput {
    fn from(bytes: BytesMut) -> Self {
        Self(bytes)
    }
}

impl Deref for SecretOutput {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for SecretOutput {
    fn drop(&mut self) {
        self.0.as_mut().zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_kept_and_not_printed() {
        let secret = Secret::from("canary");
        assert_eq!(secret.expose(), b"canary");
        assert_eq!(
            format!("{secret:?} {:#?}", Some(&secret)),
            "Secret(***) Some(\n    Secret(***),\n)"
        );
    }
}
