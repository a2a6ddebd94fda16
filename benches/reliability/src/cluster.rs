//! The rows on a cluster of three primaries with a replica each.

use std::{
    thread,
    time::{Duration, Instant},
};

use respec_testkit::{Cluster, Variant, key_in_slot};

use crate::{
    cells::Cell,
    clients::{Contestant, Target},
    rows::{Rounds, Row},
    run::{LIMIT, Load, PATIENCE, Run, until},
};

pub(crate) fn run(row: Row, who: Contestant, variant: Variant, mut rounds: Rounds) -> Cell {
    // With the long time no stall of a busy machine makes servers elect another primary.
    let (node_timeout, slots) = match row {
        Row::F13 => (1, SHARDS.to_vec()),
        _ => (15, moving()),
    };
    let cluster = Cluster::builder(variant)
        // One shard's trouble is not that of the others.
        .require_full_coverage(false)
        .node_timeout(Duration::from_secs(node_timeout))
        .start()
        .unwrap();
    let places = slots.iter().map(|slot| format!("{}:", key_in_slot(*slot)));
    let run = Run::new(who, LIMIT, places.collect());
    run.enter();
    run.fill(&cluster);
    let client = run.connect(&Target {
        addr: cluster.primaries().unwrap()[0].addr(),
        cluster: true,
        limit: LIMIT,
        connect: LIMIT,
        silence: LIMIT,
        connections: WORKERS as usize,
    });
    let load = Load::start(run, &client, 0..WORKERS);
    let disturbed = match row {
        Row::F13 => kills(run, &cluster, rounds.at_most(3)),
        _ => moves(run, &cluster, rounds.at_most(50)),
    };
    load.finish();
    Cell {
        disturbed,
        ..run.finish(&[], &cluster)
    }
}

/// Primaries are killed, each is replaced by its replica, and comes back as one; whether another one
/// was replaced that the row has not killed.
fn kills(run: &Run, cluster: &Cluster, mut rounds: Rounds) -> bool {
    let owners = || SHARDS.map(|slot| cluster.primary_of(slot).unwrap().id().to_owned());
    let mut expected = owners();
    while let Some(round) = rounds.next() {
        let place = round as usize % SHARDS.len();
        let primary = cluster.primary_of(SHARDS[place]).unwrap();
        let prober = cluster.prober(SHARDS[place]);
        prober.first_after(Instant::now(), PATIENCE).unwrap();
        let before = run.succeeded();
        until(PATIENCE, || run.succeeded() > before + 100);
        let outage = cluster.kill(&primary).unwrap();
        run.fault(1);
        run.outage(&outage);
        let accepted = prober.first_after(outage.down, 3 * PATIENCE).unwrap();
        run.served_after(accepted.received, place, PATIENCE);
        cluster.restart(&primary).unwrap();
        let now = owners();
        expected[place].clone_from(&now[place]);
        if now != expected {
            return true;
        }
    }
    owners() != expected
}

/// Slots move one by one, with their keys.
fn moves(run: &Run, cluster: &Cluster, mut rounds: Rounds) -> bool {
    let slots = moving();
    while let Some(round) = rounds.next() {
        let slot = slots[round as usize % slots.len()];
        let primaries = cluster.primaries().unwrap();
        let owner = cluster.primary_of(slot).unwrap();
        let at = primaries.iter().position(|it| it.id() == owner.id());
        let target = &primaries[(at.unwrap() + 1) % primaries.len()];
        let step = cluster.slot_move(slot, target).unwrap();
        step.open().unwrap();
        loop {
            match step.move_keys(3) {
                Ok(0) => break,
                Ok(_) => thread::sleep(Duration::from_millis(5)),
                // Such as a key that the target has as well.
                Err(error) => {
                    run.note(error.to_string());
                    return false;
                }
            }
        }
        step.assign().unwrap();
        run.fault(1);
    }
    false
}

/// Some slots in each shard.
fn moving() -> Vec<u16> {
    let slots = (100..104).flat_map(|offset| SHARDS.map(|first| first + offset));
    slots.collect()
}

/// The first slot of each shard.
const SHARDS: [u16; 3] = [0, 5462, 10_923];
const WORKERS: u32 = 8;
