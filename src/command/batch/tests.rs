//! What pipelines and transactions send, and how their answers are read.

use std::time::Duration;

use bytes::Bytes;

use super::{
    Batch, CHUNK, Pipeline, Sequence, Transaction, form::FirstError, pipeline::Pipelined,
    transaction::Atomic,
};
use crate::{
    command::{
        Arg, Awaited, Command, ConnectionUse, Detached, Exchange, Flags, Info, Patience, Place,
        Replies, Written,
    },
    error::{Error, ErrorKind, Result},
    reply::DecodeError,
    resp::{Frame, Frames, Output, Reply, Writer},
};

/// A command of one word whose reply is its bytes.
struct Test(Info, Patience);

impl Command for &'static Test {
    type Via = Detached;
    type Reply = String;

    fn via(&self) -> Detached {
        Detached
    }

    fn info(&self) -> &'static Info {
        &self.0
    }

    fn write(&self, to: &mut Writer<'_>) {
        to.encoded(self.0.encoded, 1);
    }

    fn read(&self, reply: Reply<'_>) -> Result<String, DecodeError> {
        Ok(String::from_utf8_lossy(reply.raw()).replace("\r\n", " "))
    }

    fn patience(&self) -> Patience {
        self.1
    }
}

const fn info(name: &'static str, encoded: &'static [u8]) -> Info {
    Info {
        name,
        encoded,
        words: 1,
        ..*Info::UNKNOWN
    }
}

static GET: Test = Test(info("GET", b"$3\r\nGET\r\n"), Patience::None);
static INCR: Test = Test(info("INCR", b"$4\r\nINCR\r\n"), Patience::None);
static BLPOP: Test = Test(
    info("BLPOP", b"$5\r\nBLPOP\r\n"),
    Patience::Up(Duration::from_secs(2)),
);
static SELECT: Test = Test(
    Info {
        connection: Some(ConnectionUse::State),
        ..info("SELECT", b"$6\r\nSELECT\r\n")
    },
    Patience::None,
);
static SAVE: Test = Test(
    Info {
        flags: Flags::NO_MULTI,
        ..info("SAVE", b"$4\r\nSAVE\r\n")
    },
    Patience::None,
);
static AUTH: Test = Test(
    Info {
        flags: Flags::NO_AUTH,
        connection: Some(ConnectionUse::State),
        ..info("AUTH", b"$4\r\nAUTH\r\n")
    },
    Patience::None,
);
static SUBSCRIBE: Test = Test(
    Info {
        replies: Replies::PerArgument,
        connection: Some(ConnectionUse::Subscription),
        ..info("SUBSCRIBE", b"$9\r\nSUBSCRIBE\r\n")
    },
    Patience::None,
);

fn pipelined<M, S: Sequence>(batch: impl Batch<M, Sequence = S>) -> Pipelined<S, FirstError> {
    Pipeline::new(Detached, batch).pipelined
}

fn atomic<M, S: Sequence>(batch: impl Batch<M, Sequence = S>) -> Atomic<S, FirstError> {
    Transaction::new(Detached, batch).atomic
}

fn frames(texts: &[&'static str]) -> Frames {
    texts
        .iter()
        .map(|text| Frame::parse(Bytes::from_static(text.as_bytes())).unwrap())
        .collect()
}

fn text(out: &Output) -> String {
    let mut slices = [std::io::IoSlice::new(&[])];
    assert_eq!(out.slices(&mut slices), 1);
    String::from_utf8(slices[0].to_vec()).unwrap()
}

fn written(exchange: &impl Exchange) -> (String, Awaited) {
    let mut out = Output::new();
    let Written { awaited, next } = exchange.write(0, &mut out).unwrap();
    assert_eq!(next, None);
    (text(&out), awaited)
}

#[test]
fn a_pipeline_is_its_commands_one_behind_the_other() {
    let (bytes, awaited) = written(&pipelined((&INCR, &GET)));
    assert_eq!(bytes, "*1\r\n$4\r\nINCR\r\n*1\r\n$3\r\nGET\r\n");
    assert_eq!(awaited, Awaited::Frames(2));
    let (same, _) = written(&pipelined([&INCR, &GET]));
    assert_eq!(same, bytes);
}

#[test]
fn a_transaction_is_wrapped() {
    let (bytes, awaited) = written(&atomic([&GET].iter().copied()));
    assert_eq!(
        bytes,
        "*1\r\n$5\r\nMULTI\r\n*1\r\n$3\r\nGET\r\n*1\r\n$4\r\nEXEC\r\n"
    );
    assert_eq!(awaited, Awaited::Frames(3));
}

#[test]
fn an_argument_that_cannot_be_sent_names_its_command() {
    let bad = crate::command::raw("SET").arg(Arg::invalid("no such value"));
    let error = pipelined((&GET, bad)).write(0, &mut Output::new());
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Argument);
}

#[test]
fn a_long_pipeline_is_written_in_chunks() {
    let one = "*1\r\n$3\r\nGET\r\n".len();
    let each = CHUNK.div_ceil(one);
    let pipeline = pipelined(vec![&GET; 2 * each + 5]);
    let mut seen = Vec::new();
    let mut first = Some(0);
    while let Some(from) = first {
        let mut out = Output::new();
        let Written { awaited, next } = pipeline.write(from, &mut out).unwrap();
        seen.push((awaited, out.len()));
        first = next;
    }
    let whole = (Awaited::Frames(each), each * one);
    assert_eq!(seen, [whole, whole, (Awaited::Frames(5), 5 * one)]);
}

#[test]
fn a_command_that_cannot_be_sent_is_found_before_its_chunk() {
    let good = crate::command::raw("SET").arg(vec![b'x'; CHUNK]);
    let bad = crate::command::raw("SET").arg(Arg::invalid("no such value"));
    let mut out = Output::new();
    let error = pipelined((good, bad)).write(0, &mut out).unwrap_err();
    assert_eq!(
        (error.kind(), error.command()),
        (ErrorKind::Argument, Some("SET"))
    );
}

#[test]
fn replies_follow_the_batch() {
    let ok = frames(&[":1\r\n", "_\r\n"]);
    let tuple: (String, String) = pipelined((&INCR, &GET)).finish(&ok).unwrap();
    assert_eq!(tuple, (":1 ".into(), "_ ".into()));
    let list: Vec<String> = pipelined(vec![&INCR, &GET]).finish(&ok).unwrap();
    assert_eq!(list, [":1 ", "_ "]);
    let short = pipelined((&INCR, &GET))
        .finish(&frames(&["+1\r\n"]))
        .unwrap_err();
    assert_eq!(short.kind(), ErrorKind::Decode);
}

#[test]
fn errors_are_the_first_or_each_ones_own() {
    let mixed = frames(&[":1\r\n", "-WRONGTYPE x\r\n", "-ERR y\r\n"]);
    let first = pipelined((&INCR, &GET, &INCR)).finish(&mixed).unwrap_err();
    assert_eq!(
        (first.code(), first.command()),
        (Some("WRONGTYPE"), Some("GET"))
    );

    let pipeline = Pipeline::new(Detached, (&INCR, &GET, &INCR)).results();
    let (one, two, three) = pipeline.pipelined.finish(&mixed).unwrap();
    assert_eq!(one.unwrap(), ":1 ");
    assert_eq!(two.unwrap_err().code(), Some("WRONGTYPE"));
    assert_eq!(three.unwrap_err().command(), Some("INCR"));
    let pipeline = Pipeline::new(Detached, [&INCR, &GET, &INCR]).results();
    let list = pipeline.pipelined.finish(&mixed).unwrap();
    assert_eq!(list.iter().filter(|result| result.is_err()).count(), 2);
}

#[test]
fn k05_an_error_says_which_command_of_a_batch_it_is_about() {
    let mixed = frames(&[":1\r\n", "_\r\n", "-ERR y\r\n"]);
    let error = pipelined(vec![&INCR, &GET, &INCR])
        .finish(&mixed)
        .unwrap_err();
    assert_eq!(error.batch_index(), Some(2));
    assert_eq!(
        error.to_string(),
        "INCR (command 3 of the batch): the server answered: ERR y"
    );
    let error = pipelined((&INCR, &GET, &INCR)).finish(&mixed).unwrap_err();
    assert_eq!(error.batch_index(), Some(2));
    let lost = || Error::new(ErrorKind::Connection, "reset");
    let answered = Frame::parse(Bytes::from_static(b":1\r\n")).unwrap();
    let answers = vec![Ok(answered), Err(lost())];
    let error = pipelined(vec![&INCR, &GET])
        .finish_each(answers)
        .unwrap_err();
    assert_eq!(
        (error.batch_index(), error.command()),
        (Some(1), Some("GET"))
    );

    let queued = frames(&[
        "+OK\r\n",
        "+QUEUED\r\n",
        "-ERR arity\r\n",
        "-EXECABORT x\r\n",
    ]);
    let error = atomic((&INCR, &GET)).finish(&queued).unwrap_err();
    assert_eq!(error.batch_index(), Some(1));
    let failed = frames(&[
        "+OK\r\n",
        "+QUEUED\r\n",
        "+QUEUED\r\n",
        "*2\r\n:1\r\n-WRONGTYPE x\r\n",
    ]);
    let error = atomic((&INCR, &GET)).finish(&failed).unwrap_err();
    assert_eq!(error.batch_index(), Some(1));
    let refused = pipelined((&GET, &SELECT)).check(Place::Shared).unwrap_err();
    assert_eq!(refused.batch_index(), Some(1));
    let good = crate::command::raw("SET").arg(vec![b'x'; CHUNK]);
    let bad = crate::command::raw("SET").arg(Arg::invalid("no such value"));
    let error = pipelined((good, bad)).write(0, &mut Output::new());
    assert_eq!(error.unwrap_err().batch_index(), Some(1));
    // What fails all of them is about none.
    let short = pipelined((&INCR, &GET)).finish(&frames(&["+1\r\n"]));
    assert_eq!(short.unwrap_err().batch_index(), None);
}

#[test]
fn transactions_have_four_outcomes() {
    let batch = || atomic((&INCR, &GET));
    let done = frames(&["+OK\r\n", "+QUEUED\r\n", "+QUEUED\r\n", "*2\r\n:1\r\n_\r\n"]);
    assert_eq!(batch().finish(&done).unwrap(), (":1 ".into(), "_ ".into()));

    let aborted = frames(&["+OK\r\n", "+QUEUED\r\n", "+QUEUED\r\n", "*-1\r\n"]);
    let error = batch().finish(&aborted).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Aborted);

    let refused = frames(&[
        "+OK\r\n",
        "+QUEUED\r\n",
        "-ERR arity\r\n",
        "-EXECABORT x\r\n",
    ]);
    let error = batch().finish(&refused).unwrap_err();
    assert_eq!((error.code(), error.command()), (Some("ERR"), Some("GET")));

    let failed = frames(&[
        "+OK\r\n",
        "+QUEUED\r\n",
        "+QUEUED\r\n",
        "*2\r\n-WRONGTYPE x\r\n:2\r\n",
    ]);
    let error = batch().finish(&failed).unwrap_err();
    assert_eq!(
        (error.code(), error.command()),
        (Some("WRONGTYPE"), Some("INCR"))
    );
    let each = Transaction::new(Detached, (&INCR, &GET)).results();
    let (one, two) = each.atomic.finish(&failed).unwrap();
    assert!(one.is_err());
    assert_eq!(two.unwrap(), ":2 ");
}

#[test]
fn other_answers_to_a_transaction_are_errors() {
    let batch = || atomic((&INCR, &GET));
    for (answer, kind, command) in [
        (
            ["-NOPERM x\r\n", "+QUEUED\r\n", "+QUEUED\r\n", "-ERR y\r\n"],
            ErrorKind::Server,
            "MULTI",
        ),
        (
            ["+OK\r\n", "+QUEUED\r\n", "+QUEUED\r\n", "-ERR y\r\n"],
            ErrorKind::Server,
            "EXEC",
        ),
        (
            ["+OK\r\n", "+QUEUED\r\n", "+QUEUED\r\n", "*1\r\n:1\r\n"],
            ErrorKind::Decode,
            "EXEC",
        ),
        (
            ["+OK\r\n", "+QUEUED\r\n", "+QUEUED\r\n", "+OK\r\n"],
            ErrorKind::Decode,
            "EXEC",
        ),
    ] {
        let error = batch().finish(&frames(&answer)).unwrap_err();
        assert_eq!((error.kind(), error.command()), (kind, Some(command)));
    }
}

#[test]
fn a_push_inside_exec_is_no_element() {
    let exec = "*2\r\n>3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nm\r\n:1\r\n_\r\n";
    let done = frames(&["+OK\r\n", "+QUEUED\r\n", "+QUEUED\r\n", exec]);
    let replies = atomic((&INCR, &GET)).finish(&done).unwrap();
    assert_eq!(replies, (":1 ".into(), "_ ".into()));
}

#[test]
fn what_would_harm_is_refused() {
    let kind = |result: Result<()>| {
        result.map_err(|error| (error.kind(), error.command().map(str::to_owned)))
    };
    let refused = |name: &str| Err((ErrorKind::Refused, Some(name.to_owned())));

    assert_eq!(kind(pipelined((&GET, &INCR)).check(Place::Shared)), Ok(()));
    assert_eq!(
        kind(pipelined((&GET, &BLPOP)).check(Place::Shared)),
        refused("BLPOP")
    );
    assert_eq!(
        kind(pipelined((&GET, &BLPOP)).check(Place::Dedicated)),
        Ok(())
    );
    assert_eq!(
        kind(pipelined((&GET, &SELECT)).check(Place::Shared)),
        refused("SELECT")
    );
    assert_eq!(
        kind(pipelined((&GET, &SELECT)).check(Place::Dedicated)),
        Ok(())
    );
    assert_eq!(
        kind(pipelined((&GET, &SUBSCRIBE)).check(Place::Dedicated)),
        refused("SUBSCRIBE")
    );
    assert_eq!(
        kind(pipelined((&GET, &AUTH)).check(Place::Dedicated)),
        refused("AUTH")
    );
    for place in [Place::Shared, Place::Dedicated] {
        assert_eq!(kind(atomic((&GET, &INCR)).check(place)), Ok(()));
        assert_eq!(kind(atomic((&GET, &BLPOP)).check(place)), refused("BLPOP"));
        assert_eq!(
            kind(atomic((&GET, &SELECT)).check(place)),
            refused("SELECT")
        );
        assert_eq!(kind(atomic((&GET, &SAVE)).check(place)), refused("SAVE"));
        assert_eq!(
            kind(atomic((&GET, &SUBSCRIBE)).check(place)),
            refused("SUBSCRIBE")
        );
    }
}

#[test]
fn patience_adds_up_and_traces_are_seen() {
    assert_eq!(pipelined((&GET, &GET)).patience(), Patience::None);
    assert_eq!(
        pipelined((&BLPOP, &GET, &BLPOP)).patience(),
        Patience::Up(Duration::from_secs(4))
    );
    assert!(pipelined((&GET, &INCR)).leaves_no_trace());
    assert!(!pipelined((&GET, &SELECT)).leaves_no_trace());
    assert!(!pipelined([crate::command::raw("FUTURE.CMD")]).leaves_no_trace());
}

#[test]
fn an_empty_batch_is_an_empty_list() {
    let none: [&'static Test; 0] = [];
    assert!(pipelined(none).is_empty());
    assert_eq!(
        pipelined(none).finish(&Frames::new()).unwrap(),
        Vec::<String>::new()
    );
    assert!(atomic(none).is_empty());
    assert_eq!(
        atomic(none).finish(&Frames::new()).unwrap(),
        Vec::<String>::new()
    );
}
