//! Errors that are put in on purpose, each of which the run must find.

use bytes::Bytes;
use respec::{
    command::{Command, Detached, Flags, Info, Replies},
    reply::{Decode, DecodeError},
    resp::{Reply, Writer},
};
use respec_conformance::Catalogue;
use respec_testkit::Variant;

use crate::{data::Data, deviations::Deviations, report::Check, run};

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

/// The facts of a command of the string group, right or wrong.
const fn info(name: &'static str, flags: Flags, replies: Replies) -> Info {
    Info {
        name,
        words: 1,
        group: "string",
        flags,
        replies,
        ..*Info::UNKNOWN
    }
}

static GET: Info = info("GET", Flags::READONLY, Replies::One);
static SET: Info = info("SET", Flags::WRITE, Replies::One);
static WRITING_GET: Info = info("GET", Flags::WRITE, Replies::One);
static SILENT_GET: Info = info("GET", Flags::READONLY, Replies::None);

fn get(to: &mut Writer<'_>) {
    to.word(b"GET");
    to.key(b"string:1");
}

/// What the run finds about one command.
fn found<C>(command: C) -> Vec<Check>
where
    C: Command + Send + Sync + 'static,
    C::Reply: std::fmt::Debug,
{
    let mut catalogue = Catalogue::default();
    catalogue.add("seeded", &[], command);
    let report = run::run(
        Variant::Redis70,
        &catalogue,
        &Data::load(),
        &Deviations::load(),
    );
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
    assert_eq!(found(Seeded::<Option<Bytes>>::new(&GET, get)), []);
}

#[test]
fn a_key_at_the_wrong_place_is_found() {
    let set = Seeded::<()>::new(&SET, |to| {
        to.word(b"SET");
        to.word(b"string:1");
        to.key(b"value");
    });
    assert_eq!(found(set), [Check::Keys]);
}

#[test]
fn a_wrong_flag_is_found() {
    let get = Seeded::<Option<Bytes>>::new(&WRITING_GET, get);
    assert_eq!(found(get), [Check::Flags]);
}

#[test]
fn a_wrong_reply_type_is_found() {
    assert_eq!(
        found(Seeded::<Vec<Bytes>>::new(&GET, get)),
        [Check::Replies]
    );
}

#[test]
fn a_missing_null_is_found() {
    assert_eq!(found(Seeded::<Bytes>::new(&GET, get)), [Check::Replies]);
}

#[test]
fn a_token_at_the_wrong_place_is_found() {
    let set = Seeded::<()>::new(&SET, |to| {
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
    let get = Seeded::<Option<Bytes>>::new(&SILENT_GET, get);
    assert_eq!(found(get), [Check::Count]);
}
