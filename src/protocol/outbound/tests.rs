use std::time::Duration;

use super::*;
use crate::{
    command::{Awaited, Exchange, Patience, Place, ServerVersion, View, Written},
    events::tests::Kept,
    protocol::{Heartbeat, Receiver},
    resp::Limits,
};

/// Sends its text as it is.
struct Sent(&'static str, Awaited);

impl Exchange for Sent {
    type Output = ();

    fn name(&self) -> &'static str {
        "TEST"
    }

    fn check(&self, _: Place) -> Result<()> {
        Ok(())
    }

    fn check_server(&self, server: &ServerVersion) -> Result<()> {
        Err(Error::argument(server.to_string()))
    }

    fn patience(&self) -> Patience {
        Patience::None
    }

    fn leaves_no_trace(&self) -> bool {
        true
    }

    fn write(&self, _: usize, out: &mut Output) -> Result<Written> {
        out.command(|to| to.word(self.0.as_bytes()))?;
        match self.0 {
            "panic" => panic!("as a user's type may do"),
            "fail" => Err(Error::argument("no such thing")),
            _ => Ok(Written::all(self.1)),
        }
    }

    fn finish(&self, _: &Frames) -> Result<()> {
        Ok(())
    }

    fn each_command(&self, _: &mut View<'_>) -> Result<()> {
        Ok(())
    }
}

fn one(text: &'static str) -> Sent {
    Sent(text, Awaited::Frames(1))
}

fn subscribe(channels: usize) -> Sent {
    Sent("s", Awaited::Confirmations(channels, "SUBSCRIBE"))
}

fn unsubscribe() -> Sent {
    Sent("u", Awaited::Confirmations(1, "UNSUBSCRIBE"))
}

/// Both halves of a connection, whose waiters are numbers.
struct Connection {
    inbound: Inbound,
    outbound: Outbound<u32>,
    /// The place of each waiter.
    places: Vec<(u32, Key, Ticket)>,
    now: Instant,
}

fn settings() -> ConnectionSettings {
    ConnectionSettings {
        server: Arc::new(Address::Tcp {
            host: "h".to_owned(),
            port: 1,
        }),
        events: Events::default(),
        max_unanswered: usize::MAX,
        max_unread: Some(1000),
        heartbeat: None,
        proves: false,
        seed: 1,
    }
}

fn connection() -> Connection {
    connection_with(settings())
}

fn connection_with(settings: ConnectionSettings) -> Connection {
    Connection {
        inbound: Inbound::new(Receiver::new(Limits::default())),
        outbound: Outbound::new(settings),
        places: Vec::new(),
        now: Instant::now(),
    }
}

impl Connection {
    fn is_idle(&self) -> bool {
        self.outbound.is_idle() && self.inbound.is_empty()
    }

    fn wants_probe(&self) -> bool {
        self.outbound.has_output()
    }

    /// The nonce at the end of what is to be written.
    fn nonce(&mut self) -> Vec<u8> {
        let bytes = raw_output(self);
        let text = b"*2\r\n$4\r\nPING\r\n$8\r\n";
        let at = bytes
            .windows(text.len())
            .rposition(|window| window == text)
            .expect("a probe");
        bytes[at + text.len()..at + text.len() + 8].to_vec()
    }

    /// Lets time pass, and tells who is told.
    fn at(&mut self, now: Instant) -> (WriteStep, Vec<u32>) {
        let mut dispatch = Dispatch::new();
        let turn = self.outbound.handle_timeout(now, &mut dispatch);
        (turn, dispatch.waiters)
    }

    fn look(&mut self, heard: bool) -> DriverWork {
        self.outbound
            .look(heard, false, &mut super::DriverView::default())
    }

    /// What a waiter gets, if anything.
    fn answer(&mut self, waiter: u32) -> Option<Result<Frames>> {
        let at = self
            .places
            .iter()
            .position(|(known, ..)| *known == waiter)
            .expect("somebody who waits");
        let (_, key, ticket) = self.places[at];
        match self.outbound.poll(key, &(ticket..=ticket), |_| true).0 {
            Polled::Answered(result) => {
                self.places.remove(at);
                Some(result)
            }
            Polled::Pending | Polled::Stale | Polled::More => None,
        }
    }

    /// What has come for those who wait, in the order of their numbers.
    fn errors(&mut self) -> Vec<(u32, ErrorKind, bool)> {
        let waiters: Vec<_> = self.places.iter().map(|(waiter, ..)| *waiter).collect();
        let mut errors = Vec::new();
        for waiter in waiters {
            if let Some(Err(error)) = self.answer(waiter) {
                errors.push((waiter, error.kind(), error.may_have_executed()));
            }
        }
        errors
    }
}

fn raw_output(connection: &mut Connection) -> Vec<u8> {
    let mut output = Box::<Output>::default();
    connection.outbound.take_output(&mut output);
    output.to_bytes().to_vec()
}

fn output(connection: &mut Connection) -> String {
    let text = String::from_utf8(raw_output(connection)).unwrap();
    // The words alone, each of which is a request.
    let words = text.split("\r\n").skip(2).step_by(3);
    words.collect()
}

fn send(
    connection: &mut Connection,
    exchange: &Sent,
    waiter: u32,
    deadline: Option<Instant>,
) -> Result<Ticket> {
    let mut chunk = Chunk::encode(exchange, 0, None)?;
    let admission = connection.outbound.admission(&chunk, false)?;
    assert_eq!(admission, Admission::Send);
    let time = Time {
        now: connection.now,
        deadline,
    };
    let (key, ticket, _) = connection.outbound.send(&mut chunk, waiter, time);
    connection.places.push((waiter, key, ticket));
    Ok(ticket)
}

fn abandon(connection: &mut Connection, waiter: u32) {
    let place = connection
        .places
        .iter()
        .position(|(known, ..)| *known == waiter);
    if let Some(at) = place {
        let (_, key, ticket) = connection.places.remove(at);
        connection.outbound.forget(key, &(ticket..=ticket));
    }
}

/// What happened, as text: `1=+a` is the answer to waiter 1, whose frames stand side by side;
/// `push …` is a message.
fn events(connection: &mut Connection, bytes: &[u8]) -> Vec<String> {
    connection.inbound.extend(bytes);
    drain(connection).unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes)
        .trim_end()
        .replace("\r\n", " ")
}

fn drain(connection: &mut Connection) -> Result<Vec<String>> {
    let mut events = Vec::new();
    loop {
        let mut view = connection.outbound.view();
        if !connection.inbound.gather(1, view.run)? {
            return Ok(events);
        }
        let mut dispatch = Dispatch::new();
        connection
            .outbound
            .deliver(&mut connection.inbound, &mut view, &mut dispatch)?;
        while let Some(frame) = connection.outbound.next_push() {
            events.push(format!("push {}", text(frame?.as_bytes())));
        }
        for waiter in dispatch.waiters {
            if let Some(result) = connection.answer(waiter) {
                let frames: Vec<_> = result?
                    .into_vec()
                    .iter()
                    .map(|frame| text(frame.as_bytes()))
                    .collect();
                events.push(format!("{waiter}={}", frames.join(" ")));
            }
        }
    }
}

#[test]
fn replies_find_their_waiters_at_every_split_with_pushes_between() {
    let bytes =
        b">2\r\n+x\r\n:1\r\n+a\r\n>1\r\n+y\r\n$1\r\nb\r\n-ERR c\r\n>1\r\n+z\r\n:4\r\n:5\r\n";
    for first in 0..=bytes.len() {
        for second in first..=bytes.len() {
            let mut connection = connection();
            for waiter in 0..3 {
                send(&mut connection, &one("x"), waiter, None).unwrap();
            }
            let batch = Sent("y", Awaited::Frames(2));
            send(&mut connection, &batch, 3, None).unwrap();
            assert_eq!(output(&mut connection), "xxxy");
            let mut seen = events(&mut connection, &bytes[..first]);
            seen.extend(events(&mut connection, &bytes[first..second]));
            seen.extend(events(&mut connection, &bytes[second..]));
            assert_eq!(
                seen,
                [
                    "push >2 +x :1",
                    "0=+a",
                    "push >1 +y",
                    "1=$1 b",
                    "2=-ERR c",
                    "push >1 +z",
                    "3=:4 :5"
                ]
            );
            assert!(connection.is_idle());
        }
    }
}

#[test]
fn a_reply_that_nobody_waits_for_is_fatal() {
    let mut connection = connection();
    send(&mut connection, &one("x"), 1, None).unwrap();
    assert_eq!(events(&mut connection, b"+a\r\n"), ["1=+a"]);
    connection.inbound.extend(b"+secret\r\n");
    let error = drain(&mut connection).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert!(!error.to_string().contains("secret"));
}

#[test]
fn what_is_no_resp_is_fatal() {
    let mut connection = connection();
    send(&mut connection, &one("x"), 1, None).unwrap();
    connection.inbound.extend(b"HTTP/1.1 400\r\n");
    let error = drain(&mut connection).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol);
}

#[test]
fn a_failed_or_panicking_encoding_leaves_nothing() {
    let mut connection = connection();
    send(&mut connection, &one("x"), 1, None).unwrap();
    assert!(send(&mut connection, &one("fail"), 2, None).is_err());
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _ = send(&mut connection, &one("panic"), 3, None);
    }));
    assert!(panicked.is_err());
    send(&mut connection, &one("y"), 4, None).unwrap();
    assert_eq!(output(&mut connection), "xy");
    assert_eq!(events(&mut connection, b"+a\r\n+b\r\n"), ["1=+a", "4=+b"]);
}

#[test]
fn abandoned_slots_swallow_their_replies_or_are_never_written() {
    let mut connection = connection();
    send(&mut connection, &one("a"), 1, None).unwrap();
    send(&mut connection, &one("b"), 2, None).unwrap();
    assert_eq!(output(&mut connection), "ab");
    let batch = Sent("cc", Awaited::Frames(2));
    send(&mut connection, &batch, 3, None).unwrap();
    send(&mut connection, &one("d"), 4, None).unwrap();
    send(&mut connection, &one("e"), 5, None).unwrap();
    send(&mut connection, &one("f"), 6, None).unwrap();
    abandon(&mut connection, 1);
    abandon(&mut connection, 3);
    abandon(&mut connection, 5);
    assert_eq!(output(&mut connection), "df");
    assert_eq!(
        events(&mut connection, b"+1\r\n+2\r\n+4\r\n+6\r\n"),
        ["2=+2", "4=+4", "6=+6"]
    );
    assert!(connection.is_idle());
    assert_eq!(output(&mut connection), "");
}

#[test]
fn what_nobody_wants_is_handed_out_to_be_dropped() {
    let mut connection = connection();
    send(&mut connection, &one("a"), 1, None).unwrap();
    output(&mut connection);
    abandon(&mut connection, 1);
    connection.inbound.extend(b"+1\r\n");
    let mut view = connection.outbound.view();
    assert!(connection.inbound.gather(16, view.run).unwrap());
    let mut dispatch = Dispatch::new();
    let delivered = connection
        .outbound
        .deliver(&mut connection.inbound, &mut view, &mut dispatch);
    assert_eq!(delivered.unwrap(), Delivered::Few);
    assert_eq!(dispatch.unwanted.len(), 1);
}

#[test]
fn a_batch_abandoned_half_way_swallows_the_rest() {
    let mut connection = connection();
    let batch = Sent("b", Awaited::Frames(3));
    send(&mut connection, &batch, 1, None).unwrap();
    send(&mut connection, &one("x"), 2, None).unwrap();
    output(&mut connection);
    assert!(events(&mut connection, b"+1\r\n").is_empty());
    abandon(&mut connection, 1);
    assert_eq!(events(&mut connection, b"+2\r\n+3\r\n+4\r\n"), ["2=+4"]);
}

#[test]
fn deadlines_expire_one_by_one_and_late_replies_are_swallowed() {
    let mut connection = connection();
    let start = connection.now;
    let after = |millis| start + Duration::from_millis(millis);
    send(&mut connection, &one("a"), 1, Some(after(10))).unwrap();
    send(&mut connection, &one("b"), 2, Some(after(30))).unwrap();
    send(&mut connection, &one("c"), 3, None).unwrap();
    send(&mut connection, &one("d"), 4, Some(after(5))).unwrap();
    output(&mut connection);
    send(&mut connection, &one("e"), 5, Some(after(20))).unwrap();
    assert_eq!(connection.outbound.poll_timeout(), Some(after(5)));

    assert!(connection.at(after(4)).1.is_empty());
    assert_eq!(connection.at(after(20)).1, [1, 4, 5]);
    let error = connection.answer(1).unwrap().unwrap_err();
    assert_eq!(
        error.to_string(),
        "timed out waiting for the reply: no reply from h:1 within 10ms"
    );
    assert_eq!(
        connection.errors(),
        [
            (4, ErrorKind::Timeout(Phase::Reply), true),
            (5, ErrorKind::Timeout(Phase::Write), false),
        ]
    );
    assert_eq!(connection.outbound.poll_timeout(), Some(after(30)));
    assert_eq!(output(&mut connection), "");
    assert_eq!(
        events(&mut connection, b"+1\r\n+2\r\n+3\r\n+4\r\n"),
        ["2=+2", "3=+3"]
    );
    assert!(connection.at(after(40)).1.is_empty());
    assert_eq!(connection.outbound.poll_timeout(), None, "nothing is owed");
}

#[test]
fn a_lost_connection_tells_what_was_never_written() {
    let mut connection = connection();
    for (waiter, text) in [(1, "aaa"), (2, "bbb"), (3, "ccc"), (4, "ddd")] {
        send(&mut connection, &one(text), waiter, None).unwrap();
    }
    send(&mut connection, &one("eee"), 5, None).unwrap();
    assert_eq!(output(&mut connection), "aaabbbcccdddeee");
    abandon(&mut connection, 5);
    send(&mut connection, &one("fff"), 6, None).unwrap();
    assert_eq!(events(&mut connection, b"+1\r\n"), ["1=+1"]);
    let lost = connection.outbound.lost(Loss::Closed);
    // Into the third request, each of which takes 13 bytes.
    let written = Some(2 * 13 + 1);
    connection
        .outbound
        .end(&lost, written, Instant::now(), &mut Dispatch::new());
    assert_eq!(
        connection.errors(),
        [
            (2, ErrorKind::Connection, true),
            (3, ErrorKind::Connection, true),
            (4, ErrorKind::Connection, false),
            (6, ErrorKind::Connection, false),
        ]
    );
    let error = send(&mut connection, &one("g"), 7, None).unwrap_err();
    assert_eq!(error.to_string(), "connection lost: h:1 has closed it");
    assert!(!error.may_have_executed());
}

#[test]
fn c13_the_end_of_the_connection_is_the_success_of_who_has_asked_for_it() {
    let shutdown = Sent("s", Awaited::End);
    // How many bytes were written of two requests of 11 each, and who succeeds.
    for (written, ends) in [(22, true), (21, false), (11, false)] {
        let mut connection = connection();
        send(&mut connection, &one("x"), 1, None).unwrap();
        send(&mut connection, &shutdown, 2, None).unwrap();
        assert_eq!(output(&mut connection), "xs");
        let lost = connection.outbound.lost(Loss::Closed);
        connection
            .outbound
            .end(&lost, Some(written), Instant::now(), &mut Dispatch::new());
        assert!(connection.answer(1).unwrap().is_err());
        let answer = connection.answer(2).unwrap();
        assert_eq!(answer.is_ok(), ends, "{written}");
        if let Ok(frames) = answer {
            assert_eq!(frames.last().unwrap().raw(), b"+OK\r\n");
        }
    }
}

#[test]
fn c13_an_end_that_the_server_has_not_made_is_no_success() {
    for loss in [
        Loss::Dropped,
        Loss::Stopped,
        Loss::Read(io::ErrorKind::TimedOut.into()),
        Loss::NotTaken(SECOND),
    ] {
        let mut connection = connection();
        send(&mut connection, &Sent("s", Awaited::End), 1, None).unwrap();
        output(&mut connection);
        let lost = connection.outbound.lost(loss);
        end(&mut connection, &lost);
        let error = connection.answer(1).unwrap().unwrap_err();
        assert!(error.may_have_executed(), "{error}");
    }
}

#[test]
fn c13_a_server_that_prepares_its_end_is_not_expected_to_answer_a_probe() {
    let mut connection = connection_with(heartbeat());
    let start = connection.now;
    send(&mut connection, &Sent("s", Awaited::End), 1, None).unwrap();
    output(&mut connection);
    for second in 1..60 {
        connection.at(start + second * SECOND);
        assert!(!connection.wants_probe());
        assert!(!matches!(connection.look(false), DriverWork::Close(_)));
    }
}

#[test]
fn c13_an_error_is_the_answer_of_who_has_asked_for_the_end() {
    let mut connection = connection();
    send(&mut connection, &Sent("s", Awaited::End), 1, None).unwrap();
    send(&mut connection, &one("x"), 2, None).unwrap();
    output(&mut connection);
    assert_eq!(
        events(&mut connection, b"-ERR Errors trying to SHUTDOWN\r\n+x\r\n"),
        ["1=-ERR Errors trying to SHUTDOWN", "2=+x"]
    );
}

#[test]
fn c18_an_end_tells_which_server_and_what() {
    let connection = connection();
    let shown = |loss: Loss| loss.into_error(&connection.outbound.server).to_string();
    let timed_out = || io::Error::from(io::ErrorKind::TimedOut);
    for (loss, expected) in [
        (Loss::Closed, "connection lost: h:1 has closed it"),
        (
            Loss::Read(timed_out()),
            "connection lost: h:1 does not acknowledge what is sent to it, as the system has found",
        ),
        (
            Loss::Write(timed_out()),
            "connection lost: h:1 does not acknowledge what is sent to it, as the system has found",
        ),
        (
            Loss::Read(io::ErrorKind::ConnectionReset.into()),
            "connection lost: reading from h:1 failed",
        ),
        (
            Loss::Write(io::ErrorKind::BrokenPipe.into()),
            "connection lost: writing to h:1 failed",
        ),
        (
            Loss::NotTaken(Duration::from_millis(20)),
            "timed out writing: h:1 has not taken the whole request within 20ms",
        ),
    ] {
        assert_eq!(shown(loss), expected);
    }
}

/// The reasons that were told since this was last asked, with what was said of each.
fn told(kept: &Kept) -> Vec<(DisconnectReason, Option<String>)> {
    let events = kept.take().into_iter();
    let lost = events.map(|(_, event)| match event {
        Event::Disconnected {
            server,
            reason,
            error,
        } => {
            assert_eq!(server.to_string(), "h:1");
            (reason, error.map(|error| error.to_string()))
        }
        other => panic!("{other:?}"),
    });
    lost.collect()
}

/// Ends a connection as its driver does.
fn end(connection: &mut Connection, error: &Error) {
    let now = connection.now;
    let mut dispatch = Dispatch::new();
    connection.outbound.end(error, None, now, &mut dispatch);
}

#[test]
fn an_end_is_told_once_with_its_reason_by_who_knows_it() {
    let closed = || Error::new(ErrorKind::Closed, "of no use any more");
    let timed_out = || io::Error::from(io::ErrorKind::TimedOut);
    for (loss, reason) in [
        (Loss::Closed, Some(DisconnectReason::Ended)),
        (
            Loss::Read(io::ErrorKind::ConnectionReset.into()),
            Some(DisconnectReason::Ended),
        ),
        (Loss::Write(timed_out()), Some(DisconnectReason::Mute)),
        (Loss::NotTaken(SECOND), Some(DisconnectReason::Dirty)),
        (Loss::Stopped, Some(DisconnectReason::Stalled)),
        (Loss::Ended(closed()), Some(DisconnectReason::Closed)),
        // The link tells why it has dropped it.
        (Loss::Dropped, None),
    ] {
        let (kept, events) = Kept::new();
        let mut connection = connection_with(ConnectionSettings {
            events,
            ..settings()
        });
        let error = connection.outbound.lost(loss);
        connection.outbound.close(error.clone());
        end(&mut connection, &error);
        end(&mut connection, &error);
        let expected = reason.map(|reason| (reason, Some(error.to_string())));
        assert_eq!(told(&kept), Vec::from_iter(expected));
    }
}

#[test]
fn what_is_known_first_is_why_it_ends() {
    let (kept, events) = Kept::new();
    let mut connection = connection_with(ConnectionSettings {
        events,
        max_unread: Some(8),
        ..settings()
    });
    connection.inbound.extend(b">2\r\n+message\r\n+m\r\n");
    let mut view = connection.outbound.view();
    connection.inbound.gather(16, view.run).unwrap();
    let mut dispatch = Dispatch::new();
    let delivered = connection
        .outbound
        .deliver(&mut connection.inbound, &mut view, &mut dispatch);
    let unread = delivered.unwrap_err();
    let _ = connection.outbound.lost(Loss::Closed);
    end(&mut connection, &unread);
    let expected = (DisconnectReason::Unread, Some(unread.to_string()));
    assert_eq!(told(&kept), [expected]);
}

#[test]
fn a_reply_that_nobody_waits_for_and_a_silent_peer_are_told_as_such() {
    let (kept, events) = Kept::new();
    let mut stray = connection_with(ConnectionSettings {
        events: events.clone(),
        ..settings()
    });
    stray.inbound.extend(b"+1\r\n");
    let mut view = stray.outbound.view();
    stray.inbound.gather(16, view.run).unwrap();
    let mut dispatch = Dispatch::new();
    let delivered = stray
        .outbound
        .deliver(&mut stray.inbound, &mut view, &mut dispatch);
    end(&mut stray, &delivered.unwrap_err());
    assert!(matches!(
        told(&kept)[..],
        [(DisconnectReason::Protocol, Some(_))]
    ));

    let mut mute = connection_with(ConnectionSettings {
        events,
        ..heartbeat()
    });
    let start = mute.now;
    send(&mut mute, &one("a"), 1, None).unwrap();
    output(&mut mute);
    for second in 1..12 {
        mute.at(start + second * SECOND);
        mute.look(false);
    }
    let DriverWork::Close(error) = mute.look(false) else {
        panic!("it is not given up");
    };
    assert!(told(&kept).is_empty(), "there may be something to read");
    end(&mut mute, &error);
    assert!(matches!(
        told(&kept)[..],
        [(DisconnectReason::Mute, Some(_))]
    ));
}

#[test]
fn a_connection_whose_driver_does_not_come_is_told_of_once() {
    let (kept, events) = Kept::new();
    let mut connection = connection_with(ConnectionSettings {
        events,
        ..settings()
    });
    let start = connection.now;
    send(&mut connection, &one("a"), 1, None).unwrap();
    output(&mut connection);
    for second in 1..9 {
        connection.at(start + second * SECOND);
    }
    assert_eq!(told(&kept), [(DisconnectReason::Stalled, None)]);
    // It is used again, unless there is another one by now.
    connection.look(false);
    for second in 9..18 {
        connection.at(start + second * SECOND);
    }
    assert_eq!(told(&kept), [(DisconnectReason::Stalled, None)]);
    let lost = connection.outbound.lost(Loss::Closed);
    end(&mut connection, &lost);
    assert_eq!(told(&kept), [], "it was told before");
}

fn heartbeat() -> ConnectionSettings {
    ConnectionSettings {
        max_unread: None,
        heartbeat: Some(Heartbeat {
            interval: SECOND,
            give_up: 10 * SECOND,
        }),
        ..settings()
    }
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn c06_a_peer_that_says_nothing_is_probed_and_given_up() {
    let mut connection = connection_with(heartbeat());
    let start = connection.now;
    send(&mut connection, &one("a"), 1, None).unwrap();
    assert_eq!(output(&mut connection), "a");
    connection.outbound.wrote(13, false);
    assert!(matches!(connection.look(false), DriverWork::Nothing));
    assert_eq!(connection.outbound.poll_timeout(), Some(start + SECOND));
    assert_eq!(connection.at(start + SECOND).0, WriteStep::Wake);
    assert!(matches!(connection.look(false), DriverWork::Write));
    connection.nonce();
    // The answer to one may be lost, which the next one tells.
    connection.at(start + 2 * SECOND);
    connection.look(false);
    connection.nonce();
    for second in 3..11 {
        connection.at(start + second * SECOND);
        assert!(!connection.wants_probe(), "two at most");
        assert!(matches!(connection.look(false), DriverWork::Nothing));
    }
    connection.at(start + 11 * SECOND);
    // It is for the driver to read what has come meanwhile, and then to end the connection.
    let DriverWork::Close(error) = connection.look(false) else {
        panic!("it is not given up");
    };
    assert_eq!(
        error.to_string(),
        "connection lost: h:1 has sent nothing for 10.0s"
    );
    assert!(matches!(connection.look(true), DriverWork::Nothing));
}

/// The deadlines of calls that were answered say nothing about when to look again.
#[test]
fn c06_a_call_behind_an_idle_while_is_watched_like_the_first() {
    let mut connection = connection_with(heartbeat());
    let start = connection.now;
    let at = |second: u32| start + second * SECOND;
    let send_at = |connection: &mut Connection, second| {
        let mut chunk = Chunk::encode(&one("a"), 0, None).unwrap();
        let time = Time {
            now: at(second),
            deadline: Some(at(second + 60)),
        };
        let (key, ticket, _) = connection.outbound.send(&mut chunk, second, time);
        connection.places.push((second, key, ticket));
        output(connection);
    };
    send_at(&mut connection, 0);
    events(&mut connection, b"+1\r\n");
    connection.at(at(1));
    assert_eq!(connection.outbound.poll_timeout(), None, "nothing is owed");
    send_at(&mut connection, 5);
    assert_eq!(connection.outbound.poll_timeout(), Some(at(6)));
}

#[test]
fn c02_a_reply_that_is_missing_is_found_by_the_nonce_behind_it() {
    for count in [1, 2] {
        let mut connection = connection_with(heartbeat());
        let start = connection.now;
        send(&mut connection, &Sent("a", Awaited::Frames(count)), 1, None).unwrap();
        output(&mut connection);
        connection.at(start + SECOND);
        let nonce = connection.nonce();
        let answer = [b"$8\r\n".as_slice(), &nonce, b"\r\n"].concat();
        connection.inbound.extend(&answer);
        let error = drain(&mut connection).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
        assert!(connection.answer(1).is_none(), "nobody gets it as a reply");
    }
}

#[test]
fn c06_any_byte_is_life() {
    let mut connection = connection_with(heartbeat());
    let start = connection.now;
    send(&mut connection, &one("a"), 1, None).unwrap();
    output(&mut connection);
    for second in 1..60 {
        connection.at(start + second * SECOND);
        // A large reply that comes slowly, in front of the answer to the probe.
        let heard = second % 9 == 0;
        assert!(
            !matches!(connection.look(heard), DriverWork::Close(_)),
            "{second}"
        );
    }
}

#[test]
fn c06_a_peer_that_takes_bytes_slowly_is_alive() {
    let mut connection = connection_with(heartbeat());
    let start = connection.now;
    send(&mut connection, &one("a"), 1, None).unwrap();
    output(&mut connection);
    for second in 1..60_u32 {
        connection.outbound.driver_wrote(u64::from(second), true);
        connection.at(start + second * SECOND);
        assert!(!matches!(connection.look(false), DriverWork::Close(_)));
    }
    for second in 60..71 {
        connection.outbound.driver_wrote(59, true);
        connection.at(start + second * SECOND);
        connection.look(false);
    }
    assert!(matches!(connection.look(false), DriverWork::Close(_)));
}

#[test]
fn c06_nothing_is_probed_where_nothing_is_owed() {
    let mut connection = connection_with(heartbeat());
    let start = connection.now;
    send(&mut connection, &one("a"), 1, None).unwrap();
    output(&mut connection);
    assert_eq!(events(&mut connection, b"+1\r\n"), ["1=+1"]);
    assert_eq!(
        connection.at(start + SECOND),
        (WriteStep::Nothing, Vec::new())
    );
    assert!(!connection.wants_probe());
    assert_eq!(connection.outbound.poll_timeout(), None);
}

#[test]
fn c06_a_probe_is_not_owed_to_anybody() {
    let mut connection = connection_with(heartbeat());
    let start = connection.now;
    send(&mut connection, &one("a"), 1, None).unwrap();
    connection.outbound.wrote(13, false);
    output(&mut connection);
    connection.at(start + SECOND);
    connection.look(false);
    let nonce = connection.nonce();
    connection.outbound.driver_wrote(50, false);
    assert_eq!(events(&mut connection, b"+1\r\n"), ["1=+1"]);
    let mut chunk = Chunk::encode(&one("b"), 0, None).unwrap();
    let time = Time {
        now: start,
        deadline: None,
    };
    let (_, _, step) = connection.outbound.send(&mut chunk, 2, time);
    assert_eq!(step.turn, WriteStep::Write, "a caller finds nothing owed");
    let answer = [b"$8\r\n".as_slice(), &nonce, b"\r\n"].concat();
    assert!(events(&mut connection, &answer).is_empty());
}

#[test]
fn c02_a_wrong_nonce_ends_the_connection_and_nothing_is_handed_out_behind_it() {
    let mut connection = connection_with(heartbeat());
    let start = connection.now;
    send(&mut connection, &one("swallowed"), 1, None).unwrap();
    output(&mut connection);
    connection.at(start + SECOND);
    connection.nonce();
    send(&mut connection, &one("b"), 2, None).unwrap();
    output(&mut connection);
    // The reply to the first is missing: the nonce is taken for it, and what follows is not its.
    connection.inbound.extend(b"$8\r\nwhatever\r\n+b\r\n+c\r\n");
    let mut view = connection.outbound.view();
    assert!(connection.inbound.gather(16, view.run).unwrap());
    let mut dispatch = Dispatch::new();
    let error = connection
        .outbound
        .deliver(&mut connection.inbound, &mut view, &mut dispatch)
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert_eq!(dispatch.waiters, [1]);
    connection
        .outbound
        .end(&error, None, Instant::now(), &mut dispatch);
    assert_eq!(connection.errors(), [(2, ErrorKind::Protocol, true)]);
}

#[test]
fn c02_a_server_that_is_loading_may_say_so() {
    let mut connection = connection_with(heartbeat());
    let start = connection.now;
    send(&mut connection, &one("a"), 1, None).unwrap();
    output(&mut connection);
    connection.at(start + SECOND);
    connection.nonce();
    let replies = b"-LOADING no\r\n-LOADING Redis is loading\r\n";
    assert_eq!(events(&mut connection, replies), ["1=-LOADING no"]);
    assert!(connection.is_idle());
}

fn proving() -> ConnectionSettings {
    ConnectionSettings {
        proves: true,
        ..heartbeat()
    }
}

#[test]
fn c02_with_integrity_replies_wait_for_the_nonce_of_their_batch() {
    let mut connection = connection_with(proving());
    send(&mut connection, &one("a"), 1, None).unwrap();
    let batch = Sent("b", Awaited::Frames(2));
    send(&mut connection, &batch, 2, None).unwrap();
    let nonce = connection.nonce();
    assert!(events(&mut connection, b"+1\r\n+2\r\n+3\r\n").is_empty());
    assert!(connection.answer(1).is_none());
    let answer = [b"$8\r\n".as_slice(), &nonce, b"\r\n"].concat();
    assert_eq!(events(&mut connection, &answer), ["1=+1", "2=+2 +3"]);
    assert!(connection.is_idle());
    assert_eq!(raw_output(&mut connection), b"", "nothing to be proved");
}

#[test]
fn c02_with_integrity_no_reply_that_is_out_of_order_is_handed_out() {
    let mut connection = connection_with(proving());
    send(&mut connection, &one("a"), 1, None).unwrap();
    send(&mut connection, &one("b"), 2, None).unwrap();
    connection.nonce();
    connection.inbound.extend(b"+b\r\n$8\r\n12345678\r\n+d\r\n");
    let error = drain(&mut connection).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol);
    connection
        .outbound
        .end(&error, None, Instant::now(), &mut Dispatch::new());
    let expected = |waiter| (waiter, ErrorKind::Protocol, true);
    assert_eq!(connection.errors(), [expected(1), expected(2)]);
}

#[test]
fn c02_a_reply_that_is_held_back_keeps_its_deadline_and_can_be_left() {
    let mut connection = connection_with(proving());
    let start = connection.now;
    let deadline = Some(start + Duration::from_millis(5));
    send(&mut connection, &one("a"), 1, deadline).unwrap();
    send(&mut connection, &one("b"), 2, None).unwrap();
    let nonce = connection.nonce();
    assert!(events(&mut connection, b"+1\r\n+2\r\n").is_empty());
    abandon(&mut connection, 2);
    assert_eq!(connection.at(start + SECOND).1, [1]);
    let timed_out = ErrorKind::Timeout(Phase::Reply);
    assert_eq!(connection.errors(), [(1, timed_out, true)]);
    let answer = [b"$8\r\n".as_slice(), &nonce, b"\r\n"].concat();
    assert!(events(&mut connection, &answer).is_empty());
}

#[test]
fn c19_more_messages_than_may_be_kept_end_the_connection() {
    let mut connection = connection();
    let message = |length: usize| format!(">1\r\n+{}\r\n", "m".repeat(length - 7));
    let whole = message(500);
    connection.inbound.extend(whole.as_bytes());
    connection.inbound.extend(whole.as_bytes());
    let deliver = |connection: &mut Connection| {
        let mut view = connection.outbound.view();
        connection.inbound.gather(16, view.run).unwrap();
        let dispatch = &mut Dispatch::new();
        connection
            .outbound
            .deliver(&mut connection.inbound, &mut view, dispatch)
    };
    deliver(&mut connection).unwrap();
    connection.inbound.extend(message(8).as_bytes());
    let error = deliver(&mut connection).unwrap_err();
    assert_eq!(
        error.to_string(),
        "connection lost: h:1: more than 1000 bytes of messages were not read (max_unread of the config)"
    );
    connection
        .outbound
        .end(&error, None, Instant::now(), &mut Dispatch::new());
    for _ in 0..3 {
        assert!(connection.outbound.next_push().unwrap().is_ok());
    }
    assert!(connection.outbound.next_push().unwrap().is_err());
}

#[test]
fn c22_a_turn_that_nobody_takes_up_passes_on() {
    let mut connection = connection_with(ConnectionSettings {
        max_unanswered: 1,
        ..settings()
    });
    let time = Time {
        now: connection.now,
        deadline: None,
    };
    send(&mut connection, &one("a"), 1, None).unwrap();
    output(&mut connection);
    let chunk = Chunk::encode(&one("b"), 0, None).unwrap();
    for waiter in 2..5 {
        let admission = connection.outbound.admission(&chunk, false).unwrap();
        assert_eq!(admission, Admission::Wait);
        connection.outbound.wait(waiter, time);
    }
    connection.inbound.extend(b"+1\r\n");
    let mut view = connection.outbound.view();
    connection.inbound.gather(16, view.run).unwrap();
    let mut dispatch = Dispatch::new();
    connection
        .outbound
        .deliver(&mut connection.inbound, &mut view, &mut dispatch)
        .unwrap();
    // The second is let in, and is not polled again; neither is the third.
    assert_eq!(dispatch.waiters, [1, 2]);
    assert_eq!(connection.at(time.now + SECOND).1, [3]);
    assert_eq!(connection.at(time.now + 2 * SECOND).1, [4]);
}

#[test]
fn confirmations_count_and_messages_do_not() {
    let mut connection = connection();
    send(&mut connection, &subscribe(2), 1, None).unwrap();
    send(&mut connection, &one("x"), 2, None).unwrap();
    assert_eq!(
        events(
            &mut connection,
            b">3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n>3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nm\r\n>3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:2\r\n*1\r\n$7\r\nmessage\r\n"
        ),
        [
            "push >3 $7 message $1 a $1 m",
            "1=>3 $9 subscribe $1 b :2",
            // Under RESP3 an array is a reply, whatever it says.
            "2=*1 $7 message",
        ]
    );
}

#[test]
fn an_error_ends_a_subscription() {
    let mut connection = connection();
    send(&mut connection, &subscribe(3), 1, None).unwrap();
    send(&mut connection, &one("x"), 2, None).unwrap();
    assert_eq!(
        events(&mut connection, b"-NOPERM no\r\n+OK\r\n"),
        ["1=-NOPERM no", "2=+OK"]
    );
}

#[test]
fn under_resp2_messages_are_arrays_while_something_is_subscribed() {
    let mut connection = connection();
    let message = b"*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nm\r\n";
    send(&mut connection, &one("x"), 0, None).unwrap();
    assert_eq!(
        events(&mut connection, message),
        ["0=*3 $7 message $1 a $1 m"]
    );

    send(&mut connection, &subscribe(2), 1, None).unwrap();
    assert_eq!(
        events(
            &mut connection,
            b"*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n"
        ),
        [""; 0]
    );
    assert_eq!(
        events(&mut connection, message),
        ["push *3 $7 message $1 a $1 m"]
    );
    assert_eq!(
        events(
            &mut connection,
            b"*3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:2\r\n"
        ),
        ["1=*3 $9 subscribe $1 b :2"]
    );
    assert_eq!(
        events(&mut connection, message),
        ["push *3 $7 message $1 a $1 m"]
    );

    // `UNSUBSCRIBE` of everything confirms each channel; the second one comes as a push.
    send(&mut connection, &unsubscribe(), 2, None).unwrap();
    send(&mut connection, &one("x"), 3, None).unwrap();
    assert_eq!(
        events(
            &mut connection,
            b"*3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:1\r\n*3\r\n$11\r\nunsubscribe\r\n$1\r\nb\r\n:0\r\n"
        ),
        [
            "2=*3 $11 unsubscribe $1 a :1",
            "push *3 $11 unsubscribe $1 b :0"
        ]
    );
    assert_eq!(
        events(&mut connection, message),
        ["3=*3 $7 message $1 a $1 m"]
    );
}

#[test]
fn lines_of_a_monitor_are_pushes_and_replies_are_not() {
    let mut connection = connection();
    send(&mut connection, &Sent("m", Awaited::Stream), 1, None).unwrap();
    send(&mut connection, &one("p"), 2, None).unwrap();
    send(&mut connection, &one("r"), 3, None).unwrap();
    send(&mut connection, &one("g"), 4, None).unwrap();
    assert_eq!(
        events(
            &mut connection,
            b"+OK\r\n+17.5 [0 h:1] \"ping\"\r\n+PONG\r\n+RESET\r\n+1 is a value\r\n"
        ),
        [
            "1=+OK",
            "push +17.5 [0 h:1] \"ping\"",
            "2=+PONG",
            "3=+RESET",
            "4=+1 is a value"
        ]
    );
}

/// What comes next for a driver that reads for the waiter alone.
#[cfg(feature = "blocking")]
fn next(connection: &mut Connection, waiter: u32) -> Result<String> {
    let mut places = connection.places.iter();
    let (_, key, _) = *places.find(|(known, ..)| *known == waiter).unwrap();
    let mut dispatch = Dispatch::new();
    let Connection {
        inbound, outbound, ..
    } = connection;
    let mut answer = Frames::new();
    let next = outbound.deliver_next(key, inbound, &mut answer, &mut dispatch)?;
    let answered = next == NextFrame::Answer;
    assert_eq!(answer.len(), usize::from(answered));
    Ok(match next {
        NextFrame::Nothing => "nothing".to_owned(),
        NextFrame::Answer => {
            assert!(outbound.is_answered(key));
            let frames = answer.into_vec();
            format!("answer {}", text(frames[0].as_bytes()))
        }
        NextFrame::Other => format!("something for {:?}", dispatch.waiters),
    })
}

#[test]
#[cfg(feature = "blocking")]
fn the_one_frame_that_answers_a_caller_is_handed_to_it_and_nothing_else_is() {
    // The place is free behind it, and the next call is answered like the first.
    let mut connection = connection();
    for waiter in 1..=2 {
        send(&mut connection, &one("a"), waiter, None).unwrap();
        output(&mut connection);
        assert_eq!(next(&mut connection, waiter).unwrap(), "nothing");
        connection.inbound.extend(b">2\r\n+a\r\n+b\r\n+OK\r\n");
        assert_eq!(next(&mut connection, waiter).unwrap(), "something for []");
        assert_eq!(next(&mut connection, waiter).unwrap(), "answer +OK");
        connection.places.clear();
        assert!(matches!(connection.outbound.next_push(), Some(Ok(_))));
        assert!(connection.is_idle());
    }

    // A frame of another call, one of several, and one behind a request that goes on.
    send(&mut connection, &one("late"), 1, None).unwrap();
    send(
        &mut connection,
        &Sent("several", Awaited::Frames(2)),
        2,
        None,
    )
    .unwrap();
    output(&mut connection);
    connection.inbound.extend(b":1\r\n*1\r\n:2\r\n:3\r\n");
    assert_eq!(next(&mut connection, 2).unwrap(), "something for [1]");
    assert_eq!(next(&mut connection, 2).unwrap(), "something for []");
    assert_eq!(next(&mut connection, 2).unwrap(), "something for [2]");
    assert_eq!(connection.answer(2).unwrap().unwrap().len(), 2);

    // A reply that no caller waits for ends the connection.
    send(&mut connection, &one("x"), 3, None).unwrap();
    connection.inbound.extend(b"+x\r\n+nobody's\r\n");
    output(&mut connection);
    assert_eq!(next(&mut connection, 3).unwrap(), "answer +x");
    let error = next(&mut connection, 3).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol);
}

#[test]
#[cfg(feature = "blocking")]
fn c02_with_integrity_the_frame_that_answers_waits_for_the_nonce() {
    let mut connection = connection_with(proving());
    send(&mut connection, &one("a"), 1, None).unwrap();
    let nonce = connection.nonce();
    connection.inbound.extend(b"+OK\r\n");
    assert_eq!(next(&mut connection, 1).unwrap(), "something for []");
    assert!(connection.answer(1).is_none());
    connection.inbound.extend(b"$8\r\n");
    connection.inbound.extend(&nonce);
    connection.inbound.extend(b"\r\n");
    assert_eq!(next(&mut connection, 1).unwrap(), "something for [1]");
    assert!(connection.answer(1).unwrap().is_ok());
}
