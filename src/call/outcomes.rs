//! Requests on their way: those for one node together, and what becomes of each of them.

use std::{collections::HashMap, mem, time::Instant, vec};

use super::{
    attempt::Next,
    request::{Done, Request},
};
use crate::{
    address::Address,
    cluster::ClusterState,
    command::Info,
    error::{Error, ErrorKind, Phase, Result},
    resp::Frame,
};

/// Requests in groups, each of which is for one node and in order.
pub(crate) fn by_node(requests: Vec<Request>) -> Vec<Vec<Request>> {
    let mut groups: Vec<Vec<Request>> = Vec::new();
    let mut places = HashMap::new();
    for request in requests {
        let place = *places
            .entry(request.call.node())
            .or_insert_with(|| groups.len());
        match groups.get_mut(place) {
            Some(group) => group.push(request),
            None => groups.push(vec![request]),
        }
    }
    groups
}

/// What becomes of requests.
#[derive(Debug, Default)]
pub(crate) struct Outcomes {
    /// They are answered, or have failed.
    pub(crate) done: Vec<Done>,
    /// They go on at once, wherever they belong now.
    pub(crate) moved: Vec<Request>,
    /// They wait for [`Outcomes::until`], or until the topology has changed.
    pub(crate) waiting: Vec<Request>,
    /// Until when, if any of them waits.
    pub(crate) until: Option<Instant>,
}

impl Outcomes {
    /// Decides about requests that were sent together, to which these frames came.
    ///
    /// `extended` is the new deadline of requests that the server may have held back for long.
    pub(crate) fn answered(
        requests: Vec<Request>,
        came: Result<Vec<Frame>>,
        state: &mut ClusterState,
        extended: Option<Option<Instant>>,
        now: Instant,
        random: u64,
    ) -> Self {
        let mut random = fastrand::Rng::with_seed(random);
        let mut came = Received::new(came);
        let mut outcomes = Self::default();
        for mut request in requests {
            if let Some(deadline) = extended {
                request.call.extend(deadline);
            }
            let mut frames = came.next(request.awaited());
            let next = match &mut frames {
                Ok(frames) => request.received(state, frames, now, random.u64(..)),
                Err(error) => request.call.lost(state, error.clone(), now, random.u64(..)),
            };
            match next {
                Next::Answer => {
                    if frames.is_ok() {
                        outcomes.fail_overtaken(&request);
                    }
                    outcomes.done.push((request, frames));
                }
                Next::GiveUp(error) => outcomes.done.push((request, Err(error))),
                Next::Send => outcomes.moved.push(request),
                Next::Wait(at) => {
                    outcomes.until = outcomes.until.max(Some(at));
                    outcomes.waiting.push(request);
                }
            }
        }
        if outcomes.waiting.is_empty() {
            outcomes.until = None;
        }
        outcomes
    }

    /// Ends writes that were not executed once a later command to the same place was: to send them
    /// again would change the order in which the caller has said them.
    fn fail_overtaken(&mut self, by: &Request) {
        let waiting = mem::take(&mut self.waiting).into_iter();
        for request in waiting {
            match request.call.overtaken(&by.call) {
                Some(error) => self.done.push((request, Err(error))),
                None => self.waiting.push(request),
            }
        }
    }

    /// Finds out where requests go that have waited; none of them waits any more.
    pub(crate) fn resumed(
        requests: Vec<Request>,
        state: &mut ClusterState,
        now: Instant,
        random: u64,
    ) -> Self {
        let mut random = fastrand::Rng::with_seed(random);
        let mut outcomes = Self::default();
        for mut request in requests {
            match request.call.resume(state, now, random.u64(..)) {
                Next::GiveUp(error) => outcomes.done.push((request, Err(error))),
                Next::Send | Next::Wait(_) | Next::Answer => outcomes.moved.push(request),
            }
        }
        outcomes
    }
}

/// When the first of requests has to be answered, if any has to.
pub(crate) fn deadline(requests: &[Request]) -> Option<Instant> {
    requests.iter().filter_map(|it| it.call.deadline()).min()
}

/// The frames of several requests, one behind the other, or the error of all of them.
struct Received(Result<vec::IntoIter<Frame>>);

impl Received {
    fn new(frames: Result<Vec<Frame>>) -> Self {
        Self(frames.map(Vec::into_iter))
    }

    /// The frames of the next request, of which there are so many.
    fn next(&mut self, count: usize) -> Result<Vec<Frame>> {
        match &mut self.0 {
            Ok(frames) => Ok(frames.take(count).collect()),
            Err(error) => Err(error.clone()),
        }
    }
}

/// The error of a call that has waited in vain for a connection to a server.
pub(crate) fn no_connection_to(server: &Address, since: Instant, now: Instant) -> Error {
    let waited = now.saturating_duration_since(since);
    Error::new(
        ErrorKind::Timeout(Phase::Connect),
        format!("no connection to {server} within {waited:.0?}"),
    )
}

/// The error of a call that has waited for a connection in vain.
pub(crate) fn no_connection() -> Error {
    Error::new(
        ErrorKind::Timeout(Phase::Connect),
        "no connection to the node within the time allowed",
    )
}

/// What is known of a connection that a caller wants: it will do anything.
pub(super) static DEDICATED: Info = Info {
    name: "dedicated connection",
    ..*Info::UNKNOWN
};
