//! An error that is put in on purpose, which the run must find.

use respec::{
    command::{Command, Detached, Info},
    reply::DecodeError,
    resp::{Reply, Writer},
};
use respec_conformance::{Catalogue, Data, Deviations};
use respec_testkit::Variant;

use crate::{ground::Ground, keys};

/// `SET` as somebody could have got it wrong: it takes its value for its key.
struct Seeded;

impl Command for Seeded {
    type Via = Detached;
    type Reply = ();

    fn via(&self) -> Detached {
        Detached
    }

    fn info(&self) -> &'static Info {
        Info::of("SET").expect("a command of the spec")
    }

    fn write(&self, to: &mut Writer<'_>) {
        to.word(b"SET");
        to.word(b"string:1");
        to.key(b"value1");
    }

    fn read(&self, _: Reply<'_>) -> Result<(), DecodeError> {
        Ok(())
    }
}

#[test]
fn a_key_that_is_none_is_found() {
    let ground = Ground::start(Variant::Redis70);
    let catalogue = Catalogue::of("seeded", Seeded);
    let (data, known) = (Data::load(), Deviations::of_clusters());
    let lines = keys::run(&ground, &catalogue, &data, &known);
    let typed = lines.first().expect("the first way to send it");
    // Two of three times it meets the wrong node, and the client follows the redirect.
    let found = |text: &str| typed.failures.iter().any(|it| it.starts_with(text));
    assert_eq!(typed.redirects, [2, 0, 0]);
    assert!(found("2 times MOVED"), "{:?}", typed.failures);
    assert!(found("SET: ran"), "{:?}", typed.failures);
}
