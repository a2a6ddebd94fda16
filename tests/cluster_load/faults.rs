//! What goes wrong while a client is under load.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use respec_testkit::{Accepted, Cluster, Node, Outage, Prober, Variant};

use crate::{
    caller::Side,
    load::{Load, Plan, url},
    meter::Meter,
    report::{Fault, Others, Recovery, Row},
    witness::{Witnesses, Write},
};

/// How often each thing goes wrong.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counts {
    pub(crate) kills: usize,
    pub(crate) failovers: usize,
    pub(crate) silences: usize,
    pub(crate) moves: usize,
    pub(crate) cuts: usize,
    /// How many commands are done at least, in all runs together.
    pub(crate) operations: u64,
}

/// A cluster and a kind of client, for one run after the other.
struct Stage<'s, S> {
    side: &'s S,
    cluster: Cluster,
    runs: u32,
    takeovers: Takeovers,
}

/// All faults, one kind after the other.
pub(crate) fn run<S: Side>(side: &S, variant: Variant, counts: &Counts) -> Vec<Row> {
    let mut stage = Stage::new(side, variant, SHORT);
    let mut rows = vec![
        stage.kills(counts.kills),
        stage.failovers(counts.failovers),
        stage.silences(counts.silences),
        stage.cuts(counts.cuts),
    ];
    drop(stage);
    let done: u64 = rows.iter().map(|row| row.verdict.operations).sum();
    let mut stage = Stage::new(side, variant, LONG);
    rows.push(stage.moves(counts.moves, counts.operations.saturating_sub(done)));
    rows
}

impl<'s, S: Side> Stage<'s, S> {
    fn new(side: &'s S, variant: Variant, node_timeout: Duration) -> Self {
        let cluster = Cluster::builder(variant)
            // One shard's trouble is not that of the others.
            .require_full_coverage(false)
            .node_timeout(node_timeout)
            .start()
            .unwrap();
        Self {
            side,
            takeovers: Takeovers::new(&cluster),
            cluster,
            runs: 0,
        }
    }

    /// F13: primaries are killed, each is replaced by its replica, and comes back as one.
    fn kills(&mut self, count: usize) -> Row {
        let begun = Instant::now();
        let mut load = self.load(some_slots());
        let mut recoveries = Vec::new();
        for slot in slots_of_victims().take(count) {
            let primary = self.cluster.primary_of(slot).unwrap();
            let replica = self.replica_of(slot);
            let (prober, witnesses) = self.watch(slot, &mut load);
            let outage = self.cluster.kill(&primary).unwrap();
            let accepted = prober.first_after(outage.down, PATIENCE).unwrap();
            recoveries.push(recovery(&outage, &accepted, witnesses));
            self.cluster.restart(&primary).unwrap();
            load.books().outage(&outage);
            self.look(&load, Some((slot, &replica)));
        }
        self.row(Fault::Kill, count, begun, load, recoveries)
    }

    /// F14: replicas take over, and primaries agree.
    fn failovers(&mut self, count: usize) -> Row {
        let begun = Instant::now();
        let mut load = self.load(some_slots());
        let mut recoveries = Vec::new();
        for (slot, turn) in slots_of_victims().zip(0..).take(count) {
            thread::sleep((begun + turn * ELECTION).saturating_duration_since(Instant::now()));
            let replica = self.replica_of(slot);
            let (prober, witnesses) = self.watch(slot, &mut load);
            let start = Instant::now();
            self.cluster.fail_over(&replica).unwrap();
            let servers = prober.longest_gap_since(start);
            let end = Instant::now();
            let waits = witnesses.longest_waits(start, |write| write.begun >= end);
            recoveries.push(Recovery::of_waits(servers, &waits));
            self.look(&load, Some((slot, &replica)));
        }
        self.row(Fault::Failover, count, begun, load, recoveries)
    }

    /// F18: a primary is silent for longer than the others want to believe in it, then goes on.
    fn silences(&mut self, count: usize) -> Row {
        let begun = Instant::now();
        let mut load = self.load(some_slots());
        let control = self.side.connect(&url(&self.cluster, LIMIT));
        let mut recoveries = Vec::new();
        let mut others = Vec::new();
        for slot in slots_of_victims().take(count) {
            let primary = self.cluster.primary_of(slot).unwrap();
            let replica = self.replica_of(slot);
            let (prober, witnesses) = self.watch(slot, &mut load);
            let slots = slots_of_others(slot);
            let meters = [load.caller(), &control].map(|it| Meter::start(self.side, it, slots));
            thread::sleep(CALM);
            let calm = meters.each_ref().map(Meter::take);
            let outage = self.cluster.pause(&primary).unwrap();
            let accepted = prober.first_after(outage.down, PATIENCE).unwrap();
            self.cluster.wait_for_takeover(&primary).unwrap();
            let silent = meters.each_ref().map(Meter::take);
            meters.into_iter().for_each(Meter::finish);
            recoveries.push(recovery(&outage, &accepted, witnesses));
            self.cluster.resume(&primary).unwrap();
            self.cluster.wait_until_stable().unwrap();
            load.books().outage(&outage.ends());
            self.look(&load, Some((slot, &replica)));
            others.push(Others { calm, silent });
        }
        let mut row = self.row(Fault::Silence, count, begun, load, recoveries);
        row.others = others;
        row
    }

    /// F1: a primary closes all connections, and with them drops replies of what it has done.
    fn cuts(&mut self, count: usize) -> Row {
        let begun = Instant::now();
        let load = self.load(some_slots());
        for slot in slots_of_victims().take(count) {
            let primary = self.cluster.primary_of(slot).unwrap();
            load.let_work(BETWEEN_CUTS, CALM);
            let reply = primary
                .command(&[b"CLIENT", b"KILL", b"TYPE", b"normal"])
                .unwrap();
            assert!(reply.starts_with(b":"), "expected how many were closed");
        }
        self.row(Fault::Cut, count, begun, load, Vec::new())
    }

    /// F15: slots move one by one, with their keys, and go on until so many commands are done.
    fn moves(&mut self, count: usize, operations: u64) -> Row {
        let begun = Instant::now();
        let slots = slots_to_move();
        let load = self.load(slots.clone());
        let before = self.errors_of_nodes();
        let mut moved = 0;
        for slot in slots.into_iter().cycle() {
            if moved >= count && load.books().operations() >= operations {
                break;
            }
            load.prefer(slot);
            moved += 1;
            if moved % 5 == 0 && self.cluster.variant() == Variant::Valkey91 {
                // The servers' own way, without `ASK`.
                let target = self.next_primary(slot);
                self.cluster.migrate_slots(slot..=slot, &target).unwrap();
            } else {
                self.move_slot(slot, &load);
            }
        }
        let redirected = self.errors_of_nodes().map(|(name, count)| {
            let (_, known) = before.iter().find(|(other, _)| *other == name).unwrap();
            (name, count - known)
        });
        let mut row = self.row(Fault::Moves, moved, begun, load, Vec::new());
        row.redirected = redirected.to_vec();
        row
    }

    /// Looks whether servers have replaced a primary that nobody has asked them to.
    fn look(&mut self, load: &Load<'_, S>, asked: Option<(u16, &Node)>) {
        for outage in self.takeovers.look(&self.cluster, asked) {
            load.books().outage(&outage);
        }
    }

    /// Watches a slot, without the client and with it.
    fn watch(&mut self, slot: u16, load: &mut Load<'_, S>) -> (Prober, Witnesses) {
        self.look(load, None);
        let prober = self.cluster.prober(slot);
        prober.first_after(Instant::now(), PATIENCE).unwrap();
        (prober, load.witnesses(slot))
    }

    /// Moves a slot in small steps, between which the load meets it.
    fn move_slot(&self, slot: u16, load: &Load<'_, S>) {
        let target = self.next_primary(slot);
        let step = self.cluster.slot_move(slot, &target).unwrap();
        step.open().unwrap();
        while step.move_keys(KEYS_AT_ONCE).unwrap() > 0 {
            load.let_work(BETWEEN_STEPS, STEP);
        }
        step.assign().unwrap();
    }

    /// The primary that gets a slot from the one that has it.
    fn next_primary(&self, slot: u16) -> Arc<Node> {
        let primaries = self.cluster.primaries().unwrap();
        let owner = self.cluster.primary_of(slot).unwrap();
        let at = primaries.iter().position(|it| it.id() == owner.id());
        Arc::clone(&primaries[(at.unwrap() + 1) % primaries.len()])
    }

    /// How many errors of these kinds all nodes have answered with.
    fn errors_of_nodes(&self) -> [(&'static str, u64); 3] {
        let nodes = self.cluster.nodes();
        let infos = nodes
            .iter()
            .map(|it| it.command(&[b"INFO", b"errorstats"]).unwrap());
        let infos: Vec<_> = infos
            .map(|it| String::from_utf8_lossy(&it).into_owned())
            .collect();
        ["MOVED", "ASK", "TRYAGAIN"].map(|name| {
            let lines = infos.iter().flat_map(|info| info.lines());
            let start = format!("errorstat_{name}:count=");
            let counts = lines.filter_map(|line| line.strip_prefix(&start)?.parse::<u64>().ok());
            (name, counts.sum())
        })
    }

    fn replica_of(&self, slot: u16) -> Arc<Node> {
        let primary = self.cluster.primary_of(slot).unwrap();
        self.cluster.replicas_of(&primary).unwrap().remove(0)
    }

    fn load(&mut self, slots: Vec<u16>) -> Load<'s, S> {
        self.runs += 1;
        self.takeovers = Takeovers::new(&self.cluster);
        let plan = Plan {
            run: self.runs,
            slots,
            limit: LIMIT,
        };
        Load::start(self.side, &self.cluster, &plan)
    }

    fn row(
        &mut self,
        fault: Fault,
        runs: usize,
        begun: Instant,
        load: Load<'_, S>,
        recoveries: Vec<Recovery>,
    ) -> Row {
        if fault != Fault::Moves {
            self.look(&load, None);
        }
        Row {
            takeovers: self.takeovers.found,
            server: self.cluster.variant(),
            client: S::NAME,
            fault,
            runs,
            verdict: load.finish(&self.cluster),
            recoveries,
            others: Vec::new(),
            redirected: Vec::new(),
            took: begun.elapsed(),
        }
    }
}

/// Who the primaries are, and whether the servers have changed that by themselves.
///
/// On a busy machine a primary may stall for longer than its node time-out. Then another takes over,
/// and what it had not got yet is lost, which is nobody's fault but has to be known.
struct Takeovers {
    /// The epoch of each shard's primary.
    epochs: [u64; 3],
    since: Instant,
    found: usize,
}

impl Takeovers {
    fn new(cluster: &Cluster) -> Self {
        let since = Instant::now();
        let topology = cluster.topology().unwrap();
        Self {
            epochs: SHARDS.map(|first| topology.owner(first).unwrap().epoch),
            since,
            found: 0,
        }
    }

    /// The outages since the last look, but for the one that was asked for, with its successor.
    fn look(&mut self, cluster: &Cluster, asked: Option<(u16, &Node)>) -> Vec<Outage> {
        let now = Instant::now();
        let topology = cluster.topology().unwrap();
        let mut outages = Vec::new();
        for (first, epoch) in SHARDS.into_iter().zip(&mut self.epochs) {
            let owner = topology.owner(first).unwrap();
            let by_itself = match asked {
                Some((slot, successor)) if slot == first => owner.id != successor.id(),
                _ => owner.epoch != *epoch,
            };
            *epoch = owner.epoch;
            if by_itself {
                outages.push(Outage {
                    slots: owner.slots.clone(),
                    begin: self.since,
                    down: now,
                    end: Some(Instant::now()),
                });
            }
        }
        self.since = now;
        self.found += outages.len();
        outages
    }
}

/// How long the servers and then the client needed after an outage.
fn recovery(outage: &Outage, accepted: &Accepted, witnesses: Witnesses) -> Recovery {
    // A reply of the old primary may still have been on its way.
    let writes =
        witnesses.finish(|write| write.begun >= outage.down || write.done >= accepted.received);
    let beyond = |write: &Write| write.done.saturating_duration_since(accepted.received);
    Recovery::new(accepted.received - outage.down, writes.iter().map(beyond))
}

/// Four in each shard.
fn some_slots() -> Vec<u16> {
    let slots = SHARDS
        .iter()
        .flat_map(|first| [0, 1, 2000, 4000].map(|offset| first + offset));
    slots.collect()
}

/// Some in each shard, which change places.
fn slots_to_move() -> Vec<u16> {
    let slots = (100..).flat_map(|offset| SHARDS.map(|first| first + offset));
    slots.take(MOVING).collect()
}

/// A slot of each shard in turn, again and again.
fn slots_of_victims() -> impl Iterator<Item = u16> {
    SHARDS.into_iter().cycle()
}

fn slots_of_others(slot: u16) -> [u16; 2] {
    let mut others = SHARDS.into_iter().filter(|first| *first != slot);
    [(); 2].map(|()| others.next().unwrap())
}

/// The first slot of each shard, which stay together as long as no slot moves.
const SHARDS: [u16; 3] = [0, 5462, 10_923];
/// How many slots are on the move, in turn.
const MOVING: usize = 50;
const KEYS_AT_ONCE: usize = 3;
/// Commands that the load does between two steps of a move, if it gets there in time.
const BETWEEN_STEPS: u64 = 20;
const STEP: Duration = Duration::from_millis(20);
/// A node time-out that lets a replica take over soon.
const SHORT: Duration = Duration::from_secs(1);
/// One that no stall of a busy machine exceeds, where nothing shall fail.
const LONG: Duration = Duration::from_secs(15);
/// How far failovers are apart. A node that was elected lately waits before it stands for election
/// again, for four node time-outs in all, and its primary holds all writes back meanwhile.
const ELECTION: Duration = Duration::from_millis(750);
/// Commands that the load does before connections are closed again.
const BETWEEN_CUTS: u64 = 200;
/// How long calls may take.
const LIMIT: Duration = Duration::from_secs(2);
/// How long is measured before something goes wrong.
const CALM: Duration = Duration::from_millis(500);
/// How long servers may take for what is bound to happen.
const PATIENCE: Duration = Duration::from_secs(30);
