//! The servers that tests run against.

use std::fmt;
use std::str::FromStr;

use crate::Result;
use crate::error::Error;
use crate::locate::{self, Installation};

/// A server product and version that respec is tested against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Variant {
    /// Redis 7.0: the oldest server supported, the last one without modules of any kind built in,
    /// and the only one here that was built with TLS.
    Redis70,
    /// Redis 8.2 with vector sets, and the JSON, search, time series and Bloom modules.
    Redis82,
    /// Valkey 9.1.
    Valkey91,
    /// Any build of Redis, whose program `RESPEC_OTHER` names; it is none of [`Variant::ALL`].
    Other,
}

impl Variant {
    /// Every variant that is always tested against, oldest first.
    pub const ALL: [Self; 3] = [Self::Redis70, Self::Redis82, Self::Valkey91];

    /// Finds the server on this machine, or installs it below `target/`.
    ///
    /// The first call may download; see the [crate page](crate) for what and from where. Later
    /// calls in the same process answer from memory.
    pub fn locate(self) -> Result<Installation> {
        locate::locate(self)
    }

    /// The name used on the command line and in directory names, such as `redis82`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Redis70 => "redis70",
            Self::Redis82 => "redis82",
            Self::Valkey91 => "valkey91",
            Self::Other => "other",
        }
    }

    /// The environment variable that names a server binary to use instead.
    pub fn env_var(self) -> &'static str {
        match self {
            Self::Redis70 => "RESPEC_REDIS70",
            Self::Redis82 => "RESPEC_REDIS82",
            Self::Valkey91 => "RESPEC_VALKEY91",
            Self::Other => "RESPEC_OTHER",
        }
    }

    /// The file name of the server program.
    pub(crate) fn program(self) -> &'static str {
        match self {
            Self::Redis70 | Self::Redis82 | Self::Other => "redis-server",
            Self::Valkey91 => "valkey-server",
        }
    }

    /// What the program calls itself in the output of `--version`.
    pub(crate) fn product(self) -> &'static str {
        match self {
            Self::Redis70 | Self::Redis82 | Self::Other => "Redis",
            Self::Valkey91 => "Valkey",
        }
    }

    /// The versions that count as this variant, as a prefix.
    pub(crate) fn version_prefix(self) -> &'static str {
        match self {
            Self::Redis70 => "7.0.",
            Self::Redis82 => "8.2.",
            Self::Valkey91 => "9.1.",
            Self::Other => "",
        }
    }
}

impl Variant {
    /// The variants to test against: all, and the other one where its variable is set.
    pub fn at_hand() -> Vec<Self> {
        let mut variants = Self::ALL.to_vec();
        if std::env::var_os(Self::Other.env_var()).is_some_and(|value| !value.is_empty()) {
            variants.push(Self::Other);
        }
        variants
    }
}

impl FromStr for Variant {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .chain([Self::Other])
            .find(|variant| variant.name() == name)
            .ok_or_else(|| {
                let names = Self::ALL.map(Self::name).join(", ");
                Error::failed(format!("unknown server `{name}`, expected one of {names}"))
            })
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}x", self.product(), self.version_prefix())
    }
}
