//! Whether servers tell of writes to the keys of what may be kept.

use std::collections::BTreeSet;

use bytes::Bytes;
use respec::{
    command::Caching,
    resp::{Frame, Kind},
};
use respec_conformance::{Catalogue, Connection, Round, Sample};

use crate::{report::Check, run::Run};

impl Run<'_> {
    /// Runs all samples whose answers may be kept on a connection that tracks keys, and then writes
    /// to each key from another one.
    pub(crate) fn invalidations(&mut self, catalogue: &Catalogue) {
        for sample in catalogue.samples().iter().filter(|it| may_be_kept(it)) {
            for round in [Round::Filled, Round::Empty] {
                if let Some(found) = self.untold(sample, round) {
                    self.judge_sample(3, Check::Cached, sample, found);
                }
            }
        }
    }

    /// The keys of which no write was told, if there are any; nothing at all where the sample did not
    /// succeed.
    fn untold(&mut self, sample: &Sample, round: Round) -> Option<Option<String>> {
        let before = self.before(sample, round)?;
        let address = self.address();
        let mut writer = Connection::open(address, 3);
        let mut reader = Connection::open(address, 3);
        writer.ask(&["FLUSHALL"]);
        for line in before {
            writer.ask(&line.bytes());
        }
        let tracking = reader.ask(&["CLIENT", "TRACKING", "ON"]);
        if tracking.is_error() || reader.ask(&sample.words).is_error() {
            return None;
        }
        for key in &sample.keys {
            // A key that is there goes, and one that is not comes.
            if writer.ask(&[b"DEL".as_slice(), key]).reply().integer() == Some(0) {
                writer.ask(&[b"SET".as_slice(), key, b"1"]);
            }
        }
        reader.ask_late(&["PING", END]);
        let mut told = BTreeSet::new();
        loop {
            let frame = reader.receive().expect("the server answers");
            if frame.reply().bytes() == Some(END.as_bytes()) {
                break;
            }
            told.extend(invalidated(&frame));
        }
        let missing: Vec<_> = sample
            .keys
            .iter()
            .filter(|key| !told.contains(*key))
            .collect();
        Some((!missing.is_empty()).then(|| format!("nothing was told of {missing:?}")))
    }
}

/// Whether the facts say that the answer to a sample may be kept.
fn may_be_kept(sample: &Sample) -> bool {
    let is_word = |word: &&str| {
        sample
            .words
            .iter()
            .any(|other| other.eq_ignore_ascii_case(word.as_bytes()))
    };
    match sample.info.caching {
        Caching::Unless(words) => !sample.keys.is_empty() && !words.iter().any(is_word),
        Caching::Not(_) => false,
    }
}

/// The keys that a push says were written to.
fn invalidated(frame: &Frame) -> Vec<Bytes> {
    let reply = frame.reply();
    let mut parts = reply.elements().into_iter().flatten();
    let is_told = reply.kind() == Kind::Push
        && parts.next().and_then(|kind| kind.bytes()) == Some(b"invalidate");
    let keys = parts
        .next()
        .filter(|_| is_told)
        .and_then(|keys| keys.elements());
    keys.into_iter()
        .flatten()
        .filter_map(|key| key.take_bytes())
        .collect()
}

const END: &str = "the-end";
