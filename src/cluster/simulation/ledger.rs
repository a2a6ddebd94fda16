//! What was asked, what was answered, and what must be true of both.

use std::{
    collections::BTreeMap,
    fmt::{Display, Formatter},
    ops::AddAssign,
};

use super::{
    model::{Cluster, KEYS, Reply, Request, Verb},
    world::DEADLINE,
};
use crate::error::{Error, ErrorKind, Result};

/// All operations of all clients.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) operations: Vec<Operation>,
    /// How often each value was written.
    writes: BTreeMap<String, u32>,
    /// The values of counters that were answered, by key.
    counted: BTreeMap<(String, i64), usize>,
    /// The values that were read, by who read them.
    read: Vec<(usize, String)>,
}

/// How operations ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    issued: u64,
    ok: u64,
    /// Refused by a server.
    server: u64,
    not_sent: u64,
    indeterminate: u64,
    cancelled: u64,
    /// Connections that were dialled, and of these the ones that have ended.
    pub(super) dialled: u64,
    pub(super) ended: u64,
}

/// One command of a client.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) client: usize,
    pub(super) begin: u64,
    pub(super) command: Vec<String>,
    end: Option<(u64, End)>,
}

/// How an operation ended.
#[derive(Clone, Debug)]
pub(super) enum End {
    Done,
    Failed(Error),
    /// Whoever wanted it has left.
    Cancelled,
}

impl Operation {
    pub(super) fn new(client: usize, begin: u64, command: Vec<String>) -> Self {
        Self {
            client,
            begin,
            command,
            end: None,
        }
    }

    pub(super) fn reads(&self) -> bool {
        matches!(&*self.command[0], "GET" | "MGET")
    }

    /// The error that it ended with.
    pub(super) fn error(&self) -> Option<&Error> {
        match &self.end {
            Some((_, End::Failed(error))) => Some(error),
            _ => None,
        }
    }

    /// How often it may have been executed.
    fn executions(&self) -> std::ops::RangeInclusive<usize> {
        match &self.end {
            Some((_, End::Cancelled)) => 0..=1,
            Some((_, End::Failed(error))) if error.may_have_executed() => 0..=1,
            Some((_, End::Failed(_))) => 0..=0,
            Some((_, End::Done)) | None => 1..=1,
        }
    }
}

impl Ledger {
    pub(super) fn add(&mut self, operation: Operation) -> usize {
        self.operations.push(operation);
        self.operations.len() - 1
    }

    /// Notes that a node has executed a write.
    pub(super) fn executed(&mut self, request: &Request) {
        if matches!(request.verb, Verb::Set | Verb::RPush) {
            *self.writes.entry(request.value.clone()).or_default() += 1;
        }
    }

    /// Notes that the caller of an operation has left; says whether it had not ended before.
    pub(super) fn cancel(&mut self, at: usize, now: u64) -> bool {
        let operation = &mut self.operations[at];
        let is_open = operation.end.is_none();
        operation.end.get_or_insert((now, End::Cancelled));
        is_open
    }

    /// Notes how an operation ended, and says what is wrong with that.
    pub(super) fn end(
        &mut self,
        at: usize,
        now: u64,
        outcome: Result<Reply>,
    ) -> std::result::Result<(), String> {
        let operation = &mut self.operations[at];
        let command = operation.command.clone();
        if operation.end.is_some() {
            return Err(format!("{command:?} ended twice"));
        }
        if now > operation.begin + DEADLINE + SLACK {
            return Err(format!(
                "{command:?} ended {} us late",
                now - operation.begin - DEADLINE
            ));
        }
        let reply = match outcome {
            Err(error) => {
                operation.end = Some((now, End::Failed(error)));
                return Ok(());
            }
            Ok(reply) => reply,
        };
        operation.end = Some((now, End::Done));
        let wrong = Err(format!("{command:?} was answered {reply:?}"));
        let keys = &command[1..];
        match (&*command[0], reply) {
            ("GET", Reply::Text(text)) => self.read(at, &keys[0], text),
            ("MGET", Reply::Texts(texts)) if texts.len() == keys.len() => keys
                .iter()
                .zip(texts)
                .try_for_each(|(key, text)| self.read(at, key, text)),
            ("SET", Reply::Ok) => Ok(()),
            ("INCR", Reply::Integer(number)) => {
                match self.counted.insert((keys[0].clone(), number), at) {
                    None => Ok(()),
                    Some(_) => Err(format!("{command:?} was answered {number}, as another was")),
                }
            }
            ("RPUSH", Reply::Integer(length)) if length > 0 => Ok(()),
            _ => wrong,
        }
    }

    /// A value says to which key it belongs.
    fn read(
        &mut self,
        at: usize,
        key: &str,
        text: Option<String>,
    ) -> std::result::Result<(), String> {
        let Some(text) = text else { return Ok(()) };
        if text.split('|').next() != Some(key) {
            return Err(format!("{key} was answered {text}"));
        }
        self.read.push((at, text));
        Ok(())
    }

    /// How operations ended so far.
    pub(super) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for operation in &self.operations {
            counts.issued += 1;
            *match &operation.end {
                Some((_, End::Done)) => &mut counts.ok,
                Some((_, End::Cancelled)) => &mut counts.cancelled,
                Some((_, End::Failed(error))) if error.kind() == ErrorKind::Server => {
                    &mut counts.server
                }
                Some((_, End::Failed(error))) if error.may_have_executed() => {
                    &mut counts.indeterminate
                }
                Some((_, End::Failed(_))) => &mut counts.not_sent,
                None => continue,
            } += 1;
        }
        counts
    }

    /// What is wrong in the end, when nothing happens any more.
    pub(super) fn check(&self, cluster: &Cluster) -> std::result::Result<(), String> {
        let mut by_value = BTreeMap::new();
        for operation in &self.operations {
            if operation.end.is_none() {
                return Err(format!("{:?} never ended", operation.command));
            }
            if let Some(value) = operation.command.get(2)
                && operation.command[0] != "MGET"
            {
                by_value.insert(value.clone(), operation);
            }
        }
        for (value, operation) in &by_value {
            let times = self.writes.get(value).copied().unwrap_or(0) as usize;
            if !operation.executions().contains(&times) {
                return Err(format!(
                    "{:?} was executed {times} times, and ended with {:?}",
                    operation.command, operation.end
                ));
            }
        }
        for (_, text) in &self.read {
            if by_value
                .get(text)
                .is_none_or(|it| it.executions() == (0..=0))
            {
                return Err(format!("{text} was read, and never written"));
            }
        }
        for (at, key) in KEYS.iter().enumerate() {
            let value = cluster.value(at);
            let of = |verb: &str| -> Vec<&Operation> {
                let is = |it: &&Operation| it.command[0] == verb && it.command[1] == *key;
                self.operations.iter().filter(is).collect()
            };
            for operation in of("RPUSH") {
                let times = value
                    .list
                    .iter()
                    .filter(|it| **it == operation.command[2])
                    .count();
                if !operation.executions().contains(&times) {
                    return Err(format!(
                        "{:?} is {times} times in the list",
                        operation.command
                    ));
                }
            }
            let incremented = of("INCR");
            let least: usize = incremented.iter().map(|it| *it.executions().start()).sum();
            let most: usize = incremented.iter().map(|it| *it.executions().end()).sum();
            let number = usize::try_from(value.number).unwrap();
            if !(least..=most).contains(&number) {
                return Err(format!("{key} is {number}, expected {least} to {most}"));
            }
        }
        Ok(())
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.issued += other.issued;
        self.ok += other.ok;
        self.server += other.server;
        self.not_sent += other.not_sent;
        self.indeterminate += other.indeterminate;
        self.cancelled += other.cancelled;
        self.dialled += other.dialled;
        self.ended += other.ended;
    }
}

impl Display for Counts {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} operations = {} ok + {} refused + {} not sent + {} indeterminate + {} cancelled; {} of {} connections ended",
            self.issued,
            self.ok,
            self.server,
            self.not_sent,
            self.indeterminate,
            self.cancelled,
            self.ended,
            self.dialled
        )
    }
}

/// How late an operation may end, in microseconds.
const SLACK: u64 = 250_000;
