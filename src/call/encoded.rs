//! An exchange in bytes, for everything that takes more than its direct way: several nodes, a
//! pipeline, a second try.

use std::{borrow::Cow, ops::Range, time::Instant};

use bytes::{Bytes, BytesMut};

use super::{
    answers::Answers,
    attempt::Attempt,
    direct::{DirectCall, TRANSACTION},
    node_batch::PinnedRequest,
    outcomes::DEDICATED,
    plan::Plan,
    request::Request,
    settings::CallSettings,
    split::words,
};
use crate::{
    cluster::{ClusterState, NodeId, Target},
    command::{Awaited, Exchange, Info, Join, Patience, Replies},
    error::{Error, ErrorKind, Result},
    resp::{Output, Writer},
};

/// An exchange in bytes, one piece for each command.
#[derive(Debug)]
pub(crate) struct Encoded {
    pub(super) bytes: Bytes,
    pub(super) commands: Vec<Piece>,
    /// Where the keys of all commands lie, from the beginning of each.
    keys: Vec<Range<usize>>,
    /// Whether the error of a piece has to say which one it is.
    is_batch: bool,
}

#[derive(Debug)]
pub(super) struct Piece {
    pub(super) info: &'static Info,
    range: Range<usize>,
    keys: Range<usize>,
    /// How many frames answer it.
    pub(super) frames: usize,
    /// What is known about the keys of a transaction.
    direct: Option<DirectCall>,
}

impl Piece {
    /// What the caller of the whole wants of this command, of which a second run may be harmless
    /// because of its options.
    fn options<'o>(&self, bytes: &[u8], all: &'o CallSettings) -> Cow<'o, CallSettings> {
        let is_safe = self.info.safe_with.is_some_and(|safe_with| {
            let words = words(bytes).unwrap_or_default();
            safe_with.is_given(words.into_iter().filter_map(|word| bytes.get(word)))
        });
        if !is_safe {
            return Cow::Borrowed(all);
        }
        Cow::Owned(CallSettings {
            idempotent: true,
            ..all.clone()
        })
    }

    /// Whether its answer is an error, or else the end of the connection.
    pub(super) fn ends(&self) -> bool {
        self.info.replies == Replies::End
    }
}

impl Encoded {
    /// Encodes all commands of an exchange.
    ///
    /// # Errors
    ///
    /// As [`DirectCall::of`].
    pub(crate) fn of<E: Exchange>(exchange: &E) -> Result<Self> {
        if exchange.is_atomic() {
            return Self::transaction(exchange, DirectCall::of(exchange)?);
        }
        let mut bytes = BytesMut::new();
        let mut keys = Vec::new();
        let mut commands = Vec::new();
        exchange.each_command(&mut |info, write| {
            let (start, first, at) = (bytes.len(), keys.len(), commands.len());
            Writer::command_with_keys(&mut bytes, &mut keys, write).map_err(|error| {
                error
                    .with_command(info.name)
                    .with_place_in(exchange.is_batch(), at)
            })?;
            for key in keys.iter_mut().skip(first) {
                *key = key.start - start..key.end - start;
            }
            commands.push(Piece {
                info,
                range: start..bytes.len(),
                keys: first..keys.len(),
                frames: 1,
                direct: None,
            });
            Ok(())
        })?;
        Ok(Self {
            bytes: bytes.freeze(),
            commands,
            keys,
            is_batch: exchange.is_batch(),
        })
    }

    /// The same for the only server, for which it does not matter where keys lie.
    ///
    /// # Errors
    ///
    /// An argument cannot be sent.
    pub(crate) fn for_only<E: Exchange>(exchange: &E) -> Result<Self> {
        match exchange.is_atomic() {
            true => Self::transaction(exchange, None),
            false => Self::of(exchange),
        }
    }

    fn transaction<E: Exchange>(exchange: &E, direct: Option<DirectCall>) -> Result<Self> {
        let mut output = Output::new();
        let written = exchange.write(0, &mut output)?;
        let bytes = output.to_bytes();
        let Awaited::Frames(frames) = written.awaited else {
            return Err(Error::new(
                ErrorKind::Refused,
                "expected so many frames as answers",
            ));
        };
        Ok(Self {
            commands: vec![Piece {
                info: &TRANSACTION,
                range: 0..bytes.len(),
                keys: 0..0,
                frames,
                direct,
            }],
            bytes,
            keys: Vec::new(),
            is_batch: false,
        })
    }

    /// The name of the command, or of the batch.
    pub(super) fn name(&self) -> &'static str {
        match &*self.commands {
            [one] if !self.is_batch => one.info.name,
            _ => "pipeline",
        }
    }

    /// Whether it must overtake what others wait for, as [`Exchange::is_urgent`] says.
    pub(super) fn is_urgent(&self) -> bool {
        !self.commands.is_empty() && self.commands.iter().all(|piece| piece.info.urgent)
    }

    /// Decides where each command goes.
    ///
    /// # Errors
    ///
    /// One of them cannot run in a cluster as it is, or no node is known; nothing was sent.
    pub(crate) fn plan(
        &self,
        state: &ClusterState,
        options: &CallSettings,
        now: Instant,
        mut random: impl FnMut() -> u64,
    ) -> Result<(Vec<Request>, Answers)> {
        let mut requests = Vec::with_capacity(self.commands.len());
        let mut answers = Answers::default();
        for (at, piece) in self.commands.iter().enumerate() {
            let bytes = self.bytes.slice(piece.range.clone());
            if let Some(DirectCall { info, target, .. }) = piece.direct {
                let call = state.attempt_at(info, target, options, now, random())?;
                requests.push(answers.request(piece, bytes, Vec::new(), call));
                answers.end(piece, None);
                continue;
            }
            let keys = self.keys.get(piece.keys.clone()).unwrap_or_default();
            let options = &*piece.options(&bytes, options);
            let plan = state.plan(piece.info, &bytes, keys, options, now, random());
            match plan.map_err(|error| error.with_place_in(self.is_batch, at))? {
                Plan::One(call) => {
                    requests.push(answers.request(piece, bytes, Vec::new(), call));
                    answers.end(piece, None);
                }
                Plan::Several(branches, join) => {
                    for branch in branches {
                        let bytes = branch.command.unwrap_or_else(|| bytes.clone());
                        let request = answers.request(piece, bytes, branch.items, branch.call);
                        requests.push(match join {
                            Join::Any(weight) => request.weighed(weight),
                            _ => request,
                        });
                    }
                    answers.end(piece, Some(join));
                }
            }
        }
        Ok((requests, answers))
    }

    /// The same for a node that somebody has chosen.
    pub(crate) fn chosen(&self, patience: Patience) -> PinnedRequest<'_> {
        PinnedRequest {
            encoded: self,
            patience,
        }
    }

    /// Nothing at all, for the node of a slot or for any.
    pub(super) fn nothing(slot: Option<u16>) -> Self {
        let target = slot.map_or(Target::AnyNode, Target::Slot);
        Self {
            bytes: Bytes::new(),
            commands: vec![Piece {
                info: &DEDICATED,
                range: 0..0,
                keys: 0..0,
                frames: 0,
                direct: Some(DirectCall::to(&DEDICATED, target)),
            }],
            keys: Vec::new(),
            is_batch: false,
        }
    }

    /// The requests of an exchange that was sent to a node in one piece before.
    pub(super) fn sent(
        &self,
        direct: DirectCall,
        node: NodeId,
        options: &CallSettings,
        state: &ClusterState,
    ) -> (Vec<Request>, Answers) {
        let mut answers = Answers::default();
        let mut requests = Vec::with_capacity(self.commands.len());
        for piece in &self.commands {
            let bytes = self.bytes.slice(piece.range.clone());
            let target = direct.target_at(node);
            let options = &*piece.options(&bytes, options);
            let read_from = state.read_from_of(piece.info, options);
            let attempt = Attempt::new(piece.info, target, read_from, options, node, state);
            requests.push(answers.request(piece, bytes, Vec::new(), attempt));
            answers.end(piece, None);
        }
        (requests, answers)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        call::{Next, NodeBatch, redirect::deciding_error},
        cluster::{
            Event, NodeAddress, Options,
            announced::{self, Node, Shard, Version},
        },
        command::{self, Atomic, Batch, EachError, Pipelined, Raw, Single, Written, raw},
        error::Outcome,
        reply::Value,
        resp::Frame,
    };

    /// A state of a cluster whose slots are halved between `a:1` and `b:1`.
    fn state(now: Instant) -> ClusterState {
        let seeds = vec![NodeAddress::new("a", 1)];
        let mut state = ClusterState::new(seeds, Options::default(), now);
        let Some(Event::Ask(ask, ..)) = state.poll_event(now, 0) else {
            panic!("expected a question");
        };
        let shards: Vec<_> = [("a", (0, 8191)), ("b", (8192, 16_383))]
            .into_iter()
            .map(|(host, range)| Shard {
                slots: vec![range],
                nodes: vec![Node::primary(host, 1)],
            })
            .collect();
        let frame = announced::shards(&shards, Version::Three);
        state.topology(ask, frame.reply(), now, 0);
        state
    }

    fn words(text: &'static str) -> Raw<'static> {
        let mut words = text.split(' ');
        raw(words.next().unwrap()).args(words)
    }

    fn several(texts: &[&'static str]) -> Vec<Raw<'static>> {
        texts.iter().map(|text| words(text)).collect()
    }

    fn atomic(texts: &[&'static str]) -> Atomic<Vec<Raw<'static>>, EachError> {
        Atomic::new(several(texts).into_sequence())
    }

    fn pipelined(texts: &[&'static str]) -> Pipelined<Vec<Raw<'static>>, EachError> {
        Pipelined::new(several(texts).into_sequence())
    }

    fn frame(text: &'static str) -> Frame {
        Frame::parse(Bytes::from_static(text.as_bytes())).unwrap()
    }

    /// The slots of `foo` and `bar`, of which the first is served by `b` and the other by `a`.
    const FOO: u16 = 12_182;
    const BAR: u16 = 5061;

    #[test]
    fn keys_in_one_slot_are_enough() {
        let slot = |text| {
            let direct = DirectCall::of(&Single(words(text))).unwrap();
            direct.map(|direct| direct.target)
        };
        assert_eq!(slot("GET foo"), Some(Target::Slot(FOO)));
        assert_eq!(slot("MSET {foo}1 x {foo}2 y"), Some(Target::Slot(FOO)));
        assert_eq!(slot("PUBLISH foo m"), Some(Target::Slot(FOO)));
        assert_eq!(slot("EVAL x 0"), Some(Target::SameNode));
        assert_eq!(slot("TIME"), Some(Target::SameNode));
        assert_eq!(slot("ECHO x"), Some(Target::AnyNode));
        assert_eq!(slot("MGET foo bar"), None);
        assert_eq!(slot("DBSIZE"), None);
        assert_eq!(slot("SCAN 0"), None);
        let direct = DirectCall::of(&pipelined(&["GET foo", "GET foo"])).unwrap();
        assert!(direct.is_none());
    }

    #[test]
    fn what_cannot_be_sent_is_found_while_looking_at_the_keys() {
        let error = DirectCall::of(&Single(words("GET foo").arg(f64::NAN))).err();
        assert!(error.is_none(), "it is the server that refuses this");
        let error = DirectCall::of(&Single(raw("FUTURE CMD"))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Argument);
    }

    #[test]
    fn a_transaction_is_a_matter_of_one_slot() {
        let direct = DirectCall::of(&atomic(&["SET {foo}1 x", "INCR foo"])).unwrap();
        assert_eq!(direct.unwrap().target, Target::Slot(FOO));
        let direct = DirectCall::of(&atomic(&["PUBLISH foo m"])).unwrap();
        assert_eq!(direct.unwrap().target, Target::Slot(FOO));
        let direct = DirectCall::of(&atomic(&["INCR bar", "PUBLISH foo m"])).unwrap();
        assert_eq!(direct.unwrap().target, Target::Slot(BAR));
        for (texts, message) in [
            (
                &["INCR foo", "INCR secret"][..],
                "INCR (command 2 of the batch): refused: in a cluster all keys of a transaction",
            ),
            (
                &["MGET foo secret"],
                "MGET (command 1 of the batch): refused: in a cluster all keys of a transaction",
            ),
            (
                &["INCR foo", "DBSIZE"],
                "DBSIZE (command 2 of the batch): refused: in a cluster it is no matter of one slot",
            ),
        ] {
            let error = DirectCall::of(&atomic(texts)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Refused);
            assert!(!error.may_have_executed());
            let text = error.to_string();
            assert!(text.starts_with(message), "{text}");
            assert!(!text.contains("secret"), "{text}");
        }
    }

    #[test]
    fn d25_an_option_that_makes_a_second_run_harmless_lets_a_lost_command_be_sent_again() {
        let now = Instant::now();
        for (text, is_harmless) in [
            ("XADD foo IDMP p i * f v", true),
            ("xadd foo nomkstream keepref idmpauto p * f v", true),
            ("XADD foo * f v", false),
            ("XADD foo 1-1 f v", false),
            // Behind the id they are names of fields.
            ("XADD foo * IDMP x", false),
            ("XADD foo NOMKSTREAM 1-1 IDMPAUTO x", false),
            // The spec does not know how many words belong to this option.
            ("XADD foo NEWER IDMP p i * f v", false),
        ] {
            for texts in [&[text][..], &["GET foo", text]] {
                let mut state = state(now);
                let encoded = Encoded::of(&pipelined(texts)).unwrap();
                let options = CallSettings::until(Some(now + Duration::from_secs(1)));
                let (mut requests, _) = encoded.plan(&state, &options, now, || 0).unwrap();
                let lost = Error::new(ErrorKind::Connection, "reset");
                let lost = lost.with_outcome(Outcome::Indeterminate);
                let call = &mut requests.last_mut().unwrap().call;
                let next = call.lost(&mut state, lost, now, 0);
                let gives_up = matches!(next, Next::GiveUp(_));
                assert_eq!(gives_up, !is_harmless, "{text}: {next:?}");
            }
        }
    }

    #[test]
    fn every_command_of_a_pipeline_has_its_node_and_its_answer() {
        let now = Instant::now();
        let state = state(now);
        let batch = pipelined(&["GET foo", "MGET bar foo {bar}1", "GET bar"]);
        let encoded = Encoded::of(&batch).unwrap();
        let options = CallSettings::until(None);
        let (requests, mut answers) = encoded.plan(&state, &options, now, || 0).unwrap();
        let at = |request: &Request| state.node(request.call.node()).unwrap().address.clone();
        let shown: Vec<_> = requests
            .iter()
            .map(|request| {
                let text = String::from_utf8_lossy(&request.bytes);
                let words: Vec<_> = text.split("\r\n").skip(2).step_by(2).collect();
                format!("{}: {}", at(request), words.join(" "))
            })
            .collect();
        assert_eq!(
            shown,
            [
                "b:1: GET foo",
                "a:1: MGET bar {bar}1",
                "b:1: MGET foo",
                "a:1: GET bar"
            ]
        );
        let replies = ["+one\r\n", "*2\r\n+two\r\n+four\r\n", "*1\r\n+three\r\n"];
        for (request, reply) in requests.iter().zip(replies) {
            answers.put(request, Some(at(request)), Ok(vec![frame(reply)]));
        }
        let lost = Error::new(ErrorKind::Connection, "reset");
        answers.put(&requests[3], None, Err(lost));
        let results = batch.finish_each(answers.finish(0)).unwrap();
        let text = |text: &'static str| Value::SimpleString(Bytes::from_static(text.as_bytes()));
        assert_eq!(*results[0].as_ref().unwrap(), text("one"));
        let joined = Value::Array(["two", "three", "four"].map(text).to_vec());
        assert_eq!(*results[1].as_ref().unwrap(), joined);
        let error = results[2].as_ref().unwrap_err();
        assert_eq!(
            (error.kind(), error.command()),
            (ErrorKind::Connection, Some("GET"))
        );
    }

    #[test]
    fn a_parcel_has_asking_in_front_of_what_needs_it() {
        let now = Instant::now();
        let mut state = state(now);
        let encoded = Encoded::of(&pipelined(&["GET foo", "GET {foo}1"])).unwrap();
        let planned = encoded.plan(&state, &CallSettings::until(None), now, || 0);
        let (mut requests, _) = planned.unwrap();
        let mut frames = vec![frame("-ASK 12182 a:1\r\n")];
        let next = requests[1].received(&mut state, &mut frames, now, 0);
        assert!(matches!(next, Next::Send));
        let batch = NodeBatch {
            requests: &requests,
            patience: Patience::None,
        };
        let mut output = Output::new();
        let written = batch.write(0, &mut output).unwrap();
        assert_eq!(written, Written::all(Awaited::Frames(3)));
        let text = output.to_bytes();
        assert!(text.starts_with(b"*2\r\n$3\r\nGET\r\n$3\r\nfoo\r\n*1\r\n$6\r\nASKING\r\n"));

        let mut frames = vec![frame("+OK\r\n"), frame("$-1\r\n")];
        let next = requests[1].received(&mut state, &mut frames, now, 0);
        assert!(matches!(next, Next::Answer));
        assert_eq!(frames.len(), 1);
        // A node that refuses `ASKING` may own the slot by then, and its answer is one.
        let mut frames = vec![frame("-MASTERDOWN x\r\n"), frame("$-1\r\n")];
        let next = requests[1].received(&mut state, &mut frames, now, 0);
        assert!(matches!(next, Next::Answer));
        let mut frames = vec![frame("-NOPERM x\r\n"), frame("-MOVED 12182 b:1\r\n")];
        let next = requests[1].received(&mut state, &mut frames, now, 0);
        assert!(matches!(next, Next::GiveUp(error) if error.code() == Some("NOPERM")));
    }

    #[test]
    fn a_parcel_goes_out_in_chunks_and_copies_nothing_large() {
        let now = Instant::now();
        let state = state(now);
        let large = vec![b'x'; 3 * command::CHUNK];
        let commands: Vec<_> = (0..3)
            .map(|_| raw("SET").arg("foo").arg(&large[..]))
            .collect();
        let encoded = Encoded::of(&Pipelined::<_, EachError>::new(commands)).unwrap();
        let planned = encoded.plan(&state, &CallSettings::until(None), now, || 0);
        let (requests, _) = planned.unwrap();
        let batch = NodeBatch {
            requests: &requests,
            patience: Patience::None,
        };
        let mut output = Output::new();
        for next in [Some(1), Some(2), None] {
            let first = next.map_or(2, |next| next - 1);
            let written = batch.write(first, &mut output).unwrap();
            assert_eq!(written.next, next);
            assert_eq!(written.awaited, Awaited::Frames(1));
        }
        assert!(output.len() > 3 * large.len());
        assert_eq!(output.capacity(), 0);
    }

    #[test]
    fn a_transaction_is_one_request() {
        let now = Instant::now();
        let state = state(now);
        let batch = atomic(&["INCR bar", "INCR {bar}1"]);
        let encoded = Encoded::of(&batch).unwrap();
        let planned = encoded.plan(&state, &CallSettings::until(None), now, || 0);
        let (requests, mut answers) = planned.unwrap();
        assert_eq!(requests.len(), 1);
        assert_eq!(state.primary_of(BAR), Some(requests[0].call.node()));
        let frames = [
            "+OK\r\n",
            "+QUEUED\r\n",
            "+QUEUED\r\n",
            "*2\r\n:1\r\n:2\r\n",
        ]
        .map(frame);
        assert_eq!(requests[0].awaited(), frames.len());
        assert!(deciding_error(frames.iter().map(Frame::reply)).is_none());
        answers.put(&requests[0], None, Ok(frames.to_vec()));
        let results = batch.finish_each(answers.finish(0)).unwrap();
        assert_eq!(*results[1].as_ref().unwrap(), Value::Integer(2));
    }
}
