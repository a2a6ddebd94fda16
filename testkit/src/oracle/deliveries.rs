//! O9: what callers were told of the sending is true, to the byte.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::proxy::{Proxy, Record};

/// Compares what callers were told with what [`Proxy`]s have handed over.
///
/// Each operation is one command with an argument that occurs in no other, its tag, of at most a
/// hundred bytes and near the command's beginning. Of a request that has not come as far as that it
/// is only known that it is of one of the operations that may have been sent: there may be no more
/// of the one than of the other.
///
/// ```no_run
/// # use respec_testkit::{Proxy, Server, Variant, oracle::{Deliveries, Told}};
/// # let server = Server::start(Variant::Valkey91)?;
/// # let proxy = Proxy::start(server.addr())?;
/// let deliveries = Deliveries::new();
/// // … RPUSH list tag-7 … fails, and the client says that nothing was sent:
/// deliveries.told("tag-7", Told::NotSent, true);
/// // … when nothing is under way any more:
/// deliveries.settle(&[&proxy]);
/// let report = deliveries.report();
/// assert!(report.is_clean(), "{report}");
/// # Ok::<(), respec_testkit::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Deliveries {
    told: Mutex<Vec<(Vec<u8>, Told, bool)>>,
    report: Mutex<DeliveryReport>,
}

/// What a caller was told of its command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// A reply came, whatever it said.
    Answered,
    /// No byte of it was sent.
    NotSent,
    /// It may have been executed.
    Indeterminate,
    /// Nothing: the caller did not wait for it.
    Nothing,
}

/// What [`Deliveries`] found.
#[derive(Clone, Debug, Default)]
pub struct DeliveryReport {
    /// Operations whose caller was told that they were not sent.
    pub not_sent: u64,
    /// Operations whose caller was told that they may have been executed.
    pub indeterminate: u64,
    /// How many of these no proxy has received a byte of. They may have been in a kernel's buffer.
    pub indeterminate_unseen: u64,
    /// Operations whose caller did not wait, and whose request has begun to arrive.
    pub left_in_flight: u64,
    /// Those of which nothing has come.
    pub left_unsent: u64,
    /// Not sent, and yet a byte of it has come.
    pub denied: Vec<String>,
    /// Answered, and yet no reply was handed over whole.
    pub invented: Vec<String>,
    /// Handed over whole once more before it was answered, although it is not to be repeated.
    pub doubled: Vec<String>,
}

impl Deliveries {
    /// Knows of no operation.
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes what the caller of an operation was told; `once` is for what must not be repeated.
    pub fn told(&self, tag: impl Into<Vec<u8>>, told: Told, once: bool) {
        lock(&self.told).push((tag.into(), told, once));
    }

    /// Compares all operations that were told of with all that has passed, and forgets both.
    ///
    /// Nothing may be under way, or operations of which something passes later are misjudged.
    pub fn settle(&self, proxies: &[&Proxy]) {
        let records: Vec<_> = proxies
            .iter()
            .flat_map(|proxy| proxy.traffic().take_records())
            .collect();
        self.settle_with(&records);
    }

    /// Compares all operations that were told of with these records.
    fn settle_with(&self, records: &[Record]) {
        let mut by_tag: HashMap<&[u8], Vec<&Record>> = HashMap::new();
        for record in records {
            for word in record.words().into_iter().skip(1) {
                by_tag.entry(word).or_default().push(record);
            }
        }
        let mut report = lock(&self.report);
        // Operations that a request may belong to whose tag has not come whole.
        let mut takers = 0;
        let mut tags = HashSet::new();
        for (tag, told, once) in lock(&self.told).drain(..) {
            let seen = by_tag.get(&tag[..]).map_or(&[][..], Vec::as_slice);
            report.judge(&tag, told, once, seen);
            let unseen = seen.is_empty() && matches!(told, Told::Indeterminate | Told::Nothing);
            takers += usize::from(unseen || !once);
            tags.insert(tag);
        }
        let partial = records.iter().filter(|record| {
            let words = record.words();
            let tagged = words.iter().any(|word| tags.contains(*word));
            record.request.length.is_none() && !tagged && !is_of_the_client(&words)
        });
        let partial: Vec<_> = partial.collect();
        if partial.len() > takers {
            let what = format!("{} requests that came in part", partial.len() - takers);
            report.denied.push(describe(what.as_bytes(), &partial));
        }
    }

    /// What was found so far.
    pub fn report(&self) -> DeliveryReport {
        lock(&self.report).clone()
    }
}

impl DeliveryReport {
    /// Whether all was right.
    pub fn is_clean(&self) -> bool {
        self.denied.is_empty() && self.invented.is_empty() && self.doubled.is_empty()
    }

    fn judge(&mut self, tag: &[u8], told: Told, once: bool, seen: &[&Record]) {
        let received: u64 = seen.iter().map(|record| record.request.received).sum();
        match told {
            Told::NotSent => {
                self.not_sent += 1;
                if received > 0 {
                    self.denied.push(describe(tag, seen));
                }
            }
            Told::Indeterminate => {
                self.indeterminate += 1;
                self.indeterminate_unseen += u64::from(received == 0);
            }
            Told::Answered => {
                if !seen.iter().any(|record| record.reply.is_whole()) {
                    self.invented.push(describe(tag, seen));
                }
            }
            Told::Nothing if received > 0 => self.left_in_flight += 1,
            Told::Nothing => self.left_unsent += 1,
        }
        // What a server has answered may have been refused, and then be sent again; whether it was
        // executed twice, the log of appends tells.
        let mut whole: Vec<_> = seen.iter().filter(|one| one.request.is_whole()).collect();
        whole.sort_by_key(|record| record.arrived);
        let mut pairs = whole.iter().zip(whole.iter().skip(1));
        if once
            && pairs.any(|(one, next)| one.answered.is_none_or(|answered| answered > next.arrived))
        {
            self.doubled.push(describe(tag, seen));
        }
    }
}

impl fmt::Display for DeliveryReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "deliveries: {} not sent, {} indeterminate ({} of them not seen)",
            self.not_sent, self.indeterminate, self.indeterminate_unseen
        )?;
        for (what, which) in [
            ("denied", &self.denied),
            ("answered without a reply", &self.invented),
            ("sent twice", &self.doubled),
        ] {
            if !which.is_empty() {
                write!(f, "\n  {what}: {}", which.len())?;
            }
            for text in which.iter().take(super::SHOWN) {
                write!(f, "\n    {text}")?;
            }
        }
        Ok(())
    }
}

/// Whether it is, or may become, a command that clients send by themselves.
fn is_of_the_client(words: &[&[u8]]) -> bool {
    words.first().is_some_and(|name| {
        let own = OWN.iter();
        own.map(|own| own.as_bytes())
            .any(|own| own.starts_with(name))
    })
}

fn describe(tag: &[u8], seen: &[&Record]) -> String {
    let mut text = tag.escape_ascii().to_string();
    for record in seen {
        let (request, reply) = (record.request, record.reply);
        text += &format!(
            ", {} on connection {}: {} of {:?} bytes delivered, {} of {:?} of the reply",
            record.name(),
            record.connection,
            request.delivered,
            request.length,
            reply.delivered,
            reply.length
        );
    }
    text
}

/// What belongs to a connection and not to a caller.
const OWN: [&str; 8] = [
    "ASKING", "AUTH", "CLIENT", "CLUSTER", "HELLO", "PING", "READONLY", "SELECT",
];

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
