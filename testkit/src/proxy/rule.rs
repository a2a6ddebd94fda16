//! What is to happen, and where in the traffic.

use std::time::Duration;

/// A direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the client to the server.
    Requests,
    /// From the server to the client.
    Replies,
}

/// An action at a place in the traffic of one connection.
///
/// It applies once, unless it is to apply [again and again](Self::each).
#[derive(Clone, Debug)]
pub struct Rule {
    pub(crate) at: At,
    pub(crate) action: Action,
    pub(crate) each: bool,
}

/// A place in the traffic of one connection, to the byte.
///
/// Requests and replies are counted from zero, from the moment when the [`Rule`] is given: on a new
/// connection that includes the client's handshake. A reply is a whole one at the top, with the
/// attributes in front of it; pushes are none.
#[derive(Clone, Debug)]
pub struct At {
    pub(crate) way: Way,
    pub(crate) anchor: Anchor,
    pub(crate) bytes: u64,
}

/// A place that is known by what stands there.
#[derive(Clone, Debug)]
pub(crate) enum Anchor {
    Now,
    Start(u64),
    End(u64),
    Command { name: Vec<u8>, skip: u64 },
    Inside(u64),
}

/// What happens to a connection.
///
/// Unless it says something else, an action lasts until [`Heal`](Self::Heal). What is of one
/// direction is of that of its place.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Action {
    /// Ends the connection to the client with RST, that to the server in an orderly way. What has
    /// been handed over until then arrives before it.
    Reset,
    /// Ends the connection to the client with FIN, and that to the server. What the client still
    /// sends is read and lost.
    Close,
    /// Tells the peer that this direction has ended, and loses what still comes; the other direction
    /// goes on.
    HalfClose,
    /// Nothing passes any more, in both directions, and nobody is told.
    ///
    /// On Linux the kernel drops the client's packets, so that they are not even acknowledged, as if
    /// the cable were cut. Elsewhere the proxy stops reading and writing, and the client's bytes are
    /// acknowledged until its window is full.
    BlackHole,
    /// Nothing of this direction is read any more, so that the sender's window fills.
    StopReading,
    /// Undoes all that lasts; what was held back passes, and what was lost stays lost.
    Heal,
    /// Holds back what follows in this direction, once.
    Hold(Duration),
    /// Everything of this direction arrives so much later.
    Latency(Duration),
    /// Passes this direction in pieces of these sizes in turn, each in a write of its own.
    Split(Vec<usize>),
    /// Passes this direction in pieces of so many bytes, with a pause behind each.
    Throttle {
        /// Bytes of a piece.
        piece: usize,
        /// How long nothing passes after it.
        pause: Duration,
    },
    /// Nothing is read of the other direction while this one waits for its reader, as by a server
    /// that does one thing after the other.
    Lockstep,
    /// Passes these bytes as if the sender had sent them, once.
    Inject(Vec<u8>),
    /// Passes the frame that begins here, or the next one, twice.
    Duplicate,
    /// Does not pass the frame that begins here, or the next one.
    Drop,
    /// Passes the frame that begins here, or the next one, behind the one that follows it.
    Swap,
}

impl Rule {
    /// Once the traffic has come to `at`, does `action`.
    pub fn new(at: At, action: Action) -> Self {
        Self {
            at,
            action,
            each: false,
        }
    }

    /// Does so again and again. What is counted, such as the requests or the commands of a name that are
    /// passed over, is counted anew each time: `At::command("GET").after(9)` is every tenth.
    pub fn each(mut self) -> Self {
        self.each = true;
        self
    }
}

impl At {
    /// In front of the next byte of this direction, without waiting for it.
    pub fn now(way: Way) -> Self {
        Self::new(way, Anchor::Now)
    }

    /// In front of a request.
    pub fn request(number: u64) -> Self {
        Self::new(Way::Requests, Anchor::Start(number))
    }

    /// Behind a request.
    pub fn after_request(number: u64) -> Self {
        Self::new(Way::Requests, Anchor::End(number))
    }

    /// In front of the next request with this command's name.
    pub fn command(name: &str) -> Self {
        Self::named(Way::Requests, name)
    }

    /// In front of a reply.
    pub fn reply(number: u64) -> Self {
        Self::new(Way::Replies, Anchor::Start(number))
    }

    /// Behind a reply.
    pub fn after_reply(number: u64) -> Self {
        Self::new(Way::Replies, Anchor::End(number))
    }

    /// In front of the reply to the next command of this name.
    pub fn reply_to(name: &str) -> Self {
        Self::named(Way::Replies, name)
    }

    /// Inside the next reply that has more than so many elements, behind that many of them.
    pub fn inside_reply(elements: u64) -> Self {
        Self::new(Way::Replies, Anchor::Inside(elements))
    }

    /// So many bytes further on.
    pub fn plus(mut self, bytes: u64) -> Self {
        self.bytes += bytes;
        self
    }

    /// At the one after so many others of this name.
    ///
    /// # Panics
    ///
    /// If this is not the place of a command's name.
    pub fn after(mut self, others: u64) -> Self {
        match &mut self.anchor {
            Anchor::Command { skip, .. } => *skip += others,
            other => panic!("expected a place by name, found {other:?}"),
        }
        self
    }

    fn named(way: Way, name: &str) -> Self {
        let name = name.to_ascii_uppercase().into_bytes();
        Self::new(way, Anchor::Command { name, skip: 0 })
    }

    fn new(way: Way, anchor: Anchor) -> Self {
        Self {
            way,
            anchor,
            bytes: 0,
        }
    }
}

impl Anchor {
    /// How many such places are passed over.
    pub(crate) fn skip(&self) -> u64 {
        match self {
            Self::Start(number) | Self::End(number) => *number,
            Self::Command { skip, .. } => *skip,
            Self::Now | Self::Inside(_) => 0,
        }
    }
}

impl Action {
    /// Whether it is a fault, as opposed to a change of pace or the end of one.
    pub(crate) fn is_fault(&self) -> bool {
        match self {
            Self::Reset
            | Self::Close
            | Self::HalfClose
            | Self::BlackHole
            | Self::StopReading
            | Self::Hold(_)
            | Self::Inject(_)
            | Self::Duplicate
            | Self::Drop
            | Self::Swap => true,
            Self::Heal
            | Self::Latency(_)
            | Self::Split(_)
            | Self::Throttle { .. }
            | Self::Lockstep => false,
        }
    }

    /// Whether it is about the frame that is next.
    pub(crate) fn is_of_a_frame(&self) -> bool {
        matches!(self, Self::Duplicate | Self::Drop | Self::Swap)
    }

    /// A word for reports.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Reset => "reset",
            Self::Close => "close",
            Self::HalfClose => "half close",
            Self::BlackHole => "black hole",
            Self::StopReading => "stop reading",
            Self::Heal => "heal",
            Self::Hold(_) => "hold",
            Self::Latency(_) => "latency",
            Self::Split(_) => "split",
            Self::Throttle { .. } => "throttle",
            Self::Lockstep => "lockstep",
            Self::Inject(_) => "inject",
            Self::Duplicate => "duplicate",
            Self::Drop => "drop",
            Self::Swap => "swap",
        }
    }
}
