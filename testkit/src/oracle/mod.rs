//! Telling whether a client did right, whatever happened to its servers.
//!
//! A load test has a client do many operations while servers die and slots move. It tells an oracle
//! what it did and what came of it, and the oracle says in the end what cannot have been right:
//!
//! | oracle | question |
//! |---|---|
//! | [`Tags`] | did each caller get the reply to its own command? |
//! | [`AppendLog`] | was what was acknowledged done once, and what was refused not at all? |
//! | [`Counters`] | the same, for commands whose effect depends on what was there before |
//! | [`Ledger`] | did every operation end, in whatever way, by its deadline? |
//! | [`Deliveries`] | is what callers were told of the sending true, to the byte? |
//!
//! None of them knows the client. The kit reads the servers with a plain connection of its own, and
//! [`Proxy`](crate::Proxy)s know what was handed to them.
//!
//! # What the servers lose
//!
//! A primary acknowledges a write before its replica has it. When it dies right then, the write is
//! lost and the client is not to blame. The logs tell the two apart if they are told of each
//! [`Outage`](crate::Outage), by a fact about replication: *a replica has what its primary did up
//! to some point, and nothing after it.* Since `RPUSH` answers with the length of the list, the
//! place of each acknowledged element in its primary's list is known, although that list is gone.
//! An element that is missing in the end was lost by the servers only if
//!
//! 1. it was sent before the end of an outage of its slot, and
//! 2. its place was after those of all elements that were acknowledged before that outage and have
//!    survived it: what came before one of these had been replicated as well.
//!
//! Every other acknowledged element that is missing was lost by the client, or never done. And in
//! the lost part itself no two elements may have been given the same place, later ones must have
//! later places, and no more places may be vacant than there are operations of unknown outcome. So a
//! client that reports replies that were not its own, or does what it says it has not, is found out
//! there as well. Only for what was under way in the moment of the outage it is not known which of
//! two primaries did it; the report counts apart what is missing of that.

mod append;
mod counters;
mod deliveries;
mod history;
mod ledger;
mod tags;

use std::collections::BTreeMap;
use std::fmt;

use crate::Result;
use crate::cluster::{Cluster, slot_of};
use crate::error::Error;
use crate::resp::Reply;
use crate::server::Server;

pub use append::{AppendLog, AppendReport};
pub use counters::{CounterReport, Counters};
pub use deliveries::{Deliveries, DeliveryReport, Told};
pub use history::Operation;
pub use ledger::{Deadline, Ledger, LedgerReport, Overdue};
pub use tags::{Damage, Tag, TagReport, Tags};

/// Something that cannot have been right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What kind of thing.
    pub kind: FindingKind,
    /// On which key.
    pub key: String,
    /// Which operation, if it was a single one, and what is known about it.
    pub detail: String,
}

/// The kinds of [`Finding`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum FindingKind {
    /// Acknowledged, and not there: no outage explains it.
    Lost,
    /// Done more than once.
    Duplicated,
    /// Said not to have been sent, and there.
    NotSentButPresent,
    /// Refused by the server, and there.
    RefusedButPresent,
    /// There, and nobody's.
    Stranger,
    /// Acknowledged with the reply to something else.
    WrongReply,
    /// Done after something that was sent later.
    Disordered,
    /// In the part that servers lost, more was done than anybody asked for.
    Unaccounted,
}

/// Where the oracles read what the servers have in the end.
pub trait Keyspace {
    /// Sends a command about this key to the server that has it.
    fn ask(&self, key: &[u8], parts: &[&[u8]]) -> Result<Reply>;
}

impl Keyspace for Server {
    fn ask(&self, _key: &[u8], parts: &[&[u8]]) -> Result<Reply> {
        let reply = self.command(parts)?;
        Reply::parse(&reply).map_err(|error| Error::io("a reply cannot be read", error))
    }
}

impl Keyspace for Cluster {
    fn ask(&self, key: &[u8], parts: &[&[u8]]) -> Result<Reply> {
        self.primary_of(slot_of(key))?.server().ask(key, parts)
    }
}

/// How many findings there are of each kind, and the first few.
fn print(findings: &[Finding], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut counts = BTreeMap::new();
    for finding in findings {
        *counts.entry(finding.kind).or_insert(0_usize) += 1;
    }
    for (kind, count) in counts {
        write!(f, "\n  {kind:?}: {count}")?;
        for finding in findings
            .iter()
            .filter(|finding| finding.kind == kind)
            .take(SHOWN)
        {
            write!(f, "\n    {}: {}", finding.key, finding.detail)?;
        }
    }
    Ok(())
}

const SHOWN: usize = 5;
