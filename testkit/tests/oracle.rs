//! The oracles find what is wrong, and nothing where all is right.
//!
//! The servers are real; what is wrong is what the oracles are told about them.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use respec_testkit::oracle::{
    AppendLog, AppendReport, CounterReport, Counters, FindingKind, Operation,
};
use respec_testkit::{
    Cluster, Connection, Outage, Reply, SLOTS, Server, Variant, key_in_slot, shared, slot_of,
};

#[test]
fn a_right_history_has_no_findings() {
    let test = Appends::new();
    for _ in 0..3 {
        test.append(0);
    }
    test.push(&test.log.begin(0, 1));
    test.log.begin(0, 1).indeterminate();
    test.log.begin(0, 1).not_sent();
    test.log.begin(0, 1).refused();
    let (one, other) = (test.log.begin(0, 0), test.log.begin(0, 1));
    let length = test.push(&other);
    other.acknowledged(length);
    let length = test.push(&one);
    one.acknowledged(length);

    let report = test.check();
    assert!(report.is_clean(), "{report}");
    assert_eq!((report.acknowledged, report.lost_by_servers), (5, 0));
    assert_eq!((report.indeterminate, report.indeterminate_present), (2, 1));
    assert_eq!((report.not_sent, report.refused), (1, 1));
}

#[test]
fn every_kind_of_wrong_append_is_found() {
    let test = Appends::new();
    test.append(0);
    test.log.begin(0, 0).acknowledged(2);
    test.finds(&[FindingKind::Lost]);

    let test = Appends::new();
    let operation = test.log.begin(0, 0);
    let length = test.push(&operation);
    test.push(&operation);
    operation.acknowledged(length);
    test.finds(&[FindingKind::Duplicated]);

    let test = Appends::new();
    let operation = test.log.begin(0, 0);
    test.push(&operation);
    operation.not_sent();
    test.finds(&[FindingKind::NotSentButPresent]);

    let test = Appends::new();
    let operation = test.log.begin(0, 0);
    test.push(&operation);
    operation.refused();
    test.finds(&[FindingKind::RefusedButPresent]);

    let test = Appends::new();
    test.push_text("0.17");
    test.finds(&[FindingKind::Stranger]);

    let test = Appends::new();
    let (one, other) = (test.log.begin(0, 0), test.log.begin(0, 1));
    let lengths = (test.push(&one), test.push(&other));
    one.acknowledged(lengths.1);
    other.acknowledged(lengths.0);
    test.finds(&[FindingKind::WrongReply, FindingKind::WrongReply]);

    // Begun by one writer in this order, done in the other.
    let test = Appends::new();
    let (one, other) = (test.log.begin(0, 0), test.log.begin(0, 0));
    let length = test.push(&other);
    other.acknowledged(length);
    let length = test.push(&one);
    one.acknowledged(length);
    test.finds(&[FindingKind::Disordered]);

    // Acknowledged before the other was begun, by whomever.
    let test = Appends::new();
    test.push_text("0.1");
    test.append(0);
    let other = test.log.begin(0, 1);
    other.acknowledged(1);
    test.finds(&[FindingKind::Disordered]);
}

#[test]
fn what_servers_lose_is_no_finding() {
    let test = Appends::new();
    for _ in 0..5 {
        test.append(0);
    }
    test.log.begin(0, 1).indeterminate();
    test.log.begin(0, 0).acknowledged(7);
    test.lose(2);
    test.outage(0..=SLOTS - 1);
    for _ in 0..3 {
        test.append(0);
    }
    let report = test.check();
    assert!(report.is_clean(), "{report}");
    assert_eq!((report.acknowledged, report.lost_by_servers), (9, 3));
    assert_eq!(report.lost_under_way, 0);
}

#[test]
fn what_was_under_way_in_an_outage_is_counted_apart() {
    let test = Appends::new();
    test.append(0);
    let under_way = test.log.begin(0, 1);
    test.outage(0..=SLOTS - 1);
    under_way.acknowledged(2);
    test.append(0);
    let report = test.check();
    assert!(report.is_clean(), "{report}");
    assert_eq!((report.lost_by_servers, report.lost_under_way), (1, 1));

    // Its place is not beyond what has survived.
    let test = Appends::new();
    let under_way = test.log.begin(0, 1);
    test.append(0);
    test.outage(0..=SLOTS - 1);
    under_way.acknowledged(1);
    test.finds(&[FindingKind::Lost]);
}

#[test]
fn an_outage_does_not_excuse_what_a_client_loses() {
    // In the part that has survived.
    let test = Appends::new();
    let hole = test.log.begin(0, 1);
    let length = test.push_text("0.9");
    hole.acknowledged(length);
    test.append(0);
    test.outage(0..=SLOTS - 1);
    test.finds(&[FindingKind::Lost, FindingKind::Stranger]);

    // After it.
    let test = Appends::new();
    test.append(0);
    test.outage(0..=SLOTS - 1);
    test.log.begin(0, 0).acknowledged(2);
    test.finds(&[FindingKind::Lost]);

    // Elsewhere.
    let test = Appends::new();
    test.append(0);
    test.append(0);
    test.lose(1);
    let slot = slot_of(test.log.key(0));
    let other = (slot + 1) % SLOTS;
    test.outage(other..=other);
    test.finds(&[FindingKind::Lost]);
}

#[test]
fn a_lost_part_must_be_plausible_in_itself() {
    // The same place twice.
    let test = Appends::new();
    let (one, other) = (test.log.begin(0, 0), test.log.begin(0, 1));
    one.acknowledged(1);
    other.acknowledged(1);
    test.outage(0..=SLOTS - 1);
    test.finds(&[FindingKind::WrongReply]);

    // The later one earlier.
    let test = Appends::new();
    test.log.begin(0, 0).acknowledged(2);
    test.log.begin(0, 1).acknowledged(1);
    test.outage(0..=SLOTS - 1);
    test.finds(&[FindingKind::Disordered]);

    // Two places more than anybody asked for, and one that somebody may have.
    let test = Appends::new();
    test.log.begin(0, 0).acknowledged(1);
    test.log.begin(0, 0).acknowledged(5);
    test.log.begin(0, 0).indeterminate();
    test.log.begin(0, 0).not_sent();
    test.outage(0..=SLOTS - 1);
    test.finds(&[FindingKind::Unaccounted]);
}

#[test]
fn counters_that_are_right_have_no_findings() {
    let test = Counts::new();
    for _ in 0..3 {
        test.count();
    }
    test.increment();
    test.counters.begin(0, 1).indeterminate();
    test.counters.begin(0, 1).indeterminate();
    test.counters.begin(0, 1).not_sent();
    let report = test.check();
    assert!(report.is_clean(), "{report}");
    assert_eq!((report.acknowledged, report.indeterminate), (3, 2));

    // Two are lost, and counted again.
    test.count();
    test.decrement(2);
    test.outages(0..=SLOTS - 1);
    test.count();
    let report = test.check();
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.lost_by_servers, 1);
}

#[test]
fn every_kind_of_wrong_count_is_found() {
    let test = Counts::new();
    test.count();
    test.counters.begin(0, 0).acknowledged(2);
    test.finds(&[FindingKind::Lost, FindingKind::Lost]);

    let test = Counts::new();
    test.increment();
    test.count();
    test.counters.begin(0, 0).not_sent();
    test.finds(&[FindingKind::Duplicated]);

    let test = Counts::new();
    let (one, other) = (test.counters.begin(0, 0), test.counters.begin(0, 1));
    let value = test.increment();
    one.acknowledged(value);
    test.increment();
    other.acknowledged(value);
    test.finds(&[FindingKind::WrongReply]);

    let test = Counts::new();
    let values = (test.increment(), test.increment());
    test.counters.begin(0, 0).acknowledged(values.1);
    test.counters.begin(0, 1).acknowledged(values.0);
    test.finds(&[FindingKind::Disordered]);

    // Counted after the outage.
    let test = Counts::new();
    test.count();
    test.outages(0..=SLOTS - 1);
    test.count();
    test.decrement(2);
    test.finds(&[FindingKind::Lost]);
}

#[test]
fn what_a_replica_never_got_is_lost_by_the_servers() {
    for variant in Variant::ALL {
        let cluster = Cluster::start(variant).unwrap();
        let log = AppendLog::new([key_in_slot(0)]);
        let primary = cluster.primary_of(0).unwrap();
        let replica = cluster.replicas_of(&primary).unwrap().remove(0);
        let mut connection = primary.server().connection(PATIENCE).unwrap();
        for _ in 0..3 {
            append(&log, &mut connection);
        }
        let replicated = connection.ask(&[b"WAIT", b"1", b"0"]).unwrap();
        assert_eq!(replicated, Reply::Integer(1));

        // More than what the sockets between them hold.
        cluster.pause(&replica).unwrap();
        let big = format!("{}:big", key_in_slot(0));
        let stuffing = vec![b'x'; 32 << 20];
        connection
            .ask(&[b"SET", big.as_bytes(), &stuffing])
            .unwrap();
        for _ in 0..5 {
            append(&log, &mut connection);
        }
        let outage = cluster.kill(&primary).unwrap();
        log.outage(&outage);
        cluster.resume(&replica).unwrap();
        cluster.wait_until_stable().unwrap();
        let mut connection = replica.server().connection(PATIENCE).unwrap();
        append(&log, &mut connection);
        cluster.restart(&primary).unwrap();

        let report = log.check(&cluster).unwrap();
        println!("{variant}: {report}");
        assert!(report.is_clean(), "{report}");
        assert_eq!((report.acknowledged, report.lost_by_servers), (9, 5));

        // Without knowing of the outage, it is the client's fault.
        let unaware = AppendLog::new([key_in_slot(0)]);
        for place in 1..=8 {
            unaware.begin(0, 0).acknowledged(place);
        }
        let report = unaware.check(&cluster).unwrap();
        assert_eq!(report.count(FindingKind::Lost), 5);
    }
}

/// A primary that was frozen goes on as if nothing had happened, until it hears that it has a
/// successor. What it acknowledges in between is lost.
#[test]
fn load_through_outages_has_no_findings() {
    for variant in Variant::ALL {
        let cluster = Cluster::start(variant).unwrap();
        let lists: Vec<_> = [0, 1, 6000, 12000].map(key_in_slot).to_vec();
        let log = AppendLog::new(lists.clone());
        let counters = Counters::new(lists.iter().map(|key| format!("{key}:count")));
        let stop = AtomicBool::new(false);
        let writers = AtomicU32::new(0);
        let addrs: Vec<_> = cluster.nodes().iter().map(|node| node.addr()).collect();
        thread::scope(|scope| {
            for _ in 0..2 {
                for list in 0..lists.len() {
                    let (log, counters, stop) = (&log, &counters, &stop);
                    let mut writer = Writer::new(writers.fetch_add(1, Ordering::Relaxed), &addrs);
                    scope.spawn(move || {
                        while !stop.load(Ordering::Relaxed) {
                            writer.append(log, list);
                            writer.count(counters, list);
                            // Leaves some of the machine to the servers.
                            thread::sleep(PACE);
                        }
                    });
                }
            }
            let disturb = || {
                let primary = cluster.primary_of(0)?;
                let outage = cluster.kill(&primary)?;
                log.outage(&outage);
                counters.outage(&outage);
                cluster.restart(&primary)?;

                let primary = cluster.primary_of(0)?;
                let outage = cluster.pause(&primary)?;
                cluster.wait_for_takeover(&primary)?;
                cluster.resume(&primary)?;
                cluster.wait_until_stable()?;
                let outage = outage.ends();
                log.outage(&outage);
                counters.outage(&outage);

                let primary = cluster.primary_of(6000)?;
                cluster.fail_over(&cluster.replicas_of(&primary)?.remove(0))
            };
            let disturbed: respec_testkit::Result<()> = disturb();
            stop.store(true, Ordering::Relaxed);
            disturbed.unwrap();
        });
        let report = log.check(&cluster).unwrap();
        println!("{variant}: {report}");
        assert!(report.is_clean(), "{report}");
        assert!(report.acknowledged > 100);
        let report = counters.check(&cluster).unwrap();
        println!("{variant}: {report}");
        assert!(report.is_clean(), "{report}");
    }
}

/// One list on a real server, and what an oracle is told about it.
struct Appends {
    server: &'static Server,
    log: AppendLog,
}

impl Appends {
    fn new() -> Self {
        let server = shared(Variant::Valkey91);
        let log = AppendLog::new([unique("appends")]);
        Self { server, log }
    }

    fn append(&self, writer: u32) {
        let operation = self.log.begin(0, writer);
        let length = self.push(&operation);
        operation.acknowledged(length);
    }

    fn push(&self, operation: &Operation) -> i64 {
        self.push_text(&self.log.element(0, operation))
    }

    fn push_text(&self, element: &str) -> i64 {
        integer(
            self.server,
            &[b"RPUSH", self.log.key(0), element.as_bytes()],
        )
    }

    /// Takes the end of the list away.
    fn lose(&self, count: usize) {
        let count = count.to_string();
        let command = [&b"RPOP"[..], self.log.key(0), count.as_bytes()];
        self.server.command(&command).unwrap();
    }

    fn outage(&self, slots: std::ops::RangeInclusive<u16>) {
        self.log.outage(&outage(slots));
    }

    fn check(&self) -> AppendReport {
        self.log.check(self.server).unwrap()
    }

    fn finds(&self, expected: &[FindingKind]) {
        let report = self.check();
        let mut kinds: Vec<_> = report.findings.iter().map(|found| found.kind).collect();
        kinds.sort();
        assert_eq!(kinds, expected, "{report}");
    }
}

/// As [`Appends`], for a counter.
struct Counts {
    server: &'static Server,
    counters: Counters,
}

impl Counts {
    fn new() -> Self {
        let server = shared(Variant::Valkey91);
        let counters = Counters::new([unique("counts")]);
        Self { server, counters }
    }

    fn count(&self) {
        let operation = self.counters.begin(0, 0);
        operation.acknowledged(self.increment());
    }

    fn increment(&self) -> i64 {
        integer(self.server, &[b"INCR", self.counters.key(0)])
    }

    fn decrement(&self, by: i64) {
        let by = by.to_string();
        integer(
            self.server,
            &[b"DECRBY", self.counters.key(0), by.as_bytes()],
        );
    }

    fn outages(&self, slots: std::ops::RangeInclusive<u16>) {
        self.counters.outage(&outage(slots));
    }

    fn check(&self) -> CounterReport {
        self.counters.check(self.server).unwrap()
    }

    fn finds(&self, expected: &[FindingKind]) {
        let report = self.check();
        let mut kinds: Vec<_> = report.findings.iter().map(|found| found.kind).collect();
        kinds.sort();
        assert_eq!(kinds, expected, "{report}");
    }
}

/// The simplest client there is: one command at a time, and the caller is told the truth.
struct Writer {
    number: u32,
    addrs: Vec<SocketAddr>,
    /// Where the last command succeeded, or was sent on to.
    current: usize,
    connections: Vec<Option<Connection>>,
}

impl Writer {
    fn new(number: u32, addrs: &[SocketAddr]) -> Self {
        Self {
            number,
            addrs: addrs.to_vec(),
            current: 0,
            connections: addrs.iter().map(|_| None).collect(),
        }
    }

    fn append(&mut self, log: &AppendLog, list: usize) {
        let operation = log.begin(list, self.number);
        let element = log.element(list, &operation);
        let reply = self.send(&[b"RPUSH", log.key(list), element.as_bytes()]);
        settle(operation, reply);
    }

    fn count(&mut self, counters: &Counters, counter: usize) {
        let operation = counters.begin(counter, self.number);
        let reply = self.send(&[b"INCR", counters.key(counter)]);
        settle(operation, reply);
    }

    /// `None` when nobody could be reached, an error when it is not known what was done.
    fn send(&mut self, parts: &[&[u8]]) -> Option<std::io::Result<Reply>> {
        let current = self.current;
        if self.connections[current].is_none() {
            self.connections[current] = Connection::open(self.addrs[current], IMPATIENCE).ok();
        }
        let Some(connection) = &mut self.connections[current] else {
            self.current = (current + 1) % self.addrs.len();
            return None;
        };
        let reply = connection.ask(parts);
        match &reply {
            Ok(Reply::Error(error)) => {
                let node = error.rsplit(' ').next().and_then(|addr| addr.parse().ok());
                let node = node.and_then(|addr| self.addrs.iter().position(|it| *it == addr));
                self.current = node.unwrap_or((current + 1) % self.addrs.len());
            }
            Ok(_) => {}
            Err(_) => {
                self.connections[current] = None;
                self.current = (current + 1) % self.addrs.len();
            }
        }
        Some(reply)
    }
}

fn settle(operation: Operation, reply: Option<std::io::Result<Reply>>) {
    match reply {
        Some(Ok(Reply::Integer(number))) => operation.acknowledged(number),
        Some(Ok(Reply::Error(_))) => operation.refused(),
        Some(_) => operation.indeterminate(),
        None => operation.not_sent(),
    }
}

fn append(log: &AppendLog, connection: &mut Connection) {
    let operation = log.begin(0, 0);
    let element = log.element(0, &operation);
    let reply = connection.ask(&[b"RPUSH", log.key(0), element.as_bytes()]);
    let Ok(Reply::Integer(length)) = reply else {
        panic!("expected a length, got {reply:?}");
    };
    operation.acknowledged(length);
}

/// One that is over, of these slots.
fn outage(slots: std::ops::RangeInclusive<u16>) -> Outage {
    let now = Instant::now();
    Outage {
        slots: vec![slots],
        begin: now,
        down: now,
        end: None,
    }
    .ends()
}

fn integer(server: &Server, parts: &[&[u8]]) -> i64 {
    let reply = Reply::parse(&server.command(parts).unwrap()).unwrap();
    let Reply::Integer(number) = reply else {
        panic!("expected an integer, got {reply:?}");
    };
    number
}

fn unique(prefix: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("{prefix}:{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

const PACE: Duration = Duration::from_millis(1);
const PATIENCE: Duration = Duration::from_secs(30);
/// Of the load, which a frozen server shall not hold up for long.
const IMPATIENCE: Duration = Duration::from_millis(500);
