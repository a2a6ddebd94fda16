//! What is sent to nodes for one exchange, and how their answers become its answer.
//!
//! ```text
//!   exchange ──▶ Direct::of ──▶ the node of a slot, or any: sent as it is
//!       │
//!       └──▶ Encoded::of ──▶ plan ──▶ Requests, each for one node ──▶ Answers ──▶ finish_each
//! ```
//!
//! The first way is that of an ordinary command. The second is for everything else: several nodes,
//! a pipeline, a second try.

use std::{mem, ops::Range, time::Instant};

use bytes::{Bytes, BytesMut};

use super::{
    fan_out::{self, Answer},
    node::{NodeAddress, NodeId},
    redirect::{self, deciding_error},
    route::Wish,
    router::{Call, Next, Plan, Router},
    slot::key_slot,
};
use crate::{
    command::{self, Awaited, Exchange, Info, Join, Patience, Routing, ServerVersion, Written},
    commands::info,
    error::{Error, ErrorKind, Result},
    resp::{Frame, Frames, Output, Writer},
};

/// Where an exchange goes in one piece, as far as its keys alone can tell.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Direct {
    /// The facts of the command.
    pub(crate) info: &'static Info,
    /// The slot of all its keys; any primary will do where it has none.
    pub(crate) slot: Option<u16>,
}

impl Direct {
    /// Looks at the keys of an exchange; `None` says that it takes more, which is a [`Plan`].
    ///
    /// # Errors
    ///
    /// An argument cannot be sent, or a transaction cannot run in a cluster as it is.
    pub(crate) fn of<E: Exchange>(exchange: &E) -> Result<Option<Self>> {
        let atomic = exchange.is_atomic();
        let mut slot = Common::None;
        let mut single = None;
        let mut commands = 0;
        exchange.each_command(&mut |info, write| {
            commands += 1;
            if commands > 1 && !atomic {
                return Ok(());
            }
            single = Some(info);
            if !matches!(
                info.routing,
                Routing::Keys | Routing::Parts { .. } | Routing::AnyNode
            ) {
                slot = Common::Several;
                return if atomic {
                    Err(not_atomic(info))
                } else {
                    Ok(())
                };
            }
            Writer::view_keys(&mut |key| slot.add(key_slot(key)), write)
                .map_err(|error| error.with_command(info.name))?;
            match slot {
                Common::Several if atomic => Err(apart(info)),
                _ => Ok(()),
            }
        })?;
        let info = match single {
            Some(_) if atomic => &TRANSACTION,
            Some(info) if commands == 1 => info,
            _ => return Ok(None),
        };
        let slot = match slot {
            Common::None => None,
            Common::One(slot) => Some(slot),
            Common::Several => return Ok(None),
        };
        Ok(Some(Self { info, slot }))
    }

    /// Whether frames are the answer, and no error about the place where it was sent.
    pub(crate) fn is_answer(frames: &Frames) -> bool {
        deciding_error(frames).is_none_or(redirect::is_answer)
    }

    /// Decides about what came from the node that it was sent to, and was no answer.
    ///
    /// Returns the call to go on with, and until when it waits before that.
    ///
    /// # Errors
    ///
    /// The call has failed.
    pub(crate) fn judge(
        &self,
        came: &Result<Frames>,
        router: &mut Router,
        wish: &Wish,
        node: NodeId,
        now: Instant,
        random: u64,
    ) -> Result<(Call, Option<Instant>)> {
        let mut call = router.call_sent(self.info, self.slot, wish, node);
        let refusal = came.as_ref().ok().and_then(deciding_error);
        let refusal = refusal.unwrap_or_default();
        let next = match came {
            Ok(_) => router.refused(&mut call, refusal, now, random),
            Err(error) => router.lost(&mut call, error.clone(), now, random),
        };
        match next {
            Next::Send => Ok((call, None)),
            Next::Wait(until) => Ok((call, Some(until))),
            Next::GiveUp(error) => Err(error),
            Next::Answer => Err(Error::server(refusal)),
        }
    }
}

/// The slot that keys have in common.
#[derive(Clone, Copy, Debug)]
enum Common {
    None,
    One(u16),
    Several,
}

impl Common {
    fn add(&mut self, slot: u16) {
        *self = match *self {
            Self::None => Self::One(slot),
            Self::One(known) if known == slot => return,
            Self::One(_) | Self::Several => Self::Several,
        };
    }
}

/// An exchange in bytes, one piece for each command.
pub(crate) struct Encoded {
    bytes: Bytes,
    commands: Vec<Piece>,
    /// Where the keys of all commands lie, from the beginning of each.
    keys: Vec<Range<usize>>,
}

struct Piece {
    info: &'static Info,
    range: Range<usize>,
    keys: Range<usize>,
    /// How many frames answer it.
    frames: usize,
    /// What is known about the keys of a transaction.
    direct: Option<Direct>,
}

impl Encoded {
    /// Encodes all commands of an exchange.
    ///
    /// # Errors
    ///
    /// As [`Direct::of`].
    pub(crate) fn of<E: Exchange>(exchange: &E) -> Result<Self> {
        if exchange.is_atomic() {
            return Self::atomic(exchange);
        }
        let mut bytes = BytesMut::new();
        let mut keys = Vec::new();
        let mut commands = Vec::new();
        exchange.each_command(&mut |info, write| {
            let (start, first) = (bytes.len(), keys.len());
            Writer::command_with_keys(&mut bytes, &mut keys, write)
                .map_err(|error| error.with_command(info.name))?;
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
        })
    }

    fn atomic<E: Exchange>(exchange: &E) -> Result<Self> {
        let direct = Direct::of(exchange)?;
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
        })
    }

    /// Decides where each command goes.
    ///
    /// # Errors
    ///
    /// One of them cannot run in a cluster as it is, or no node is known; nothing was sent.
    pub(crate) fn plan(
        &self,
        router: &Router,
        wish: &Wish,
        now: Instant,
        mut random: impl FnMut() -> u64,
    ) -> Result<(Vec<Request>, Answers)> {
        let mut requests = Vec::with_capacity(self.commands.len());
        let mut answers = Answers::default();
        for piece in &self.commands {
            let bytes = self.bytes.slice(piece.range.clone());
            if let Some(Direct { info, slot }) = piece.direct {
                let call = router.call_to(info, slot, wish, now, random())?;
                requests.push(answers.request(piece, bytes, Vec::new(), call));
                answers.end(piece, None);
                continue;
            }
            let keys = self.keys.get(piece.keys.clone()).unwrap_or_default();
            match router.plan(piece.info, &bytes, keys, wish, now, random())? {
                Plan::One(call) => {
                    requests.push(answers.request(piece, bytes, Vec::new(), call));
                    answers.end(piece, None);
                }
                Plan::Several(branches, join) => {
                    for branch in branches {
                        let bytes = branch.command.unwrap_or_else(|| bytes.clone());
                        requests.push(answers.request(piece, bytes, branch.items, branch.call));
                    }
                    answers.end(piece, Some(join));
                }
            }
        }
        Ok((requests, answers))
    }

    /// The same for a node that somebody has chosen.
    pub(crate) fn chosen(&self, patience: Patience) -> Chosen<'_> {
        Chosen {
            encoded: self,
            patience,
        }
    }

    /// The request of an exchange that was sent in one piece before.
    pub(crate) fn sent(self, call: Call) -> (Option<Request>, Answers) {
        let mut answers = Answers::default();
        let mut commands = self.commands.iter();
        let (Some(piece), None) = (commands.next(), commands.next()) else {
            return (None, answers);
        };
        let bytes = self.bytes.slice(piece.range.clone());
        let request = answers.request(piece, bytes, Vec::new(), call);
        answers.end(piece, None);
        (Some(request), answers)
    }
}

/// An encoded exchange for a node that somebody has chosen, wherever its keys lie.
#[derive(Clone, Copy)]
pub(crate) struct Chosen<'e> {
    encoded: &'e Encoded,
    /// How long the server may hold the answer back.
    patience: Patience,
}

impl Exchange for Chosen<'_> {
    type Output = ();

    fn name(&self) -> &'static str {
        match &*self.encoded.commands {
            [one] => one.info.name,
            _ => "pipeline",
        }
    }

    fn check(&self, _: command::Place) -> Result<()> {
        Ok(())
    }

    /// A config that checks versions is none of a cluster.
    fn check_server(&self, _: &ServerVersion) -> Result<()> {
        Ok(())
    }

    fn patience(&self) -> Patience {
        self.patience
    }

    fn leaves_no_trace(&self) -> bool {
        true
    }

    fn write(&self, _: usize, out: &mut Output) -> Result<Written> {
        out.encoded(&self.encoded.bytes);
        let frames = self.encoded.commands.iter().map(|it| it.frames).sum();
        Ok(Written::all(Awaited::Frames(frames)))
    }

    fn finish(&self, _: &Frames) -> Result<()> {
        Ok(())
    }

    fn each_command(&self, _: &mut command::View<'_>) -> Result<()> {
        Ok(())
    }
}

/// A request and what came of it.
pub(crate) type Done = (Request, Result<Vec<Frame>>);

/// What is sent to one node, and answered by it.
#[derive(Debug)]
pub(crate) struct Request {
    /// Where its answer belongs.
    place: usize,
    name: &'static str,
    pub(crate) bytes: Bytes,
    /// How many frames answer it, beside that of `ASKING`.
    pub(crate) frames: usize,
    pub(crate) call: Call,
}

impl Request {
    /// Decides about the frames that answered; of them only the answer of the command is left.
    pub(crate) fn received(
        &mut self,
        router: &mut Router,
        frames: &mut Vec<Frame>,
        now: Instant,
        random: u64,
    ) -> Next {
        if self.call.is_asking() && !frames.is_empty() {
            let asking = frames.remove(0);
            if let Some(error) = asking.reply().as_error() {
                return Next::GiveUp(Router::asking_failed(&self.call, error));
            }
        }
        match deciding_error(frames.iter().map(Frame::reply)) {
            Some(error) => router.refused(&mut self.call, error, now, random),
            None => Next::Answer,
        }
    }

    /// How many frames answer it, with that of `ASKING`.
    pub(crate) fn awaited(&self) -> usize {
        self.frames + usize::from(self.call.is_asking())
    }
}

/// Requests for one node, as one exchange with it.
///
/// It waits for the frames of all requests, one behind the other; what to make of them is said by
/// [`Request::received`].
pub(crate) struct Parcel<'r> {
    pub(crate) requests: &'r [Request],
    /// How long the server may hold the answer back, which only a single request may ask for.
    pub(crate) patience: Patience,
}

impl<'r> Parcel<'r> {
    /// Requests none of which the server holds back.
    pub(crate) fn of(requests: &'r [Request]) -> Self {
        Self {
            requests,
            patience: Patience::None,
        }
    }
}

impl Exchange for Parcel<'_> {
    type Output = ();

    fn name(&self) -> &'static str {
        match self.requests {
            [request] => request.name,
            _ => "pipeline",
        }
    }

    fn check(&self, _: command::Place) -> Result<()> {
        Ok(())
    }

    /// A config that checks versions is none of a cluster.
    fn check_server(&self, _: &ServerVersion) -> Result<()> {
        Ok(())
    }

    fn patience(&self) -> Patience {
        self.patience
    }

    fn leaves_no_trace(&self) -> bool {
        true
    }

    fn write(&self, first: usize, out: &mut Output) -> Result<Written> {
        let room = out.len().saturating_add(command::CHUNK);
        let (mut next, mut frames) = (first, 0);
        for request in self.requests.iter().skip(first) {
            if next > first && out.len() >= room {
                break;
            }
            if request.call.is_asking() {
                out.command(|to| info::ASKING.write_name(to))?;
            }
            out.encoded(&request.bytes);
            frames += request.awaited();
            next += 1;
        }
        Ok(Written {
            awaited: Awaited::Frames(frames),
            next: Some(next).filter(|next| *next < self.requests.len()),
        })
    }

    fn finish(&self, _: &Frames) -> Result<()> {
        Ok(())
    }

    fn each_command(&self, _: &mut command::View<'_>) -> Result<()> {
        Ok(())
    }
}

/// The answers of nodes, which become one for each command.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    commands: Vec<Command>,
    places: Vec<Place>,
}

#[derive(Debug)]
struct Command {
    name: &'static str,
    places: Range<usize>,
    join: Option<Join>,
}

#[derive(Debug)]
struct Place {
    items: Vec<usize>,
    from: Option<NodeAddress>,
    frames: Result<Vec<Frame>>,
}

impl Answers {
    /// Keeps the answer to a request, which came from that node if it is known.
    pub(crate) fn put(
        &mut self,
        request: &Request,
        from: Option<NodeAddress>,
        frames: Result<Vec<Frame>>,
    ) {
        if let Some(place) = self.places.get_mut(request.place) {
            place.from = from;
            place.frames = frames;
        }
    }

    /// One answer for each frame that the exchange waits for.
    pub(crate) fn finish(mut self, random: u64) -> Vec<Result<Frame>> {
        let mut finished = Vec::with_capacity(self.commands.len());
        for command in &self.commands {
            let places = self.places.get_mut(command.places.clone());
            let places = places.unwrap_or_default().iter_mut();
            match command.join {
                None => {
                    for place in places {
                        match mem::replace(&mut place.frames, Err(unanswered())) {
                            Ok(frames) => finished.extend(frames.into_iter().map(Ok)),
                            Err(error) => finished.push(Err(error)),
                        }
                    }
                }
                Some(join) => {
                    let answers: Vec<_> = places.map(Place::answer).collect();
                    let joined = fan_out::join(join, &answers, random);
                    finished.push(joined.map_err(|error| error.with_command(command.name)));
                }
            }
        }
        finished
    }

    fn request(&mut self, piece: &Piece, bytes: Bytes, items: Vec<usize>, call: Call) -> Request {
        let place = self.places.len();
        self.places.push(Place {
            items,
            from: None,
            frames: Err(unanswered()),
        });
        Request {
            place,
            name: piece.info.name,
            bytes,
            frames: piece.frames,
            call,
        }
    }

    /// The requests since the last end are those of this command.
    fn end(&mut self, piece: &Piece, join: Option<Join>) {
        let first = self.commands.last().map_or(0, |last| last.places.end);
        self.commands.push(Command {
            name: piece.info.name,
            places: first..self.places.len(),
            join,
        });
    }
}

impl Place {
    fn answer(&mut self) -> Answer {
        let frames = mem::replace(&mut self.frames, Err(unanswered()));
        Answer {
            from: self.from.take().unwrap_or_else(|| NodeAddress::new("", 0)),
            items: mem::take(&mut self.items),
            reply: frames.and_then(|frames| frames.into_iter().next().ok_or_else(unanswered)),
        }
    }
}

fn unanswered() -> Error {
    Error::new(ErrorKind::Connection, "a part of the command has no answer")
}

fn apart(info: &Info) -> Error {
    Error::new(
        ErrorKind::Refused,
        "in a cluster all keys of a transaction must lie in one slot, as they do with the same {hash tag}",
    )
    .with_command(info.name)
}

fn not_atomic(info: &Info) -> Error {
    Error::new(
        ErrorKind::Refused,
        "in a cluster it is no matter of one slot, and so cannot be part of a transaction",
    )
    .with_command(info.name)
}

/// What is known of transactions as such: nothing that would be a promise.
static TRANSACTION: Info = Info {
    name: "transaction",
    ..*Info::UNKNOWN
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cluster::{
            announced::{self, Node, Shard, Version},
            router::{Event, Options},
        },
        command::{Atomic, Batch, EachError, Pipelined, Raw, Single, raw},
        reply::Value,
    };

    /// A router of a cluster whose slots are halved between `a:1` and `b:1`.
    fn router(now: Instant) -> Router {
        let seeds = vec![NodeAddress::new("a", 1)];
        let mut router = Router::new(seeds, Options::default(), now);
        let Some(Event::Ask(ask, ..)) = router.poll_event(now, 0) else {
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
        router.topology(ask, frame.reply(), now, 0);
        router
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
            let direct = Direct::of(&Single(words(text))).unwrap();
            direct.map(|direct| direct.slot)
        };
        assert_eq!(slot("GET foo"), Some(Some(FOO)));
        assert_eq!(slot("MSET {foo}1 x {foo}2 y"), Some(Some(FOO)));
        assert_eq!(slot("PUBLISH c m"), Some(None));
        assert_eq!(slot("MGET foo bar"), None);
        assert_eq!(slot("DBSIZE"), None);
        assert_eq!(slot("SCAN 0"), None);
        let direct = Direct::of(&pipelined(&["GET foo", "GET foo"])).unwrap();
        assert!(direct.is_none());
    }

    #[test]
    fn what_cannot_be_sent_is_found_while_looking_at_the_keys() {
        let error = Direct::of(&Single(words("GET foo").arg(f64::NAN))).err();
        assert!(error.is_none(), "it is the server that refuses this");
        let error = Direct::of(&Single(raw("FUTURE CMD"))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Argument);
    }

    #[test]
    fn a_transaction_is_a_matter_of_one_slot() {
        let direct = Direct::of(&atomic(&["SET {foo}1 x", "INCR foo"])).unwrap();
        assert_eq!(direct.unwrap().slot, Some(FOO));
        let direct = Direct::of(&atomic(&["PUBLISH c m"])).unwrap();
        assert_eq!(direct.unwrap().slot, None);
        for (texts, message) in [
            (
                &["INCR foo", "INCR secret"][..],
                "INCR: refused: in a cluster all keys of a transaction",
            ),
            (
                &["MGET foo secret"],
                "MGET: refused: in a cluster all keys of a transaction",
            ),
            (
                &["INCR foo", "DBSIZE"],
                "DBSIZE: refused: in a cluster it is no matter of one slot",
            ),
        ] {
            let error = Direct::of(&atomic(texts)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Refused);
            assert!(!error.may_have_executed());
            let text = error.to_string();
            assert!(text.starts_with(message), "{text}");
            assert!(!text.contains("secret"), "{text}");
        }
    }

    #[test]
    fn every_command_of_a_pipeline_has_its_node_and_its_answer() {
        let now = Instant::now();
        let router = router(now);
        let batch = pipelined(&["GET foo", "MGET bar foo {bar}1", "GET bar"]);
        let encoded = Encoded::of(&batch).unwrap();
        let wish = Wish::until(None);
        let (requests, mut answers) = encoded.plan(&router, &wish, now, || 0).unwrap();
        let at = |request: &Request| router.node(request.call.node()).unwrap().address.clone();
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
        let mut router = router(now);
        let encoded = Encoded::of(&pipelined(&["GET foo", "GET {foo}1"])).unwrap();
        let planned = encoded.plan(&router, &Wish::until(None), now, || 0);
        let (mut requests, _) = planned.unwrap();
        let mut frames = vec![frame("-ASK 12182 a:1\r\n")];
        let next = requests[1].received(&mut router, &mut frames, now, 0);
        assert!(matches!(next, Next::Send));
        let parcel = Parcel {
            requests: &requests,
            patience: Patience::None,
        };
        let mut output = Output::new();
        let written = parcel.write(0, &mut output).unwrap();
        assert_eq!(written, Written::all(Awaited::Frames(3)));
        let text = output.to_bytes();
        assert!(text.starts_with(b"*2\r\n$3\r\nGET\r\n$3\r\nfoo\r\n*1\r\n$6\r\nASKING\r\n"));

        let mut frames = vec![frame("+OK\r\n"), frame("$-1\r\n")];
        let next = requests[1].received(&mut router, &mut frames, now, 0);
        assert!(matches!(next, Next::Answer));
        assert_eq!(frames.len(), 1);
        let mut frames = vec![frame("-ERR no cluster\r\n"), frame("$-1\r\n")];
        let next = requests[1].received(&mut router, &mut frames, now, 0);
        assert!(matches!(next, Next::GiveUp(error) if error.code() == Some("ERR")));
    }

    #[test]
    fn a_parcel_goes_out_in_chunks_and_copies_nothing_large() {
        let now = Instant::now();
        let router = router(now);
        let large = vec![b'x'; 3 * command::CHUNK];
        let commands: Vec<_> = (0..3)
            .map(|_| raw("SET").arg("foo").arg(&large[..]))
            .collect();
        let encoded = Encoded::of(&Pipelined::<_, EachError>::new(commands)).unwrap();
        let planned = encoded.plan(&router, &Wish::until(None), now, || 0);
        let (requests, _) = planned.unwrap();
        let parcel = Parcel {
            requests: &requests,
            patience: Patience::None,
        };
        let mut output = Output::new();
        for next in [Some(1), Some(2), None] {
            let first = next.map_or(2, |next| next - 1);
            let written = parcel.write(first, &mut output).unwrap();
            assert_eq!(written.next, next);
            assert_eq!(written.awaited, Awaited::Frames(1));
        }
        assert!(output.len() > 3 * large.len());
        assert_eq!(output.capacity(), 0);
    }

    #[test]
    fn a_transaction_is_one_request() {
        let now = Instant::now();
        let router = router(now);
        let batch = atomic(&["INCR bar", "INCR {bar}1"]);
        let encoded = Encoded::of(&batch).unwrap();
        let planned = encoded.plan(&router, &Wish::until(None), now, || 0);
        let (requests, mut answers) = planned.unwrap();
        assert_eq!(requests.len(), 1);
        assert_eq!(router.primary_of(BAR), Some(requests[0].call.node()));
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
