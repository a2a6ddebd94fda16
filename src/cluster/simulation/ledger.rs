//! What was asked, what was answered, and what must be true of both.

use std::collections::BTreeMap;

use super::{
    model::{Cluster, KEYS, Reply, Request, Verb},
    world::DEADLINE,
};
use crate::error::{Error, Result};

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
        match self.error() {
            None => 1..=1,
            Some(error) if error.may_have_executed() => 0..=1,
            Some(_) => 0..=0,
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

/// How late an operation may end, in microseconds.
const SLACK: u64 = 250_000;
