//! The two ends of a connection: the machine that clients run, between a socket that takes as much as
//! the network likes and the calls that wait, and a node that reads whatever pieces arrive.

use std::time::Instant;

use bytes::Bytes;

use super::{chance::Chance, world::Mutant};
use crate::{
    address::Address,
    command::{EachError, Exchange, Pipelined, raw},
    config::Config,
    error::{Error, Result},
    events::Events,
    protocol::{
        Admission, Chunk, ConnectionSettings, Delivered, Dispatch, DriverView, DriverWork, Inbound,
        Key, Loss, Outbound, Polled, Receiver, Step, Ticket, Time, WriteStep,
    },
    resp::{Frame, Frames, Limits, Output},
};

/// Who waits for a reply: a task, and which of its waits it is.
pub(super) type Waiter = (usize, u32);

/// The client's end: it does what the drivers of both clients do.
pub(super) struct ClientEnd {
    inbound: Inbound,
    machine: Outbound<Waiter>,
    dispatch: Dispatch<Waiter>,
    view: DriverView,
    /// Taken from the machine, and not taken by the socket.
    output: Box<Output>,
    /// How many bytes the socket has taken.
    written: u64,
    /// The socket takes no more for now.
    is_full: bool,
    /// How many of a hundred writes are taken in part.
    short: u64,
    mutant: Option<Mutant>,
    todo: Todo,
}

/// Where a call waits.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    /// In front of the connection, until less is unanswered.
    InFront(Key),
    Sent(Key, Ticket),
}

/// What a call finds where it waits.
pub(super) enum Found {
    Nothing,
    /// It may be sent.
    Admitted,
    Answer(Result<Frames>),
}

/// What is to be done for an end beside what it has done itself.
#[derive(Default)]
pub(super) struct Todo {
    /// What the socket has taken goes to the node.
    pub(super) sent: Vec<Bytes>,
    /// Who is to be told to look.
    pub(super) told: Vec<Waiter>,
    /// The driver is to run, behind those who are told.
    pub(super) drive: bool,
    /// The socket is full, and says when it takes more.
    pub(super) is_full: bool,
    /// [`ClientEnd::time`] is to be called by then.
    pub(super) timer: Option<Instant>,
    /// The connection is to end.
    pub(super) end: Option<Error>,
    /// What has come cannot be paired.
    pub(super) broken: Option<Error>,
}

impl ClientEnd {
    /// The end of a connection after its handshake; of a hundred writes so many are `short`.
    pub(super) fn new(settings: ConnectionSettings, short: u64, mutant: Option<Mutant>) -> Self {
        Self {
            inbound: Inbound::new(Receiver::new(Limits::default())),
            machine: Outbound::new(settings),
            dispatch: Dispatch::new(),
            view: DriverView::default(),
            output: Box::default(),
            written: 0,
            is_full: false,
            short,
            mutant,
            todo: Todo::default(),
        }
    }

    /// What is to be done now.
    pub(super) fn take_todo(&mut self) -> Todo {
        std::mem::take(&mut self.todo)
    }

    /// Sends an exchange, or has it wait for its turn; `admitted` says that this has come.
    ///
    /// # Errors
    ///
    /// The connection has ended.
    pub(super) fn send<E: Exchange>(
        &mut self,
        exchange: &E,
        waiter: Waiter,
        time: Time,
        admitted: bool,
        chance: &mut Chance,
    ) -> Result<Place> {
        let mut chunk = Chunk::encode(exchange, 0, None)?;
        let (place, step) = match self.machine.admission(&chunk, admitted)? {
            Admission::Send => {
                assert!(chunk.next().is_none(), "no call here is that long");
                let (key, ticket, step) = self.machine.send(&mut chunk, waiter, time);
                (Place::Sent(key, ticket), step)
            }
            Admission::Wait => {
                let (key, step) = self.machine.wait(waiter, time);
                (Place::InFront(key), step)
            }
        };
        self.follow(step, chance);
        Ok(place)
    }

    /// What has come where a call waits; it waits there no longer, unless that is nothing.
    pub(super) fn poll(&mut self, place: Place, chance: &mut Chance) -> Found {
        let polled = match place {
            Place::InFront(key) => self.machine.poll_turn(key, |_| true),
            Place::Sent(key, ticket) => {
                let (polled, turn) = self.machine.poll(key, &(ticket..=ticket), |_| true);
                self.turn(turn, chance);
                polled
            }
        };
        match (polled, place) {
            (Polled::Answered(Ok(_)), Place::InFront(_)) => Found::Admitted,
            (Polled::Answered(result), _) => Found::Answer(result),
            (Polled::Pending | Polled::Stale | Polled::More, _) => Found::Nothing,
        }
    }

    /// Forgets a call.
    pub(super) fn forget(&mut self, place: Place, chance: &mut Chance) {
        let (_, step) = match place {
            Place::InFront(key) => self.machine.forget_turn(Some(key)),
            Place::Sent(key, ticket) => self.machine.forget(key, &(ticket..=ticket)),
        };
        self.follow(step, chance);
    }

    /// Bytes have come.
    pub(super) fn receive(&mut self, bytes: &[u8], chance: &mut Chance) {
        self.inbound.extend(bytes);
        self.drive(chance);
    }

    /// The socket takes more.
    pub(super) fn make_room(&mut self, chance: &mut Chance) {
        self.is_full = false;
        self.drive(chance);
    }

    /// Does what a driver does when it was woken.
    pub(super) fn drive(&mut self, chance: &mut Chance) {
        if self.machine.is_closed() {
            return;
        }
        loop {
            let heard = self.inbound.take_heard();
            let has_more = !self.output.is_empty();
            match self.machine.look(heard, has_more, &mut self.view) {
                DriverWork::Close(error) => {
                    self.todo.end = Some(error);
                    return;
                }
                DriverWork::Nothing => break,
                DriverWork::Write => {
                    let is_left = self.write(chance);
                    self.machine.driver_wrote(self.written, is_left);
                    if is_left {
                        break;
                    }
                }
            }
        }
        loop {
            match self.inbound.gather(self.view.wake_batch, self.view.run) {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    self.todo.broken = Some(error);
                    return;
                }
            }
            let handed =
                self.machine
                    .deliver(&mut self.inbound, &mut self.view, &mut self.dispatch);
            self.tell();
            match handed {
                Ok(Delivered::Few) => {}
                Ok(Delivered::Batch) => {
                    self.todo.drive = true;
                    return;
                }
                Err(error) => {
                    self.todo.broken = Some(error);
                    return;
                }
            }
        }
    }

    /// Time has passed, as was wanted.
    pub(super) fn time(&mut self, now: Instant, chance: &mut Chance) {
        let turn = self.machine.handle_timeout(now, &mut self.dispatch);
        self.tell();
        self.turn(turn, chance);
        self.todo.timer = self.machine.poll_timeout();
    }

    /// The connection has ended, for this reason or because the node has closed it.
    pub(super) fn end(&mut self, why: Option<Error>, now: Instant) {
        let error = why.unwrap_or_else(|| self.machine.lost(Loss::Closed));
        let written = match self.mutant {
            Some(Mutant::WrittenForgotten) => 0,
            _ => self.written,
        };
        self.machine
            .end(&error, Some(written), now, &mut self.dispatch);
        self.tell();
    }

    fn follow(&mut self, step: Step<Waiter>, chance: &mut Chance) {
        self.todo.told.extend(step.admitted);
        let timers = [self.todo.timer, step.timer].into_iter().flatten();
        self.todo.timer = timers.min();
        self.turn(step.turn, chance);
    }

    fn turn(&mut self, turn: WriteStep, chance: &mut Chance) {
        match turn {
            WriteStep::Write => {
                let is_left = self.write(chance);
                let turn = self.machine.wrote(self.written, is_left);
                self.todo.drive |= turn == WriteStep::Wake;
            }
            WriteStep::Wake => self.todo.drive = true,
            WriteStep::Nothing => {}
        }
    }

    /// Writes as much as the socket takes; says whether anything is left.
    fn write(&mut self, chance: &mut Chance) -> bool {
        if self.output.is_empty() {
            self.machine.take_output(&mut self.output);
        }
        if self.is_full || self.output.is_empty() {
            return !self.output.is_empty();
        }
        let mut slices = [std::io::IoSlice::new(&[]); 8];
        let used = self.output.slices(&mut slices);
        let mut bytes: Vec<u8> = slices[..used]
            .iter()
            .flat_map(|it| it.iter().copied())
            .collect();
        if chance.happens(self.short) {
            bytes.truncate(chance.below(bytes.len()));
            self.is_full = true;
            self.todo.is_full = true;
        }
        self.written += bytes.len() as u64;
        self.output.advance(bytes.len());
        if !bytes.is_empty() {
            self.todo.sent.push(bytes.into());
        }
        !self.output.is_empty()
    }

    fn tell(&mut self) {
        self.todo.told.append(&mut self.dispatch.waiters);
        self.dispatch.clear();
    }
}

/// The node's end.
pub(super) struct NodeEnd {
    receiver: Receiver,
    /// Whether `ASKING` stands in front of the next command.
    pub(super) is_asking: bool,
}

impl NodeEnd {
    pub(super) fn new() -> Self {
        Self {
            receiver: Receiver::new(Limits::default()),
            is_asking: false,
        }
    }

    /// Bytes have come.
    pub(super) fn receive(&mut self, bytes: &[u8]) {
        self.receiver.extend(bytes);
    }

    /// The next command that has come whole.
    ///
    /// # Errors
    ///
    /// These bytes are no command.
    pub(super) fn command(&mut self) -> std::result::Result<Option<Frame>, String> {
        self.receiver.frame().map_err(|error| error.to_string())
    }
}

/// Replies of both versions of the protocol, some of them with a push in front or inside.
const REPLIES: [&[u8]; 20] = [
    b"+OK\r\n",
    b":12\r\n",
    b"$4\r\ntext\r\n",
    b"$-1\r\n",
    b"*-1\r\n",
    b"*2\r\n$4\r\ntext\r\n$-1\r\n",
    b"-WRONGTYPE not a list\r\n",
    b"$0\r\n\r\n",
    b"*0\r\n",
    b"_\r\n",
    b",1.5\r\n",
    b"#t\r\n",
    b"(12345678901234567890\r\n",
    b"=7\r\ntxt:abc\r\n",
    b"%1\r\n+k\r\n*1\r\n:1\r\n",
    b"~2\r\n:1\r\n:2\r\n",
    b"!3\r\nERR\r\n",
    b"|1\r\n+ttl\r\n:5\r\n$2\r\nab\r\n",
    b">2\r\n+x\r\n+y\r\n:7\r\n",
    b"*2\r\n>2\r\n+x\r\n+y\r\n:1\r\n:2\r\n",
];

/// What calls get when these replies come in these pieces: a pipeline, one command, and so on.
fn answers(replies: &[&[u8]], pieces: &[&[u8]]) -> Vec<Vec<u8>> {
    let now = Instant::now();
    let mut chance = Chance::new(1);
    let server = Address::Unix("s".into());
    let settings =
        ConnectionSettings::shared(&Config::default(), &server.into(), &Events::default());
    let mut end = ClientEnd::new(settings, 0, None);
    let time = Time {
        now,
        deadline: None,
    };
    let mut places = Vec::new();
    let mut left = replies.len();
    for length in [7, 1].into_iter().cycle() {
        let length = left.min(length);
        if length == 0 {
            break;
        }
        left -= length;
        let commands: Vec<_> = (0..length).map(|_| raw("X")).collect();
        let batch = Pipelined::<_, EachError>::new(commands);
        let waiter = (places.len(), 0);
        places.push(end.send(&batch, waiter, time, false, &mut chance).unwrap());
    }
    let mut told = Vec::new();
    for piece in pieces {
        end.receive(piece, &mut chance);
        loop {
            let todo = end.take_todo();
            assert!(todo.broken.is_none(), "{:?}", todo.broken);
            told.extend(todo.told);
            if !todo.drive {
                break;
            }
            end.drive(&mut chance);
        }
    }
    assert_eq!(told.len(), places.len(), "each is told once");
    let answer = |place| match end.poll(place, &mut chance) {
        Found::Answer(Ok(frames)) => {
            let frames = frames.iter().map(|reply| reply.raw().to_vec());
            frames.collect::<Vec<_>>().concat()
        }
        _ => panic!("expected an answer"),
    };
    places.into_iter().map(answer).collect()
}

#[test]
fn f26_calls_get_the_same_wherever_200_replies_are_cut() {
    let replies: Vec<_> = REPLIES.iter().copied().cycle().take(200).collect();
    let bytes = replies.concat();
    let whole = answers(&replies, &[&bytes]);
    for cut in 1..bytes.len() {
        let (first, second) = bytes.split_at(cut);
        assert_eq!(answers(&replies, &[first, second]), whole, "cut at {cut}");
    }
    let ones: Vec<_> = bytes.chunks(1).collect();
    assert_eq!(answers(&replies, &ones), whole);
}

#[test]
fn f26_calls_get_the_same_from_any_three_pieces() {
    for replies in [
        &REPLIES[..6],
        &REPLIES[9..14],
        &REPLIES[14..17],
        &REPLIES[17..],
    ] {
        let bytes = replies.concat();
        assert!(bytes.len() <= 64, "{}", bytes.len());
        let whole = answers(replies, &[&bytes]);
        for first in 1..bytes.len() {
            for second in first + 1..bytes.len() {
                let pieces = [&bytes[..first], &bytes[first..second], &bytes[second..]];
                assert_eq!(answers(replies, &pieces), whole, "cut at {first}, {second}");
            }
        }
    }
}
