//! What goes wrong while a client is under load.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use respec_testkit::{Accepted, Cluster, Node, Outage, Prober, Variant};

use crate::{
    caller::Caller,
    load::{Load, Plan, url},
    meter::Meter,
    report::{Fault, Others, Recovery, Row},
    side::Side,
    witness::{Witnesses, Write},
};

/// How often each thing goes wrong.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counts {
    pub(crate) kills: usize,
    pub(crate) failovers: usize,
    /// Replacements of all primaries at once.
    pub(crate) storms: usize,
    /// Slots that no node owns for a while, for less than calls wait and for longer.
    pub(crate) holes: usize,
    pub(crate) silences: usize,
    pub(crate) moves: usize,
    pub(crate) cuts: usize,
    /// How many commands are done at least, by all clients in all runs together.
    pub(crate) operations: u64,
}

/// A cluster and the kinds of clients, for one run after the other.
struct Stage<'s> {
    sides: &'s [Side],
    cluster: Cluster,
    runs: u32,
    takeovers: Takeovers,
    /// How often nobody was elected in place of a primary, and how long it took to believe that.
    unelected: usize,
    elected: Duration,
}

/// One client in a run, beside others.
struct Trial<'s> {
    load: Load<'s>,
    recoveries: Vec<Recovery>,
    others: Vec<Others>,
}

/// All faults, one kind after the other, each for all clients at once.
pub(crate) fn run(sides: &[Side], variant: Variant, counts: &Counts) -> Vec<Row> {
    let mut stage = Stage::new(sides, variant, SHORT);
    let mut rows = stage.kills(counts.kills);
    rows.extend(stage.failovers(counts.failovers));
    rows.extend(stage.storms(counts.storms));
    rows.extend(stage.holes(Fault::Hole, counts.holes));
    rows.extend(stage.holes(Fault::LongHole, counts.holes));
    rows.extend(stage.silences(counts.silences));
    rows.extend(stage.cuts(counts.cuts));
    drop(stage);
    let done: u64 = rows.iter().map(|row| row.verdict.operations).sum();
    let mut stage = Stage::new(sides, variant, LONG);
    rows.extend(stage.moves(counts.moves, counts.operations.saturating_sub(done)));
    rows
}

/// A primary is killed whose replica does not stand for election, and another one whose does.
pub(crate) fn elections(sides: &[Side], variant: Variant) -> [Vec<Row>; 2] {
    let mut stage = Stage::new(sides, variant, SHORT);
    stage.stand_for_election(false);
    // However long one waits for it.
    stage.elected = 3 * SHORT;
    let failed = stage.kills(1);
    stage.stand_for_election(true);
    stage.elected = ELECTED;
    [failed, stage.kills(1)]
}

impl<'s> Stage<'s> {
    fn new(sides: &'s [Side], variant: Variant, node_timeout: Duration) -> Self {
        let cluster = Cluster::builder(variant)
            // One shard's trouble is not that of the others.
            .require_full_coverage(false)
            .node_timeout(node_timeout)
            .start()
            .unwrap();
        Self {
            sides,
            takeovers: Takeovers::new(&cluster),
            cluster,
            runs: 0,
            unelected: 0,
            elected: ELECTED,
        }
    }

    /// Whether replicas want to be elected when their primaries are gone.
    fn stand_for_election(&self, stand: bool) {
        let value: &[u8] = if stand { b"no" } else { b"yes" };
        for node in self.cluster.nodes() {
            let set: [&[u8]; 4] = [b"CONFIG", b"SET", b"cluster-replica-no-failover", value];
            assert_eq!(node.command(&set).unwrap(), b"+OK\r\n");
        }
    }

    /// F13: primaries are killed, each is replaced by its replica, and comes back as one.
    fn kills(&mut self, count: usize) -> Vec<Row> {
        let begun = Instant::now();
        let mut trials = self.trials(&some_slots());
        for slot in slots_of_victims().take(count) {
            let primary = self.cluster.primary_of(slot).unwrap();
            let replica = self.replica_of(slot);
            let (prober, witnesses) = self.watch(slot, &mut trials);
            let outage = self.cluster.kill(&primary).unwrap();
            let accepted = self.accepted(&prober, &outage, &replica);
            for (trial, witnesses) in trials.iter_mut().zip(witnesses) {
                trial.recovered(&outage, &accepted, witnesses);
            }
            self.cluster.restart(&primary).unwrap();
            note(&trials, &outage);
            self.look(&trials, Some((slot, &replica)));
        }
        self.rows(Fault::Kill, count, begun, trials)
    }

    /// F14: replicas take over, and primaries agree.
    fn failovers(&mut self, count: usize) -> Vec<Row> {
        let begun = Instant::now();
        let mut trials = self.trials(&some_slots());
        for (slot, turn) in slots_of_victims().zip(0..).take(count) {
            thread::sleep((begun + turn * ELECTION).saturating_duration_since(Instant::now()));
            let replica = self.replica_of(slot);
            let (prober, witnesses) = self.watch(slot, &mut trials);
            let start = Instant::now();
            self.cluster.fail_over(&replica).unwrap();
            let servers = prober.longest_gap_since(start);
            let end = Instant::now();
            for (trial, witnesses) in trials.iter_mut().zip(witnesses) {
                let waits = witnesses.longest_waits(start, |write| write.begun >= end);
                trial.recoveries.push(Recovery::of_waits(servers, &waits));
            }
            self.look(&trials, Some((slot, &replica)));
        }
        self.rows(Fault::Failover, count, begun, trials)
    }

    /// F16: all primaries are replaced one directly after the other, so that every slot's owner is
    /// another, and whoever is asked by its old address says so.
    fn storms(&mut self, count: usize) -> Vec<Row> {
        let begun = Instant::now();
        let trials = self.trials(&some_slots());
        let mut asked = Vec::new();
        for turn in 0..count as u32 {
            let next = begun + turn * SHARDS.len() as u32 * ELECTION;
            thread::sleep(next.saturating_duration_since(Instant::now()));
            let (start, before) = (Instant::now(), self.questions());
            for slot in SHARDS {
                let replica = self.replica_of(slot);
                self.cluster.fail_over(&replica).unwrap();
                self.look(&trials, Some((slot, &replica)));
            }
            let_work(&trials, BETWEEN_CUTS, CALM);
            asked.push((self.questions().wrapping_sub(before), start.elapsed()));
        }
        let mut rows = self.rows(Fault::Storm, count, begun, trials);
        for row in &mut rows {
            row.asked.clone_from(&asked);
        }
        rows
    }

    /// F17: no node owns a slot, for less time than calls wait or for more.
    fn holes(&mut self, fault: Fault, count: usize) -> Vec<Row> {
        let begun = Instant::now();
        let limit = if fault == Fault::Hole {
            LIMIT
        } else {
            LIMIT / 2
        };
        let mut trials = self.trials_of(&some_slots(), limit);
        for slot in slots_of_victims().take(count) {
            let primary = self.cluster.primary_of(slot).unwrap();
            let (prober, witnesses) = self.watch(slot, &mut trials);
            let deleted = Instant::now();
            self.cluster.delete_slots(slot..=slot).unwrap();
            thread::sleep(if fault == Fault::Hole {
                limit / 4
            } else {
                5 * limit / 4
            });
            let given = Instant::now();
            self.cluster.add_slots(slot..=slot, &primary).unwrap();
            let accepted = prober.first_after(given, PATIENCE).unwrap();
            for (trial, witnesses) in trials.iter_mut().zip(witnesses) {
                trial.served(deleted, &accepted, witnesses);
            }
        }
        self.rows(fault, count, begun, trials)
    }

    /// F18: a primary is silent for longer than the others want to believe in it, then goes on.
    fn silences(&mut self, count: usize) -> Vec<Row> {
        let begun = Instant::now();
        let mut trials = self.trials(&some_slots());
        let controls = self.sides.iter();
        let controls: Vec<_> = controls
            .map(|side| Caller::connect(side, &url(&self.cluster, LIMIT)))
            .collect();
        for slot in slots_of_victims().take(count) {
            let primary = self.cluster.primary_of(slot).unwrap();
            let replica = self.replica_of(slot);
            let (prober, witnesses) = self.watch(slot, &mut trials);
            let slots = slots_of_others(slot);
            let meters = trials.iter().zip(&controls).map(|(trial, control)| {
                let callers = [trial.load.caller(), control];
                callers.map(|caller| Meter::start(trial.load.side(), caller, slots))
            });
            let meters: Vec<_> = meters.collect();
            let measure = || meters.iter().map(|both| both.each_ref().map(Meter::take));
            thread::sleep(CALM);
            let calm: Vec<_> = measure().collect();
            let outage = self.cluster.pause(&primary).unwrap();
            let accepted = self.accepted(&prober, &outage, &replica);
            self.cluster.wait_for_takeover(&primary).unwrap();
            let silent: Vec<_> = measure().collect();
            meters.into_iter().flatten().for_each(Meter::finish);
            for (trial, witnesses) in trials.iter_mut().zip(witnesses) {
                trial.recovered(&outage, &accepted, witnesses);
            }
            self.cluster.resume(&primary).unwrap();
            self.cluster.wait_until_stable().unwrap();
            note(&trials, &outage.ends());
            self.look(&trials, Some((slot, &replica)));
            for (trial, (calm, silent)) in trials.iter_mut().zip(calm.into_iter().zip(silent)) {
                trial.others.push(Others { calm, silent });
            }
        }
        self.rows(Fault::Silence, count, begun, trials)
    }

    /// F1: a primary closes all connections, and with them drops replies of what it has done.
    fn cuts(&mut self, count: usize) -> Vec<Row> {
        let begun = Instant::now();
        let trials = self.trials(&some_slots());
        for slot in slots_of_victims().take(count) {
            let primary = self.cluster.primary_of(slot).unwrap();
            let_work(&trials, BETWEEN_CUTS, CALM);
            let reply = primary
                .command(&[b"CLIENT", b"KILL", b"TYPE", b"normal"])
                .unwrap();
            assert!(reply.starts_with(b":"), "expected how many were closed");
        }
        self.rows(Fault::Cut, count, begun, trials)
    }

    /// F15: slots move one by one, with their keys, and go on until so many commands are done.
    fn moves(&mut self, count: usize, operations: u64) -> Vec<Row> {
        let begun = Instant::now();
        let slots = slots_to_move();
        let trials = self.trials(&slots);
        let done = || -> u64 { trials.iter().map(|it| it.load.books().operations()).sum() };
        let before = self.errors_of_nodes();
        let mut moved = 0;
        for slot in slots.into_iter().cycle() {
            if moved >= count && done() >= operations {
                break;
            }
            trials.iter().for_each(|trial| trial.load.prefer(slot));
            moved += 1;
            if moved % 5 == 0 && self.cluster.variant() == Variant::Valkey91 {
                // The servers' own way, without `ASK`.
                let target = self.next_primary(slot);
                self.cluster.migrate_slots(slot..=slot, &target).unwrap();
            } else {
                self.move_slot(slot, &trials);
            }
        }
        let redirected = self.errors_of_nodes().map(|(name, count)| {
            let (_, known) = before.iter().find(|(other, _)| *other == name).unwrap();
            (name, count - known)
        });
        let mut rows = self.rows(Fault::Moves, moved, begun, trials);
        for row in &mut rows {
            row.redirected = redirected.to_vec();
        }
        rows
    }

    /// Looks whether servers have replaced a primary that nobody has asked them to.
    fn look(&mut self, trials: &[Trial<'_>], asked: Option<(u16, &Node)>) {
        for outage in self.takeovers.look(&self.cluster, asked) {
            note(trials, &outage);
        }
    }

    /// Watches a slot, without the clients and with each of them.
    fn watch(&mut self, slot: u16, trials: &mut [Trial<'_>]) -> (Prober, Vec<Witnesses>) {
        self.look(trials, None);
        let prober = self.cluster.prober(slot);
        prober.first_after(Instant::now(), PATIENCE).unwrap();
        let witnesses = trials.iter_mut().map(|trial| trial.load.witnesses(slot));
        (prober, witnesses.collect())
    }

    /// The first write that a shard has accepted behind an outage.
    ///
    /// Servers that elect nobody are helped, which counts against them and not against the clients.
    fn accepted(&mut self, prober: &Prober, outage: &Outage, replica: &Node) -> Accepted {
        if let Ok(accepted) = prober.first_after(outage.down, self.elected) {
            return accepted;
        }
        self.unelected += 1;
        self.cluster.take_over(replica).unwrap();
        prober.first_after(outage.down, PATIENCE).unwrap()
    }

    /// Moves a slot in small steps, between which the loads meet it.
    fn move_slot(&self, slot: u16, trials: &[Trial<'_>]) {
        let target = self.next_primary(slot);
        let step = self.cluster.slot_move(slot, &target).unwrap();
        step.open().unwrap();
        while step.move_keys(KEYS_AT_ONCE).unwrap() > 0 {
            let_work(trials, BETWEEN_STEPS, STEP);
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

    /// How often all nodes were asked by clients who has which slot, of which only differences say
    /// something: a node that is started again counts anew.
    fn questions(&self) -> u64 {
        let of_node = |node: &Arc<Node>| {
            let info = node.command(&[b"INFO", b"commandstats"]).unwrap();
            let info = String::from_utf8_lossy(&info).into_owned();
            let mut lines = info.lines();
            let line = lines.find_map(|line| line.strip_prefix("cmdstat_cluster|shards:calls="));
            let count = line.and_then(|line| line.split(',').next());
            count.map_or(0, |count| count.parse().unwrap())
        };
        let all: u64 = self.cluster.nodes().iter().map(of_node).sum();
        all.wrapping_sub(self.cluster.shards_asked())
    }

    /// Each kind of client with a load of its own.
    fn trials(&mut self, slots: &[u16]) -> Vec<Trial<'s>> {
        self.trials_of(slots, LIMIT)
    }

    /// The same, with calls that may take so long.
    fn trials_of(&mut self, slots: &[u16], limit: Duration) -> Vec<Trial<'s>> {
        self.takeovers = Takeovers::new(&self.cluster);
        self.unelected = 0;
        let trials = self.sides.iter().map(|side| {
            self.runs += 1;
            let plan = Plan {
                run: self.runs,
                slots: slots.to_vec(),
                limit,
            };
            Trial {
                load: Load::start(side, &self.cluster, &plan),
                recoveries: Vec::new(),
                others: Vec::new(),
            }
        });
        trials.collect()
    }

    fn rows(
        &mut self,
        fault: Fault,
        runs: usize,
        begun: Instant,
        trials: Vec<Trial<'_>>,
    ) -> Vec<Row> {
        if fault != Fault::Moves {
            self.look(&trials, None);
        }
        let rows = trials.into_iter().map(|trial| Row {
            takeovers: self.takeovers.found,
            unelected: self.unelected,
            server: self.cluster.variant(),
            client: trial.load.side().name(),
            fault,
            runs,
            verdict: trial.load.finish(&self.cluster),
            recoveries: trial.recoveries,
            others: trial.others,
            redirected: Vec::new(),
            asked: Vec::new(),
            took: begun.elapsed(),
        });
        rows.collect()
    }
}

impl Trial<'_> {
    /// Takes note how long the servers and then the client needed after an outage.
    fn recovered(&mut self, outage: &Outage, accepted: &Accepted, witnesses: Witnesses) {
        // A reply of the old primary may still have been on its way.
        let writes =
            witnesses.finish(|write| write.begun >= outage.down || write.done >= accepted.received);
        self.came_back(outage.down, accepted, &writes);
    }

    /// The same where the slot had no owner since a moment.
    fn served(&mut self, since: Instant, accepted: &Accepted, witnesses: Witnesses) {
        let writes = witnesses.finish(|write| write.done >= accepted.received);
        self.came_back(since, accepted, &writes);
    }

    fn came_back(&mut self, since: Instant, accepted: &Accepted, writes: &[Write]) {
        let beyond = |write: &Write| write.done.saturating_duration_since(accepted.received);
        let servers = accepted.received - since;
        self.recoveries
            .push(Recovery::new(servers, writes.iter().map(beyond)));
    }
}

/// Tells all books of an outage.
fn note(trials: &[Trial<'_>], outage: &Outage) {
    for trial in trials {
        trial.load.books().outage(outage);
    }
}

/// Waits until each load has done so many more commands, or for as long as may be.
fn let_work(trials: &[Trial<'_>], commands: u64, at_most: Duration) {
    let end = Instant::now() + at_most;
    let enough = |trial: &Trial<'_>| trial.load.books().operations() + commands;
    let enough: Vec<_> = trials.iter().map(enough).collect();
    for (trial, enough) in trials.iter().zip(enough) {
        trial.load.wait_for(enough, end);
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
/// How long servers may take to elect another primary, which on a busy machine takes several attempts.
const ELECTED: Duration = Duration::from_secs(15);
/// How long servers may take for what is bound to happen.
const PATIENCE: Duration = Duration::from_secs(30);
