//! The answers of nodes, which become one for each command.

use std::{mem, ops::Range};

use bytes::Bytes;

use super::{
    attempt::Attempt,
    encoded::Piece,
    join::{self, NodeAnswer},
    request::{Done, Request},
};
use crate::{
    cluster::{ClusterState, NodeAddress},
    command::Join,
    error::{Error, ErrorKind, Result},
    resp::Frame,
};

/// The answers of nodes, which become one for each command.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    commands: Vec<Command>,
    places: Vec<Place>,
}

#[derive(Debug)]
struct Command {
    name: &'static str,
    places: Range<usize>,
    join: Option<Join>,
}

#[derive(Debug)]
struct Place {
    items: Vec<usize>,
    from: Option<NodeAddress>,
    frames: Result<Vec<Frame>>,
}

impl Answers {
    /// Keeps the answer to a request, which came from that node if it is known.
    pub(crate) fn put(
        &mut self,
        request: &Request,
        from: Option<NodeAddress>,
        frames: Result<Vec<Frame>>,
    ) {
        if let Some(place) = self.places.get_mut(request.place) {
            place.from = from;
            place.frames = frames;
        }
    }

    /// Keeps what came of requests.
    pub(crate) fn put_all(&mut self, state: &ClusterState, done: Vec<Done>) {
        for (request, frames) in done {
            let node = state.node(request.call.node());
            let from = node.map(|node| node.address.clone());
            self.put(&request, from, frames);
        }
    }

    /// One answer for each frame that the exchange waits for.
    pub(crate) fn finish(mut self, random: u64) -> Vec<Result<Frame>> {
        let mut finished = Vec::with_capacity(self.commands.len());
        for command in &self.commands {
            let places = self.places.get_mut(command.places.clone());
            let places = places.unwrap_or_default().iter_mut();
            match command.join {
                None => {
                    for place in places {
                        match mem::replace(&mut place.frames, Err(unanswered())) {
                            Ok(frames) => finished.extend(frames.into_iter().map(Ok)),
                            Err(error) => finished.push(Err(error)),
                        }
                    }
                }
                Some(join) => {
                    let answers: Vec<_> = places.map(Place::answer).collect();
                    let joined = join::join(join, &answers, random);
                    finished.push(joined.map_err(|error| error.with_command(command.name)));
                }
            }
        }
        finished
    }

    /// Puts the values of parts in the order of the parts, to see whether that is noticed.
    #[cfg(test)]
    pub(super) fn misorder(&mut self) {
        for command in &self.commands {
            let mut next = 0..;
            let places = self.places.get_mut(command.places.clone());
            for place in places.unwrap_or_default() {
                for item in &mut place.items {
                    *item = next.next().unwrap_or(*item);
                }
            }
        }
    }

    pub(super) fn request(
        &mut self,
        piece: &Piece,
        bytes: Bytes,
        items: Vec<usize>,
        call: Attempt,
    ) -> Request {
        let place = self.places.len();
        self.places.push(Place {
            items,
            from: None,
            frames: Err(unanswered()),
        });
        Request {
            place,
            name: piece.info.name,
            bytes,
            frames: piece.frames,
            ends: piece.ends(),
            call,
        }
    }

    /// The requests since the last end are those of this command.
    pub(super) fn end(&mut self, piece: &Piece, join: Option<Join>) {
        let first = self.commands.last().map_or(0, |last| last.places.end);
        self.commands.push(Command {
            name: piece.info.name,
            places: first..self.places.len(),
            join,
        });
    }
}

impl Place {
    fn answer(&mut self) -> NodeAnswer {
        let frames = mem::replace(&mut self.frames, Err(unanswered()));
        let weight = match &frames {
            Ok(frames) => frames.get(1).and_then(|frame| frame.reply().integer()),
            Err(_) => None,
        };
        NodeAnswer {
            weight,
            from: self.from.take().unwrap_or_else(|| NodeAddress::new("", 0)),
            items: mem::take(&mut self.items),
            reply: frames.and_then(|frames| frames.into_iter().next().ok_or_else(unanswered)),
        }
    }
}

fn unanswered() -> Error {
    Error::new(ErrorKind::Connection, "a part of the command has no answer")
}
