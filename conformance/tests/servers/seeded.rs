//! Errors that are put in on purpose, each of which the run must find.

use bytes::Bytes;
use respec::{
    command::{Command, Detached, Flags, Info, KeySpec, Replies},
    reply::{Decode, DecodeError},
    resp::{Reply, Writer},
};
use respec_conformance::{Catalogue, Data, Deviations};
use respec_testkit::Variant;

use crate::{
    paper,
    report::{Check, Report},
    run::Run,
    servers::Ground,
};

/// A command as somebody could have got it wrong.
struct Seeded<T> {
    info: &'static Info,
    write: fn(&mut Writer<'_>),
    reply: std::marker::PhantomData<fn() -> T>,
}

impl<T> Seeded<T> {
    fn new(info: &'static Info, write: fn(&mut Writer<'_>)) -> Self {
        Self {
            info,
            write,
            reply: std::marker::PhantomData,
        }
    }
}

impl<T: Decode> Command for Seeded<T> {
    type Via = Detached;
    type Reply = T;

    fn via(&self) -> Detached {
        Detached
    }

    fn info(&self) -> &'static Info {
        self.info
    }

    fn write(&self, to: &mut Writer<'_>) {
        (self.write)(to);
    }

    fn read(&self, reply: Reply<'_>) -> Result<T, DecodeError> {
        T::decode(reply)
    }
}

/// The facts of a command, with some that somebody got wrong.
fn info(name: &str, wrong: impl FnOnce(&mut Info)) -> &'static Info {
    let right = Info::of(name).expect("a command of the spec");
    let mut info = Info { ..*right };
    wrong(&mut info);
    Box::leak(Box::new(info))
}

fn right(name: &str) -> &'static Info {
    info(name, |_| {})
}

fn get(to: &mut Writer<'_>) {
    to.word(b"GET");
    to.key(b"string:1");
}

/// What is found about one command without a server.
fn found_on_paper<C>(command: C) -> Vec<Check>
where
    C: Command + Send + Sync + 'static,
    C::Reply: std::fmt::Debug,
{
    let catalogue = Catalogue::of("seeded", command);
    checks(&paper::run(&catalogue, &Deviations::of_servers()))
}

/// What is found about one command of which these are all samples.
fn found_of_builders<C>(command: C) -> Vec<Check>
where
    C: Command + Send + Sync + 'static,
    C::Reply: std::fmt::Debug,
{
    let catalogue = Catalogue::of("seeded", command);
    checks(&paper::published(&catalogue, &Deviations::of_servers()))
}

/// What the run finds about one command.
fn found<C>(command: C) -> Vec<Check>
where
    C: Command + Send + Sync + 'static,
    C::Reply: std::fmt::Debug,
{
    let catalogue = Catalogue::of("seeded", command);
    let (data, deviations) = (Data::load(), Deviations::of_servers());
    let mut run = Run::start(Ground::Data(Variant::Redis70), &data, &deviations);
    run.samples(&catalogue);
    checks(&run.report)
}

fn checks(report: &Report) -> Vec<Check> {
    let mut checks: Vec<_> = report
        .failures
        .iter()
        .map(|(_, finding)| finding.check)
        .collect();
    checks.sort_unstable();
    checks.dedup();
    checks
}

#[test]
fn what_is_right_is_not_found() {
    assert_eq!(found(Seeded::<Option<Bytes>>::new(right("GET"), get)), []);
}

#[test]
fn a_key_at_the_wrong_place_is_found() {
    let set = Seeded::<()>::new(right("SET"), |to| {
        to.word(b"SET");
        to.word(b"string:1");
        to.key(b"value");
    });
    assert_eq!(found(set), [Check::Keys]);
}

#[test]
fn a_wrong_flag_is_found() {
    let get =
        Seeded::<Option<Bytes>>::new(info("GET", |get| get.flags = get.flags | Flags::WRITE), get);
    assert_eq!(found(get), [Check::Flags]);
}

#[test]
fn a_wrong_key_spec_is_found() {
    static SECOND: &[KeySpec] = &[KeySpec::at(2).range(0, 1, 0)];
    let get = Seeded::<Option<Bytes>>::new(info("GET", |get| get.keys = SECOND), get);
    assert_eq!(found(get), [Check::KeySpecs]);
}

/// The first element of a list, of which the others are dropped.
#[derive(Debug)]
struct First(#[expect(dead_code, reason = "it is shown")] Bytes);

impl Decode for First {
    fn decode(reply: Reply<'_>) -> Result<Self, DecodeError> {
        let first = reply.elements().and_then(|mut elements| elements.next());
        let first = first.ok_or_else(|| DecodeError::expected("an array", reply))?;
        Bytes::decode(first).map(Self)
    }
}

#[test]
fn what_a_reply_type_drops_is_found() {
    let get = Seeded::<First>::new(right("MGET"), |to| {
        to.word(b"MGET");
        to.key(b"string:1");
        to.key(b"string:1");
    });
    assert!(found(get).contains(&Check::Whole));
}

#[test]
fn a_wrong_reply_type_is_found() {
    assert_eq!(
        found(Seeded::<Vec<Bytes>>::new(right("GET"), get)),
        [Check::Replies]
    );
}

#[test]
fn a_missing_null_is_found() {
    assert_eq!(
        found(Seeded::<Bytes>::new(right("GET"), get)),
        [Check::Replies]
    );
}

#[test]
fn a_token_at_the_wrong_place_is_found() {
    let set = Seeded::<()>::new(right("SET"), |to| {
        to.word(b"SET");
        to.key(b"string:1");
        to.word(b"EX");
        to.word(b"100");
        to.word(b"value");
    });
    assert_eq!(found(set), [Check::Accepted]);
}

#[test]
fn a_wrong_count_of_replies_is_found() {
    let get = Seeded::<Option<Bytes>>::new(info("GET", |get| get.replies = Replies::None), get);
    assert_eq!(found(get), [Check::Count]);
}

/// A command that no server at hand has.
fn lmovem(write: fn(&mut Writer<'_>)) -> Vec<Check> {
    found_on_paper(Seeded::<Vec<Bytes>>::new(right("LMOVEM"), write))
}

#[test]
fn what_is_right_is_not_found_without_a_server() {
    let found = lmovem(|to| {
        to.word(b"LMOVEM");
        to.key(b"list:1");
        to.key(b"list:2");
        to.word(b"LEFT");
        to.word(b"RIGHT");
        to.word(b"COUNT");
        to.word(b"2");
        to.word(b"OBO");
    });
    assert_eq!(found, []);
}

#[test]
fn a_token_at_the_wrong_place_is_found_without_a_server() {
    let found = lmovem(|to| {
        to.word(b"LMOVEM");
        to.key(b"list:1");
        to.key(b"list:2");
        to.word(b"COUNT");
        to.word(b"2");
        to.word(b"OBO");
        to.word(b"LEFT");
        to.word(b"RIGHT");
    });
    assert_eq!(found, [Check::Grammar]);
}

#[test]
fn a_key_that_is_written_as_a_word_is_found_without_a_server() {
    let found = lmovem(|to| {
        to.word(b"LMOVEM");
        to.key(b"list:1");
        to.word(b"list:2");
        to.word(b"LEFT");
        to.word(b"RIGHT");
    });
    assert_eq!(found, [Check::KeySpecs, Check::Grammar]);
}

#[test]
fn a_missing_count_is_found_without_a_server() {
    let start = Seeded::<()>::new(right("HOTKEYS START"), |to| {
        to.word(b"HOTKEYS");
        to.word(b"START");
        to.word(b"METRICS");
        to.word(b"CPU");
    });
    assert_eq!(found_on_paper(start), [Check::Grammar]);
}

#[test]
fn builders_that_can_say_all_are_not_found() {
    let keyslot = Seeded::<u64>::new(right("CLUSTER KEYSLOT"), |to| {
        to.word(b"CLUSTER");
        to.word(b"KEYSLOT");
        to.word(b"string:1");
    });
    assert_eq!(found_of_builders(keyslot), []);
}

#[test]
fn a_word_that_no_builder_has_is_found() {
    // `DD` deletes the documents, too.
    let drop = Seeded::<()>::new(right("FT.DROPINDEX"), |to| {
        to.word(b"FT.DROPINDEX");
        to.word(b"idx");
    });
    assert_eq!(found_of_builders(drop), [Check::Words, Check::Needed]);
}

#[test]
fn an_option_that_cannot_be_left_out_is_found() {
    let drop = Seeded::<()>::new(right("FT.DROPINDEX"), |to| {
        to.word(b"FT.DROPINDEX");
        to.word(b"idx");
        to.word(b"DD");
    });
    assert_eq!(found_of_builders(drop), [Check::Needed]);
}

#[test]
fn a_list_that_takes_one_element_is_found() {
    let get = Seeded::<Vec<Option<Bytes>>>::new(right("MGET"), |to| {
        to.word(b"MGET");
        to.key(b"string:1");
    });
    assert_eq!(found_of_builders(get), [Check::Needed]);
}

#[test]
fn a_text_that_falls_apart_is_found() {
    let set = Seeded::<()>::new(right("SET"), |to| {
        to.word(b"SET");
        to.key(b"string:1");
        to.word(b"a");
        to.word(b"+INJECTED");
    });
    let catalogue = Catalogue::of("seeded", set);
    let (data, deviations) = (Data::load(), Deviations::of_servers());
    let mut run = Run::start(Ground::Data(Variant::Redis70), &data, &deviations);
    for sample in catalogue.samples() {
        run.hostile(sample, &Bytes::from_static(b"a\r\n+INJECTED"), 2);
        run.hostile(sample, &Bytes::from_static(b"a"), 3);
    }
    assert_eq!(run.report.failures.len(), 2);
    assert_eq!(checks(&run.report), [Check::Hostile]);
}
