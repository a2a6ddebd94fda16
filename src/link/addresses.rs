//! The addresses that the name of a server stands for: which is tried next, and for how long.
//!
//! A name may stand for several addresses, of two families, of which some lead nowhere. All of them
//! are tried, the families in turn, and each has its share of the time, so that one that does not
//! answer leaves time for those behind it.

use std::{
    collections::VecDeque,
    fmt::Write as _,
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};

use crate::{
    address::Address,
    error::{Error, ErrorKind},
    mutant::{self, Mutant},
};

/// The addresses that are left to be tried.
#[derive(Debug)]
pub(crate) struct Addresses {
    rest: VecDeque<SocketAddr>,
    /// What has come of those that were tried.
    tried: String,
    failure: Option<io::Error>,
}

impl Addresses {
    /// What a resolver has answered, in its order but for the families, which take turns.
    pub(crate) fn new(resolved: impl IntoIterator<Item = SocketAddr>) -> Self {
        let mut families: [VecDeque<SocketAddr>; 2] = Default::default();
        let mut first = None;
        for address in resolved {
            let preferred = *first.get_or_insert(address.is_ipv4());
            let [same, other] = &mut families;
            let family = if address.is_ipv4() == preferred {
                same
            } else {
                other
            };
            if !family.contains(&address) {
                family.push_back(address);
            }
        }
        let [mut same, mut other] = families;
        let mut rest = VecDeque::with_capacity(same.len() + other.len());
        while !(same.is_empty() && other.is_empty()) {
            rest.extend(same.pop_front().into_iter().chain(other.pop_front()));
        }
        Self {
            rest,
            tried: String::new(),
            failure: None,
        }
    }

    /// The address to try next, and until when; nothing if there is none left.
    pub(crate) fn next(
        &mut self,
        now: Instant,
        end: Option<Instant>,
    ) -> Option<(SocketAddr, Option<Instant>)> {
        if mutant::is(Mutant::FirstAddressAlone) && self.failure.is_none() {
            self.rest.truncate(1);
        }
        let left = u32::try_from(self.rest.len()).unwrap_or(u32::MAX);
        let address = self.rest.pop_front()?;
        let until = end.map(|end| {
            let share = end.saturating_duration_since(now) / left;
            now + share.max(SHORTEST)
        });
        Some((address, until))
    }

    /// Takes note of an address that could not be reached.
    pub(crate) fn failed(&mut self, address: SocketAddr, error: io::Error) {
        let separator = if self.tried.is_empty() { "" } else { ", " };
        // Nothing fails that writes into a text.
        let _ = write!(self.tried, "{separator}{address}: {}", reason(&error));
        self.failure = Some(error);
    }

    /// The error after all addresses were tried in vain.
    pub(crate) fn error(self, server: &Address) -> Error {
        match self.failure {
            Some(failure) => Error::io(
                ErrorKind::Connect,
                format!("cannot reach {server} ({})", self.tried),
                failure,
            ),
            None => Error::io(
                ErrorKind::Connect,
                format!("cannot reach {server}: the name has no address"),
                io::ErrorKind::NotFound.into(),
            ),
        }
    }
}

/// What an error of the system says, in few words where they are known.
pub(super) fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::TimedOut => "no answer in time".to_owned(),
        io::ErrorKind::HostUnreachable => "host unreachable".to_owned(),
        io::ErrorKind::NetworkUnreachable => "network unreachable".to_owned(),
        io::ErrorKind::UnexpectedEof => "closed by the peer".to_owned(),
        io::ErrorKind::ConnectionReset => "reset by the peer".to_owned(),
        io::ErrorKind::NotFound => "no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string().to_lowercase(),
    }
}

/// The least time for one address.
const SHORTEST: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(list: &[&str]) -> Addresses {
        Addresses::new(list.iter().map(|address| address.parse().unwrap()))
    }

    #[test]
    fn f25_all_addresses_are_tried_and_the_families_take_turns() {
        let now = Instant::now();
        let end = now + Duration::from_secs(4);
        let mut all = addresses(&["[::1]:1", "[::2]:1", "[::1]:1", "1.1.1.1:1", "[::3]:1"]);
        let mut order = Vec::new();
        let mut then = now;
        while let Some((address, until)) = all.next(then, Some(end)) {
            // None of them answers, and each has an equal share.
            assert_eq!(until, Some(then + Duration::from_secs(1)));
            then = until.unwrap();
            order.push(address.to_string());
        }
        assert_eq!(order, ["[::1]:1", "1.1.1.1:1", "[::2]:1", "[::3]:1"]);
        assert_eq!(then, end);
    }

    #[test]
    fn an_address_that_fails_at_once_leaves_its_time_to_the_others() {
        let now = Instant::now();
        let end = now + Duration::from_secs(2);
        let mut all = addresses(&["1.1.1.1:1", "2.2.2.2:1"]);
        assert_eq!(
            all.next(now, Some(end)).unwrap().1,
            Some(now + Duration::from_secs(1))
        );
        assert_eq!(all.next(now, Some(end)).unwrap().1, Some(end));
        assert!(all.next(now, Some(end)).is_none());
        let mut late = addresses(&["1.1.1.1:1"]);
        let (_, until) = late.next(end, Some(now)).unwrap();
        assert_eq!(
            until,
            Some(end + SHORTEST),
            "no connect takes a time of zero"
        );
        assert_eq!(addresses(&["1.1.1.1:1"]).next(now, None).unwrap().1, None);
    }

    #[test]
    fn c18_the_error_names_the_server_each_address_and_each_reason() {
        let server = Address::Tcp {
            host: "cache.example".to_owned(),
            port: 6379,
        };
        let mut all = addresses(&["1.1.1.1:6379", "[::1]:6379"]);
        let kinds = [io::ErrorKind::ConnectionRefused, io::ErrorKind::TimedOut];
        for kind in kinds {
            let (address, _) = all.next(Instant::now(), None).unwrap();
            all.failed(address, kind.into());
        }
        let error = all.error(&server);
        assert_eq!(
            error.to_string(),
            "no connection: cannot reach cache.example:6379 (1.1.1.1:6379: connection refused, [::1]:6379: no answer in time)"
        );
        let nowhere = addresses(&[]).error(&server);
        assert!(
            nowhere
                .to_string()
                .ends_with("cache.example:6379: the name has no address")
        );
    }
}
