//! Runs the samples on one server.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

use bytes::{Bytes, BytesMut};
use respec::{
    command::{Info, Replies},
    resp::{Frame, Kind},
};
use respec_conformance::{
    Catalogue, Connection, Data, Deviations, Facts, LONG, Line, NoFrame, Round, Sample, append,
    encode, list, value, with_hostile_texts,
};
use respec_spec::samples::glob;

use crate::{
    canonical::canonical,
    lengthened::dropped,
    report::{Asked, Check, Outcome, Report},
    servers::{Ground, Servers},
    whole::lost,
};

/// Runs samples on the servers of one ground.
pub(crate) struct Run<'r> {
    ground: Ground,
    servers: Servers,
    facts: Facts,
    data: &'r Data,
    deviations: &'r Deviations,
    /// The commands that are wanted, where it is not all of them.
    only: Option<String>,
    pub(crate) report: Report,
    /// Connections that samples share, by server and protocol.
    shared: BTreeMap<(bool, u8), Connection>,
}

/// What one protocol has for one sample.
struct Answer {
    frames: Vec<Frame>,
    closed: Option<NoFrame>,
}

impl<'r> Run<'r> {
    /// Starts the servers.
    pub(crate) fn start(ground: Ground, data: &'r Data, deviations: &'r Deviations) -> Self {
        let servers = Servers::start(ground);
        Self {
            report: Report::new(&ground.to_string(), servers.plain.version()),
            ground,
            facts: Facts::of(&servers.plain),
            servers,
            data,
            deviations,
            only: std::env::var("CONFORMANCE_ONLY").ok(),
            shared: BTreeMap::new(),
        }
    }

    /// Runs all samples of a catalogue.
    pub(crate) fn samples(&mut self, catalogue: &Catalogue) {
        let samples: Vec<_> = catalogue
            .samples()
            .iter()
            .filter(|sample| self.wants(sample.info))
            .collect();
        self.flags(&samples);
        for sample in samples {
            self.sample(sample);
        }
    }

    /// Runs the samples with hostile texts. In the short run each meets one version of the protocol.
    pub(crate) fn hostile_texts(&mut self) {
        let mut protocols = [2, 3].into_iter().cycle();
        with_hostile_texts(LONG, |sample, text| {
            if self.wants(sample.info) {
                for protocol in protocols.by_ref().take(if LONG { 2 } else { 1 }) {
                    self.hostile(sample, text, protocol);
                }
            }
        });
    }

    fn wants(&self, info: &Info) -> bool {
        let ours = match self.ground {
            Ground::Data(_) => info.group != "sentinel",
            // A Sentinel has few of the commands of data servers; which, it alone says.
            Ground::Sentinel(_) => info.group == "sentinel" || self.facts.has(info),
        };
        ours && self.only.as_ref().is_none_or(|name| glob(name, info.name))
    }

    fn flags(&mut self, samples: &[&Sample]) {
        let mut infos: Vec<_> = samples.iter().map(|sample| sample.info).collect();
        infos.sort_by_key(|info| info.name);
        infos.dedup_by_key(|info| info.name);
        for info in infos {
            if self.facts.has(info) {
                self.report.present.insert(info.name);
            }
            let Some(theirs) = self.facts.commands.get(info.name) else {
                continue;
            };
            let ours: BTreeSet<_> = info.flags.names().collect();
            let theirs: BTreeSet<_> = theirs.iter().map(String::as_str).collect();
            let missing = ours.difference(&theirs).map(|name| format!("not {name}"));
            let more = theirs.difference(&ours).map(|name| (*name).to_owned());
            let wrong: Vec<_> = missing.chain(more).collect();
            let found = (!wrong.is_empty()).then(|| wrong.join(", "));
            let asked = Asked {
                protocol: 0,
                check: Check::Flags,
                command: info.name,
                label: "",
                words: &[],
            };
            self.report.judge(self.deviations, asked, found);
        }
    }

    fn sample(&mut self, sample: &Sample) {
        if let Some(reason) = self.data.left_out(sample) {
            if self.facts.has(sample.info) {
                let reason = reason.to_owned();
                self.report.left_out.insert(sample.info.name, reason);
            }
            return;
        }
        let newer = self.facts.too_old_for(sample);
        if !self.facts.has(sample.info) {
            if !newer {
                let found = Some("the server has no such command".to_owned());
                self.judge_sample(0, Check::Accepted, sample, found);
            }
            return;
        }
        let mut any = false;
        for round in Round::ALL {
            let Some(before) = self.data.before(sample, round) else {
                continue;
            };
            let values = [2, 3].map(|protocol| {
                let answer = self.ask(sample, protocol, &before, round);
                self.answer(sample, protocol, round, newer, &answer)
            });
            any |= values.iter().any(Option::is_some);
            if let [Some(two), Some(three)] = values {
                let found =
                    (two != three).then(|| format!("{two} under RESP2, {three} under RESP3"));
                self.judge_sample(0, Check::Equal, sample, found);
                self.judge_sample(0, Check::Fields, sample, unknown_fields(&three));
            }
        }
        if any || !newer {
            self.keys(sample);
        }
    }

    /// Sends a sample with a hostile text, which is to arrive as it is: the server takes it or says
    /// what is wrong with it, as many frames answer as ever, and a key is found unchanged.
    pub(crate) fn hostile(&mut self, sample: &Sample, text: &Bytes, protocol: u8) {
        if self.data.left_out(sample).is_some()
            || !self.facts.has(sample.info)
            || self.facts.too_old_for(sample)
        {
            return;
        }
        let before = self.data.before(sample, Round::Filled).unwrap_or_default();
        let answer = self.ask(sample, protocol, &before, Round::Filled);
        let found = if sample.words.contains(text) {
            miscounted(sample, &answer)
                .or_else(|| self.misunderstood(sample, &answer))
                .or_else(|| unreadable(sample, &answer))
        } else {
            Some("the text is not one of the words".to_owned())
        };
        self.judge_sample(protocol, Check::Hostile, sample, found);
        if sample.keys.contains(text) && self.facts.describes(sample.info) {
            let theirs = self.keys_of(sample.info.group == "cluster", &sample.words);
            let found = differing(&theirs, &sample.keys);
            self.judge_sample(0, Check::Keys, sample, found);
        }
    }

    /// An error that does not say that a sample with a hostile text was understood.
    fn misunderstood(&mut self, sample: &Sample, answer: &Answer) -> Option<String> {
        let error = answer.frames.first()?.reply().as_error()?;
        let error = String::from_utf8_lossy(error).into_owned();
        if !self.data.understood_hostile(&error) {
            return Some(error);
        }
        self.report
            .errors
            .entry(error)
            .or_insert_with(|| sample.name());
        None
    }

    /// Sends a sample between two tagged pings.
    fn ask(&mut self, sample: &Sample, protocol: u8, before: &[&Line], round: Round) -> Answer {
        let cluster = sample.info.group == "cluster";
        let server = self.servers.of(cluster);
        let fresh = sample.info.connection.is_some()
            || matches!(
                sample.info.group,
                "connection" | "pubsub" | "transactions" | "server"
            );
        let mut connection = match self.shared.remove(&(cluster, protocol)) {
            Some(connection) if !fresh => connection,
            _ => Connection::open(server.addr(), protocol),
        };
        let beside = self.data.beside(sample, round);
        let other = (!beside.is_empty()).then(|| {
            let mut other = Connection::open(server.addr(), protocol);
            for line in beside {
                let reply = other.ask(&line.bytes());
                assert!(
                    !reply.is_error(),
                    "beside {}: {}",
                    sample.name(),
                    line.text()
                );
            }
            other
        });
        let mut out = BytesMut::new();
        encode(&mut out, &["FLUSHALL"]);
        append(&mut out, before);
        encode(&mut out, &["PING", BEFORE]);
        let inside = self.data.inside(sample);
        append(&mut out, &inside);
        self.servers.settle(sample.info.group, &mut connection);
        if cluster {
            out.extend_from_slice(&with_node(&sample.request, &mut connection));
        } else {
            out.extend_from_slice(&sample.request);
        }
        let after = self.data.after(sample);
        append(&mut out, &after);
        encode(&mut out, &["PING", AFTER]);
        connection.send(&out);
        let mut prepared = 0;
        loop {
            match connection.receive() {
                Ok(frame) if is_tag(&frame, BEFORE) => break,
                Ok(frame) => {
                    if let (Some(error), Some(line)) =
                        (frame.reply().as_error(), before.get(prepared.max(1) - 1))
                    {
                        let error = String::from_utf8_lossy(error);
                        // Some of what is no text is refused.
                        let is_refused = round == Round::Hostile;
                        assert!(
                            is_refused
                                || ["unknown", "syntax", "WRONGPASS", "Unknown"]
                                    .iter()
                                    .any(|part| error.contains(part)),
                            "preparing {} with {}: {error}",
                            sample.name(),
                            line.text()
                        );
                    }
                    prepared += 1;
                }
                Err(error) => panic!("preparing {}: {error:?}", sample.name()),
            }
        }
        let mut answer = Answer {
            frames: Vec::new(),
            closed: None,
        };
        loop {
            match connection.receive() {
                Ok(frame) if is_tag(&frame, AFTER) => break,
                Ok(frame) => answer.frames.push(frame),
                Err(reason) => {
                    answer.closed = Some(reason);
                    break;
                }
            }
        }
        // What it was for is over before another sample runs, and not when the server notices.
        if let Some(mut other) = other {
            other.ask(&["RESET"]);
        }
        let inside = inside.len().min(answer.frames.len());
        answer.frames.drain(..inside);
        if answer.closed.is_none() {
            let after = self.data.answers_after(sample);
            let owed = answer.frames.len().saturating_sub(after);
            answer.frames.truncate(owed);
        }
        if answer.closed.is_none() && !fresh {
            self.shared.insert((cluster, protocol), connection);
        }
        answer
    }

    /// Judges the answer to a sample and returns its value as text.
    fn answer(
        &mut self,
        sample: &Sample,
        protocol: u8,
        round: Round,
        newer: bool,
        answer: &Answer,
    ) -> Option<String> {
        let error = answer
            .frames
            .first()
            .and_then(|frame| frame.reply().as_error())
            .map(|error| String::from_utf8_lossy(error).into_owned());
        let counted = miscounted(sample, answer);
        self.judge_sample(protocol, Check::Count, sample, counted);
        let frame = answer.frames.first()?;
        if let Some(error) = error {
            if self.data.understood(&error, round) {
                self.report
                    .errors
                    .entry(error)
                    .or_insert_with(|| sample.text());
                self.judge_sample(protocol, Check::Accepted, sample, None);
            } else if newer {
                self.report
                    .count(protocol, Check::Accepted, sample.info.name, Outcome::Newer);
            } else {
                self.judge_sample(protocol, Check::Accepted, sample, Some(error));
            }
            return None;
        }
        self.judge_sample(protocol, Check::Accepted, sample, None);
        self.report.succeeded.insert(sample.info.name);
        match sample.read(frame.reply()) {
            Ok(text) => {
                self.judge_sample(protocol, Check::Replies, sample, None);
                let lost = lost(sample.info.name, frame.reply(), &text);
                self.judge_sample(protocol, Check::Whole, sample, lost);
                if round == Round::Filled {
                    let dropped = dropped(frame, |frame| sample.read(frame.reply()));
                    self.judge_sample(protocol, Check::Kept, sample, dropped);
                }
                Some(canonical(&text))
            }
            Err(error) => {
                let raw = String::from_utf8_lossy(frame.as_bytes());
                let found = Some(format!("{error}: {}", raw.escape_debug()));
                self.judge_sample(protocol, Check::Replies, sample, found);
                None
            }
        }
    }

    /// Compares our keys, and those that the key specs find, with those that the server finds.
    fn keys(&mut self, sample: &Sample) {
        if !self.facts.describes(sample.info) {
            return;
        }
        let theirs = self.keys_of(sample.info.group == "cluster", &sample.words);
        let found = differing(&theirs, &sample.keys);
        self.judge_sample(0, Check::Keys, sample, found);
        let found = differing(&theirs, &specified(sample.info, &sample.words));
        self.judge_sample(0, Check::KeySpecs, sample, found);
    }

    /// Compares the keys that the key specs find in words that are easily mistaken.
    pub(crate) fn mistakable(&mut self) {
        for line in &self.data.keys {
            let words: Vec<_> = line
                .words()
                .into_iter()
                .map(|word| Bytes::copy_from_slice(word.as_bytes()))
                .collect();
            let info = line.info();
            if self.wants(info) && self.facts.has(info) {
                let theirs = self.keys_of(false, &words);
                let found = differing(&theirs, &specified(info, &words));
                let asked = Asked {
                    protocol: 0,
                    check: Check::KeySpecs,
                    command: info.name,
                    label: "mistakable",
                    words: &words,
                };
                self.report.judge(self.deviations, asked, found);
            }
        }
    }

    /// The keys that the server finds, or the error that it answers instead.
    fn keys_of(&mut self, cluster: bool, words: &[Bytes]) -> Result<Vec<Bytes>, String> {
        let server = self.servers.of(cluster);
        let connection = self
            .shared
            .entry((cluster, 2))
            .or_insert_with(|| Connection::open(server.addr(), 2));
        let words: Vec<&[u8]> = [b"COMMAND".as_slice(), b"GETKEYS"]
            .into_iter()
            .chain(words.iter().map(|word| word.as_ref()))
            .collect();
        let reply = connection.ask(&words);
        match reply.reply().as_error().map(String::from_utf8_lossy) {
            Some(error) if error.contains("no key arguments") => Ok(Vec::new()),
            Some(error) => Err(error.into_owned()),
            None => Ok(list(&value(&reply))
                .iter()
                .filter_map(|key| key.as_bytes().cloned())
                .collect()),
        }
    }

    /// What runs before a sample in a round, if the server can run it.
    pub(crate) fn before<'s>(&self, sample: &'s Sample, round: Round) -> Option<Vec<&'s Line>>
    where
        'r: 's,
    {
        let runs = self.wants(sample.info)
            && self.facts.has(sample.info)
            && !self.facts.too_old_for(sample)
            && self.data.left_out(sample).is_none()
            && sample.info.group != "cluster";
        self.data.before(sample, round).filter(|_| runs)
    }

    /// Where the plain server is.
    pub(crate) fn address(&self) -> SocketAddr {
        self.servers.plain.addr()
    }

    pub(crate) fn judge_sample(
        &mut self,
        protocol: u8,
        check: Check,
        sample: &Sample,
        found: Option<String>,
    ) {
        self.report
            .judge_sample(self.deviations, protocol, check, sample, found);
    }
}

/// Why the answer to a sample is not of the declared type: it may echo what the sample has.
fn unreadable(sample: &Sample, answer: &Answer) -> Option<String> {
    let reply = answer.frames.first()?.reply();
    if reply.as_error().is_some() {
        return None;
    }
    sample.read(reply).err().map(|error| error.to_string())
}

/// What is wrong with the number of frames that answer a sample.
fn miscounted(sample: &Sample, answer: &Answer) -> Option<String> {
    let wanted = match sample.info.replies {
        Replies::One | Replies::Stream => 1,
        Replies::None | Replies::End => 0,
        Replies::PerArgument => (sample.words.len() - sample.info.words).max(1),
    };
    let got = answer.frames.len();
    let error = answer.frames.first().is_some_and(Frame::is_error);
    match answer.closed {
        Some(reason) => Some(format!("{got} frames, then {reason:?}")),
        None if got == wanted || got == 1 && error => None,
        None => {
            let frames: Vec<_> = answer
                .frames
                .iter()
                .map(|frame| String::from_utf8_lossy(frame.as_bytes()).into_owned())
                .collect();
            Some(format!("{got} frames instead of {wanted}: {frames:?}"))
        }
    }
}

/// The keys that the key specs find; a shard channel is none.
fn specified(info: &Info, words: &[Bytes]) -> Vec<Bytes> {
    info.keys_of(words)
        .filter(|key| !key.spec.not_key)
        .filter_map(|key| words.get(key.word).cloned())
        .collect()
}

/// How the keys that a server finds differ from others.
fn differing(theirs: &Result<Vec<Bytes>, String>, ours: &[Bytes]) -> Option<String> {
    match theirs {
        Err(error) => Some(error.clone()),
        Ok(theirs) if theirs == ours => None,
        Ok(theirs) if theirs.is_empty() => Some("no keys".to_owned()),
        Ok(theirs) => Some(format!("{theirs:?} instead of {ours:?}")),
    }
}

/// Whether a frame answers a tagged ping, inside a subscription or a transaction or not.
fn is_tag(frame: &Frame, tag: &str) -> bool {
    let reply = frame.reply();
    match reply.kind() {
        Kind::Array => {
            let mut elements = reply.elements().into_iter().flatten();
            elements.next().and_then(|first| first.bytes()) == Some(b"pong")
                && elements.next().and_then(|second| second.bytes()) == Some(tag.as_bytes())
        }
        _ => reply.bytes() == Some(tag.as_bytes()),
    }
}

/// A request in which the place holder of node ids, which is as long as one, is the server's own.
fn with_node(request: &[u8], connection: &mut Connection) -> Vec<u8> {
    let mut request = request.to_vec();
    let found = request
        .windows(NODE.len())
        .position(|part| part == NODE.as_bytes());
    if let Some(at) = found {
        let id = connection.ask(&["CLUSTER", "MYID"]);
        let id = id.reply().bytes().expect("the id of the node");
        request[at..at + NODE.len()].copy_from_slice(id);
    }
    request
}

/// The first field of each struct of a reply that is kept because it has no place of its own.
fn unknown_fields(text: &str) -> Option<String> {
    let found: BTreeSet<_> = text
        .split("rest:[(\"")
        .skip(1)
        .filter_map(|field| field.split('"').next())
        .collect();
    (!found.is_empty()).then(|| found.into_iter().collect::<Vec<_>>().join(", "))
}

const BEFORE: &str = "the-ping-before";
const AFTER: &str = "the-ping-after";

/// Stands for a node id in `values.json`.
const NODE: &str = "0123456789012345678901234567890123456789";

#[test]
fn fields_that_a_struct_does_not_have_are_found() {
    let text = |rest: &str| canonical(&format!("Some(Module {{ name: \"a\", rest: {rest} }})"));
    assert_eq!(unknown_fields(&text("[]")), None);
    assert_eq!(
        unknown_fields(&text("[(\"b\", Array([Integer(1)])), (\"a\", Integer(1))]")).as_deref(),
        Some("b")
    );
}
