//! What a connection is, as `CLIENT LIST` marks it.

use super::{DecodeError, FromText};

/// The marks of a connection, a letter each.
///
/// Letters that are not known here are kept: [`contains`](Self::contains) finds them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClientFlags(String);

impl ClientFlags {
    /// The letters as the server sent them; `N` for none of the others.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a letter is among them.
    #[must_use]
    pub fn contains(&self, letter: char) -> bool {
        self.0.contains(letter)
    }

    /// `b`: it waits in a blocking command.
    #[must_use]
    pub fn is_blocked(&self) -> bool {
        self.contains('b')
    }

    /// `x`: it is in a transaction.
    #[must_use]
    pub fn is_in_transaction(&self) -> bool {
        self.contains('x')
    }

    /// `d`: a key that it watches was changed, so that its transaction will do nothing.
    #[must_use]
    pub fn has_changed_watch(&self) -> bool {
        self.contains('d')
    }

    /// `P`: it has subscribed to channels or patterns.
    #[must_use]
    pub fn is_subscriber(&self) -> bool {
        self.contains('P')
    }

    /// `t`: the keys that it reads are tracked.
    #[must_use]
    pub fn is_tracking(&self) -> bool {
        self.contains('t')
    }

    /// `S`: it is a replica of this server.
    #[must_use]
    pub fn is_replica(&self) -> bool {
        self.contains('S')
    }

    /// `M`: it is the primary of this server.
    #[must_use]
    pub fn is_primary(&self) -> bool {
        self.contains('M')
    }

    /// `O`: it runs `MONITOR`.
    #[must_use]
    pub fn is_monitor(&self) -> bool {
        self.contains('O')
    }

    /// `r`: it only reads from this node of a cluster.
    #[must_use]
    pub fn is_readonly(&self) -> bool {
        self.contains('r')
    }

    /// `U`: it came by a Unix socket.
    #[must_use]
    pub fn is_unix_socket(&self) -> bool {
        self.contains('U')
    }

    /// `c`: it is closed once it has its reply. `A`: it is closed as soon as that is possible.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.contains('c') || self.contains('A')
    }
}

impl FromText for ClientFlags {
    fn from_text(text: &[u8]) -> Result<Self, DecodeError> {
        String::from_text(text).map(Self)
    }
}
