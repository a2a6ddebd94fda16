//! What has passed through a proxy.

use std::collections::VecDeque;
use std::time::Instant;

/// What a [`Proxy`](super::Proxy) has seen: its connections, every request and what became of it, and
/// every fault.
#[derive(Debug, Default)]
pub struct Traffic {
    connections: Vec<Book>,
    faults: Vec<Fault>,
}

/// A request, and how much of it and of its reply has passed.
#[derive(Clone, Debug)]
pub struct Record {
    /// The number of its connection, in order of acceptance.
    pub connection: usize,
    /// Its number on that connection, the handshake's requests included.
    pub number: u64,
    /// How much of the request has come from the client and was handed to the server.
    pub request: Passed,
    /// How much of the reply has come from the server and was handed to the client.
    pub reply: Passed,
    /// When its first byte was here.
    pub arrived: Instant,
    /// When the last byte of its reply was handed to the client.
    pub answered: Option<Instant>,
    /// Its first bytes.
    head: Vec<u8>,
}

/// How much of a frame has passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// Bytes that have come from the sender.
    pub received: u64,
    /// Bytes that were handed to the receiver's kernel.
    pub delivered: u64,
    /// Bytes of the whole frame, once all of them were received.
    pub length: Option<u64>,
}

/// Something that a proxy has done to a connection.
#[derive(Clone, Debug)]
pub struct Fault {
    /// The number of the connection, in order of acceptance.
    pub connection: usize,
    /// What was done.
    pub action: &'static str,
    /// When.
    pub at: Instant,
    /// How many requests of the connection had begun to arrive and were not wholly answered.
    pub in_flight: usize,
}

/// Who ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The client.
    Client,
    /// The server, or there was none.
    Server,
    /// The proxy.
    Proxy,
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Book {
    accepted: Instant,
    ended: Option<(Instant, End)>,
    records: VecDeque<Record>,
    /// The number of the first request that is kept.
    first: u64,
    /// The number of the request whose reply is next.
    next_reply: u64,
    /// How many requests are not wholly answered.
    in_flight: usize,
    unasked: u64,
    malformed: bool,
}

impl Traffic {
    /// When each connection was accepted.
    pub fn dials(&self) -> impl ExactSizeIterator<Item = Instant> {
        self.connections.iter().map(|book| book.accepted)
    }

    /// The numbers of the connections that have not ended.
    pub fn open(&self) -> impl Iterator<Item = usize> {
        let numbered = self.connections.iter().enumerate();
        numbered.filter_map(|(number, book)| book.ended.is_none().then_some(number))
    }

    /// Who ended a connection, and when.
    pub fn ended(&self, connection: usize) -> Option<(Instant, End)> {
        self.connections.get(connection)?.ended
    }

    /// All requests that are kept, by connection and in order.
    pub fn records(&self) -> impl Iterator<Item = &Record> {
        self.connections.iter().flat_map(|book| &book.records)
    }

    /// All faults.
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// How many requests of a connection have begun to arrive and are not wholly answered.
    pub fn in_flight(&self, connection: usize) -> usize {
        let book = self.connections.get(connection);
        book.map_or(0, |book| book.in_flight)
    }

    /// How many requests of all open connections have begun to arrive and are not wholly answered.
    pub fn all_in_flight(&self) -> usize {
        let books = self.connections.iter();
        let open = books.filter(|book| book.ended.is_none());
        open.map(|book| book.in_flight).sum()
    }

    /// How many requests have begun to arrive so far, those that are not kept any more included.
    pub fn requests(&self) -> u64 {
        let books = self.connections.iter();
        books
            .map(|book| book.first + book.records.len() as u64)
            .sum()
    }

    /// How many replies came that nothing was asked for.
    pub fn unasked(&self) -> u64 {
        self.connections.iter().map(|book| book.unasked).sum()
    }

    /// How many connections have carried something that is not RESP.
    pub fn malformed(&self) -> usize {
        let books = self.connections.iter();
        books.filter(|book| book.malformed).count()
    }

    /// Forgets the requests that are wholly answered, and those of connections that have ended, so
    /// that a long run needs no more memory than a short one.
    pub fn take_records(&mut self) -> Vec<Record> {
        let mut taken = Vec::new();
        for book in &mut self.connections {
            let ended = book.ended.is_some();
            while let Some(record) = book.records.front() {
                let answered = record.answered.is_some() && record.number < book.next_reply;
                if !ended && !answered {
                    break;
                }
                book.first += 1;
                book.in_flight -= usize::from(record.answered.is_none());
                taken.extend(book.records.pop_front());
            }
        }
        taken
    }

    /// Opens the book of a new connection.
    pub(crate) fn accept(&mut self, now: Instant) -> usize {
        self.connections.push(Book {
            accepted: now,
            ended: None,
            records: VecDeque::new(),
            first: 0,
            next_reply: 0,
            in_flight: 0,
            unasked: 0,
            malformed: false,
        });
        self.connections.len() - 1
    }

    pub(crate) fn book(&mut self, connection: usize) -> &mut Book {
        &mut self.connections[connection]
    }

    pub(crate) fn fault(&mut self, connection: usize, action: &'static str, at: Instant) {
        let in_flight = self.in_flight(connection);
        self.faults.push(Fault {
            connection,
            action,
            at,
            in_flight,
        });
    }

    pub(crate) fn end(&mut self, connection: usize, at: Instant, end: End) {
        self.connections[connection].ended.get_or_insert((at, end));
    }
}

impl Record {
    /// The words of the request as far as they were kept, which is some two hundred bytes; of an
    /// argument that was cut there is only what was kept.
    pub fn words(&self) -> Vec<&[u8]> {
        let mut words = Vec::new();
        let mut rest = skip_line(&self.head);
        while let Some(length) = rest.strip_prefix(b"$") {
            let line = length.iter().take_while(|byte| byte.is_ascii_digit());
            let digits = line.fold(0_usize, |number, digit| {
                number
                    .saturating_mul(10)
                    .saturating_add(usize::from(digit - b'0'))
            });
            let text = skip_line(length);
            if text.is_empty() && digits > 0 {
                break;
            }
            let word = text.get(..digits).unwrap_or(text);
            words.push(word);
            rest = text.get(word.len() + 2..).unwrap_or_default();
        }
        words
    }

    /// The first word, in upper case.
    pub fn name(&self) -> String {
        let words = self.words();
        let name = words.first().copied().unwrap_or_default();
        String::from_utf8_lossy(name).to_ascii_uppercase()
    }

    /// Whether an argument that was kept is exactly this.
    pub fn has(&self, argument: &[u8]) -> bool {
        self.words().iter().skip(1).any(|word| *word == argument)
    }
}

impl Passed {
    /// Whether all of it was handed over.
    pub fn is_whole(&self) -> bool {
        self.length == Some(self.delivered)
    }
}

impl Book {
    /// A request begins.
    pub(crate) fn begin(&mut self, connection: usize, now: Instant) -> u64 {
        let number = self.first + self.records.len() as u64;
        self.in_flight += 1;
        self.records.push_back(Record {
            connection,
            number,
            request: Passed::default(),
            reply: Passed::default(),
            arrived: now,
            answered: None,
            head: Vec::new(),
        });
        number
    }

    /// A reply begins; says to which request.
    pub(crate) fn reply(&mut self) -> Option<u64> {
        let number = self.next_reply;
        if self.record(number).is_some() {
            self.next_reply += 1;
            Some(number)
        } else {
            self.unasked += 1;
            None
        }
    }

    /// The reply to a request was handed over whole.
    pub(crate) fn answered(&mut self, number: u64, now: Instant) {
        if let Some(record) = self.record(number)
            && record.answered.replace(now).is_none()
        {
            self.in_flight -= 1;
        }
    }

    pub(crate) fn record(&mut self, number: u64) -> Option<&mut Record> {
        let index = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.records.get_mut(index)
    }

    /// The name of the command that a request is of, as far as it has come.
    pub(crate) fn name(&self, number: u64) -> Vec<u8> {
        let index = number.checked_sub(self.first);
        let record = index.and_then(|index| self.records.get(usize::try_from(index).ok()?));
        let words = record.map(Record::words).unwrap_or_default();
        words
            .first()
            .copied()
            .unwrap_or_default()
            .to_ascii_uppercase()
    }

    pub(crate) fn keep(&mut self, number: u64, bytes: &[u8]) {
        if let Some(record) = self.record(number) {
            let free = KEPT.saturating_sub(record.head.len());
            record.head.extend(bytes.iter().take(free));
        }
    }

    pub(crate) fn malformed(&mut self) {
        self.malformed = true;
    }
}

/// What stands behind the first line.
fn skip_line(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().position(|byte| *byte == b'\n');
    end.and_then(|end| bytes.get(end + 1..)).unwrap_or_default()
}

/// Bytes of each request that are kept.
const KEPT: usize = 200;
