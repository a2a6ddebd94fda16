//! Commands whose grammar had to be corrected by hand, as generated from it, on real servers.

use respec::cmd;
use respec::commands::bitmap::{BitfieldOperation, BitfieldOverflow};
use respec::commands::connection::ClientKillFilter;
use respec::commands::vector_set::{VaddVector, VsimQuery};
use respec_testkit::{Server, Variant, shared};

use crate::socket::{Connection, same, words};

#[test]
fn bitfield_runs_its_operations_in_order() {
    let [mut server, _] = Connection::both(shared(Variant::Redis82));
    let command = cmd::bitfield("irregular:bits").operation([
        BitfieldOperation::set("u8", "#0", 250),
        BitfieldOperation::incrby("u8", 0, 10),
        BitfieldOperation::overflow(BitfieldOverflow::Sat),
        BitfieldOperation::incrby("u8", "#0", 300),
        BitfieldOperation::overflow(BitfieldOverflow::Fail),
        BitfieldOperation::incrby("u8", "#0", 1),
        BitfieldOperation::get("u4", 4),
    ]);
    assert_eq!(
        words(&command).join(" "),
        "BITFIELD irregular:bits SET u8 #0 250 INCRBY u8 0 10 OVERFLOW SAT INCRBY u8 #0 300 \
         OVERFLOW FAIL INCRBY u8 #0 1 GET u4 4"
    );
    assert_eq!(
        server.send(&command),
        [Some(0), Some(4), Some(255), None, Some(15)]
    );
    let bits = same(
        &mut Connection::both(shared(Variant::Valkey91)),
        cmd::bitfield("irregular:bits").operation(BitfieldOperation::get("i5", 100)),
    );
    assert_eq!(bits, [Some(0)]);
}

#[test]
fn vectors_are_numbers_or_bytes() {
    let mut server = Connection::both(shared(Variant::Redis82));
    let bytes = |vector: [f32; 2]| {
        vector
            .into_iter()
            .flat_map(f32::to_le_bytes)
            .collect::<Vec<_>>()
    };
    let add = cmd::vadd("irregular:v", VaddVector::values([1.0, 0.5]), "a");
    assert!(server[0].send(add.q8().cas().ef(100).m(8).setattr(r#"{"n":1}"#)));
    let add = cmd::vadd("irregular:v", VaddVector::fp32(bytes([0.0, 1.0])), "b");
    assert!(server[1].send(add.m(8)));
    let again = cmd::vadd("irregular:v", [0.0, 1.0], "b");
    assert!(!server[1].send(again.m(8)));
    let reduced = cmd::vadd("irregular:r", VaddVector::values([1, 2, 3, 4]), "a").reduce(2);
    assert!(server[0].send(reduced.noquant()));

    for query in [
        VsimQuery::fp32(bytes([1.0, 0.5])),
        VsimQuery::values([1.0, 0.5]),
        VsimQuery::from([1.0, 0.5]),
    ] {
        let like = cmd::vsim("irregular:v", query)
            .count(5)
            .epsilon(0.9)
            .ef(50)
            .nothread()
            .truth();
        assert_eq!(same(&mut server, &like), ["a", "b"]);
        let filtered = same(
            &mut server,
            like.filter(".n == 1").filter_ef(10).withscores(),
        );
        assert_eq!(filtered.len(), 1);
        // The vector is kept in eight bits for each number.
        assert!((filtered[0].1 - 1.0).abs() < 1e-2, "{filtered:?}");
    }
}

#[test]
fn keys_migrate_to_another_server() {
    let target = Server::start(Variant::Redis82).unwrap();
    let [mut from, _] = Connection::both(shared(Variant::Redis82));
    let [mut to, _] = Connection::both(&target);
    from.raw(&["MSET", "irregular:m1", "one", "irregular:m2", "two"]);
    let migrate = |keys: &[&'static str]| {
        cmd::migrate("127.0.0.1", target.port(), 0, 5000, keys.to_vec()).copy()
    };
    let both = ["irregular:m1", "irregular:m2"];
    assert_eq!(from.send(migrate(&both)), "OK");
    assert_eq!(from.send(migrate(&both).replace()), "OK");
    assert!(from.error(migrate(&both)).contains("BUSYKEY"));
    assert_eq!(from.send(migrate(&["irregular:absent"])), "NOKEY");
    let frame = to.raw(&["GET", "irregular:m2"]);
    assert_eq!(frame.reply().bytes(), Some(&b"two"[..]));
}

#[test]
fn clients_are_killed_by_filters() {
    let server = Server::start(Variant::Redis82).unwrap();
    let [mut killer, mut victim] = Connection::both(&server);
    let id = victim.raw(&["CLIENT", "ID"]).reply().integer().unwrap();
    let none = [
        ClientKillFilter::id(id),
        ClientKillFilter::addr("127.0.0.1:1"),
    ];
    assert_eq!(killer.send(cmd::client_kill(none)), 0);
    assert_eq!(killer.send(cmd::client_kill(ClientKillFilter::id(id))), 1);
    assert_eq!(killer.send(cmd::client_kill(ClientKillFilter::id(id))), 0);
}
