//! Which server a call needs: what the spec says of a command and of the options that were given.

use std::fmt;

use super::{Info, Provider};
use crate::{
    commands,
    error::{Error, ErrorKind, Result},
};

/// What a call, as it was built, needs of the server that runs it.
///
/// ```
/// use respec::{cmd, command::{Command, Provider, ServerVersion}};
///
/// let needs = cmd::set("k", "v").ifeq("old").needs();
/// assert_eq!(needs.since(), Some("8.4.0"));
/// assert!(needs.check(&ServerVersion::new("redis", "8.2.3")).is_err());
///
/// let needs = cmd::hset("k", ("f", "v")).needs();
/// assert_eq!((needs.since(), needs.provider()), (Some("2.0.0"), None));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs {
    module: Option<&'static str>,
    /// What both families have, what Redis alone has, and what Valkey alone has; of each the newest.
    newest: [Option<Need>; 3],
}

/// One thing that a call needs: the command, or an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need {
    /// The command's name, or the syntax of the option.
    pub what: &'static str,
    /// First version that has it: of the provider, of Redis without one, or of the module.
    pub since: Option<&'static str>,
    /// The only server family that has it.
    pub provider: Option<Provider>,
}

impl Needs {
    /// What a command needs without options.
    #[must_use]
    pub fn of(info: &Info) -> Self {
        let mut needs = Self {
            module: info.module,
            newest: [None; 3],
        };
        needs.add(info.name, info.since, info.provider);
        needs
    }

    /// Adds what an option needs.
    pub fn add(
        &mut self,
        what: &'static str,
        since: Option<&'static str>,
        provider: Option<Provider>,
    ) {
        let need = Need {
            what,
            since,
            provider,
        };
        let [both, redis, valkey] = &mut self.newest;
        let known = match provider {
            None => both,
            Some(Provider::Redis) => redis,
            Some(Provider::Valkey) => valkey,
        };
        if known.is_none_or(|known| version(known.since) < version(since)) {
            *known = Some(need);
        }
    }

    /// The module that must be loaded; the versions are then its own.
    #[must_use]
    pub fn module(&self) -> Option<&'static str> {
        self.module
    }

    /// The newest version that anything needs.
    #[must_use]
    pub fn since(&self) -> Option<&'static str> {
        self.iter()
            .filter_map(|need| need.since)
            .max_by_key(|since| version(Some(since)))
    }

    /// The only family that has all that is needed.
    ///
    /// It is Redis where one part is of Redis alone and another of Valkey alone, which nobody has.
    #[must_use]
    pub fn provider(&self) -> Option<Provider> {
        self.iter().find_map(|need| need.provider)
    }

    /// The newest thing needed of both families, of Redis alone, and of Valkey alone.
    pub fn iter(&self) -> impl Iterator<Item = Need> {
        self.newest.into_iter().flatten()
    }

    /// Whether a server has all that is needed, as far as the spec tells.
    ///
    /// The spec has the versions of Redis for what both families have. Valkey went its own way
    /// after 7.2, so that they say nothing about it. Of modules a server's version says nothing.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unsupported`], which names what is missing, and the server.
    pub fn check(&self, server: &ServerVersion) -> Result<()> {
        if self.module.is_some() {
            return Ok(());
        }
        match self.iter().find(|need| server.lacks(need)) {
            Some(need) => Err(Error::new(
                ErrorKind::Unsupported,
                format!("{need}, and the server is {server}"),
            )),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            what,
            since,
            provider,
        } = self;
        let family = provider.map_or("", Provider::name);
        match since {
            None => write!(f, "`{what}` is of {family} alone"),
            Some(since) if family.is_empty() => write!(f, "`{what}` needs version {since}"),
            Some(since) => write!(f, "`{what}` needs {family} {since}"),
        }
    }
}

/// A server family and a version, as a server presents itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerVersion {
    name: String,
    version: String,
}

impl ServerVersion {
    /// The name and the version that a server tells, in `HELLO` or `INFO`.
    #[must_use]
    pub fn new(name: impl Into<String>, version: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            version: version.into(),
        }
    }

    /// The family; none for a server that is neither Redis nor Valkey.
    #[must_use]
    pub fn provider(&self) -> Option<Provider> {
        [Provider::Redis, Provider::Valkey]
            .into_iter()
            .find(|provider| provider.name().eq_ignore_ascii_case(&self.name))
    }

    fn lacks(&self, need: &Need) -> bool {
        let own = version(Some(&self.version));
        let Some(family) = self.provider() else {
            return false;
        };
        match need.provider {
            // A server that is newer than the spec may have taken it over.
            Some(provider) if provider != family => {
                let known = version(commands::info::newest(family));
                own.get(..2) <= known.get(..2)
            }
            None if family == Provider::Valkey => false,
            _ => own < version(need.since),
        }
    }
}

impl fmt::Display for ServerVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.version)
    }
}

impl Provider {
    /// `Redis` or `Valkey`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Redis => "Redis",
            Self::Valkey => "Valkey",
        }
    }
}

/// The parts of a version; none is the oldest of all.
fn version(text: Option<&str>) -> [u32; 3] {
    let mut parts = text.unwrap_or_default().split('.').map(|part| {
        let digits = part.find(|c: char| !c.is_ascii_digit());
        let digits = part.get(..digits.unwrap_or(part.len()));
        digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
    });
    std::array::from_fn(|_| parts.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const REDIS: Option<Provider> = Some(Provider::Redis);
    const VALKEY: Option<Provider> = Some(Provider::Valkey);

    fn needs(since: Option<&'static str>, provider: Option<Provider>) -> Needs {
        let mut needs = Needs::of(Info::UNKNOWN);
        needs.add("X", since, provider);
        needs
    }

    fn answer(needs: Needs, name: &str, version: &str) -> String {
        match needs.check(&ServerVersion::new(name, version)) {
            Ok(()) => "has it".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn versions_are_compared_by_number() {
        for (version, has_it) in [
            ("8.10.0", true),
            ("8.10.0-rc1", true),
            ("9", true),
            ("255.255.255", true),
            ("8.9.99", false),
            ("7.0.15", false),
            ("", false),
        ] {
            let answer = answer(needs(Some("8.10.0"), None), "redis", version);
            assert_eq!(answer == "has it", has_it, "{version}: {answer}");
        }
    }

    #[test]
    fn the_other_familys_own_things_are_refused_up_to_what_the_spec_knows() {
        assert_eq!(
            answer(needs(Some("8.4.0"), REDIS), "valkey", "9.1.2"),
            "unsupported: `X` needs Redis 8.4.0, and the server is valkey 9.1.2"
        );
        assert_eq!(
            answer(needs(None, VALKEY), "redis", "8.2.3"),
            "unsupported: `X` is of Valkey alone, and the server is redis 8.2.3"
        );
        assert_eq!(
            answer(needs(Some("8.4.0"), REDIS), "valkey", "99.0.0"),
            "has it"
        );
        assert_eq!(answer(needs(None, VALKEY), "redis", "99.0.0"), "has it");
        assert_eq!(
            answer(needs(Some("9.0.0"), VALKEY), "valkey", "8.1.0"),
            "unsupported: `X` needs Valkey 9.0.0, and the server is valkey 8.1.0"
        );
    }

    #[test]
    fn what_cannot_be_told_is_not_refused() {
        // The version is that of Redis.
        assert_eq!(
            answer(needs(Some("8.4.0"), None), "valkey", "8.0.0"),
            "has it"
        );
        assert_eq!(
            answer(needs(Some("8.4.0"), REDIS), "dragonfly", "1.0"),
            "has it"
        );
        let mut of_module = needs(Some("8.4.0"), None);
        of_module.module = Some("bf");
        assert_eq!(answer(of_module, "redis", "7.0.0"), "has it");
    }

    #[test]
    fn the_newest_need_of_each_family_counts() {
        let mut needs = needs(Some("6.2.0"), None);
        for (what, since, provider) in [
            ("old", Some("2.0.0"), None),
            ("new", Some("8.4.0"), REDIS),
            ("newer", Some("8.10.0"), REDIS),
            ("other", Some("9.0.0"), VALKEY),
        ] {
            needs.add(what, since, provider);
        }
        let all: Vec<_> = needs.iter().map(|need| need.what).collect();
        assert_eq!(all, ["X", "newer", "other"]);
        assert_eq!((needs.since(), needs.provider()), (Some("9.0.0"), REDIS));
    }
}
