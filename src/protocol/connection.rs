//! One connection after its handshake.

use std::time::Instant;

use super::{Queue, Receiver, Sent, Whose};
use crate::{
    command::{Exchange, ServerVersion},
    error::{Error, Outcome, Result},
    resp::{Frame, Output, Run},
};

/// One connection after its handshake: a [`Queue`] and a [`Receiver`] together.
///
/// This is for a driver that does both in one place. One that lets many tasks append to the queue
/// while it reads keeps the two apart.
#[derive(Debug)]
pub(crate) struct Connection<W> {
    queue: Queue<W>,
    receiver: Receiver,
}

/// What a frame turned out to be.
#[derive(Debug)]
pub(crate) enum Event<W> {
    /// A reply; after the last one the waiter is forgotten.
    Reply {
        /// Who waits for it.
        waiter: W,
        /// The reply.
        frame: Frame,
        /// Whether it is the last one.
        last: bool,
    },
    /// Several replies; after the last one the waiter is forgotten.
    Replies {
        /// Who waits for them.
        waiter: W,
        /// The replies.
        run: Run,
        /// Whether the last one is among them.
        last: bool,
    },
    /// A message that no command asked for.
    Push(Frame),
    /// Replies that nobody waits for, or one of several confirmations.
    Swallowed,
}

impl<W: Copy + PartialEq> Connection<W> {
    /// Goes on with the receiver that the handshake has read with.
    pub(crate) fn new(receiver: Receiver) -> Self {
        Self {
            queue: Queue::new(),
            receiver,
        }
    }

    /// Refuses what `server`, if it is told, does not have.
    pub(crate) fn checking(mut self, server: Option<ServerVersion>) -> Self {
        self.queue = self.queue.checking(server);
        self
    }

    /// Encodes an exchange, or a chunk of it; see [`Queue::send`].
    ///
    /// # Errors
    ///
    /// An argument that cannot be sent; nothing was appended then.
    pub(crate) fn send<E: Exchange>(
        &mut self,
        exchange: &E,
        first: usize,
        waiter: W,
        deadline: Option<Instant>,
    ) -> Result<Sent> {
        self.queue.send(exchange, first, waiter, deadline)
    }

    /// Moves what is to be written into `into`; see [`Queue::take_output`].
    pub(crate) fn take_output(&mut self, into: &mut Output) {
        self.queue.take_output(into);
    }

    /// Where to put the bytes that are read.
    pub(crate) fn receiver(&mut self) -> &mut Receiver {
        &mut self.receiver
    }

    /// What the bytes read so far turned out to be; `None` says that more are needed.
    ///
    /// # Errors
    ///
    /// The bytes are no RESP, or nobody waits for a reply: the connection must be closed.
    #[inline]
    pub(crate) fn poll_event(&mut self) -> Result<Option<Event<W>>> {
        let most = self.queue.run();
        if most > 1
            && let Some(run) = self.receiver.run(most)
        {
            return Ok(Some(match self.queue.accept_run(run.len())? {
                Whose::Reply { waiter, last } => Event::Replies { waiter, run, last },
                Whose::Push | Whose::Swallowed => Event::Swallowed,
            }));
        }
        let Some(frame) = self.receiver.frame()? else {
            return Ok(None);
        };
        Ok(Some(match self.queue.accept(&frame)? {
            Whose::Reply { waiter, last } => Event::Reply {
                waiter,
                frame,
                last,
            },
            Whose::Push => Event::Push(frame),
            Whose::Swallowed => Event::Swallowed,
        }))
    }

    /// Answers those whose deadline has come with an error.
    pub(crate) fn handle_timeout(&mut self, now: Instant, expired: impl FnMut(W, Error)) {
        self.queue.handle_timeout(now, expired);
    }

    /// Empties the queue of a connection that ended, and names all who wait.
    ///
    /// `written` is how many bytes reached the socket in all; what began behind was not sent.
    pub(crate) fn fail(&mut self, written: u64, failed: impl FnMut(W, Outcome)) {
        self.queue.fail(written, failed);
    }

    /// Whether every reply has come, nothing waits to be written, and no byte is left over.
    pub(crate) fn is_idle(&self) -> bool {
        self.queue.is_idle() && self.receiver.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        command::{Awaited, Patience, Place, View, Written},
        error::{ErrorKind, Phase},
        protocol::Ticket,
        resp::{Frames, Limits},
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

    fn connection() -> Connection<u32> {
        Connection::new(Receiver::new(Limits::default()))
    }

    fn output(connection: &mut Connection<u32>) -> String {
        let mut output = Output::new();
        connection.take_output(&mut output);
        let mut slices = [std::io::IoSlice::new(&[])];
        let _ = output.slices(&mut slices);
        let text = String::from_utf8(slices[0].to_vec()).unwrap();
        // The words alone, each of which is a request.
        let words = text.split("\r\n").skip(2).step_by(3);
        words.collect()
    }

    fn send(
        connection: &mut Connection<u32>,
        exchange: &Sent,
        waiter: u32,
        deadline: Option<Instant>,
    ) -> Result<Ticket> {
        let sent = connection.send(exchange, 0, waiter, deadline)?;
        Ok(sent.ticket)
    }

    fn abandon(connection: &mut Connection<u32>, ticket: Ticket, waiter: u32) {
        connection.queue.abandon(ticket..=ticket, waiter);
    }

    /// What happened, as text: `1=+a` is a reply to waiter 1, `1…` one of several, `>` a push.
    fn events(connection: &mut Connection<u32>, bytes: &[u8]) -> Vec<String> {
        connection.receiver().extend(bytes);
        drain(connection).unwrap()
    }

    fn drain(connection: &mut Connection<u32>) -> Result<Vec<String>> {
        let mut events = Vec::new();
        let text = |frame: Frame| {
            String::from_utf8_lossy(frame.as_bytes())
                .trim_end()
                .replace("\r\n", " ")
        };
        while let Some(event) = connection.poll_event()? {
            events.push(match event {
                Event::Replies { waiter, run, last } => {
                    let mut replies: Vec<_> = run
                        .frames()
                        .map(|frame| format!("{waiter}…{}", text(frame)))
                        .collect();
                    if let (true, Some(reply)) = (last, replies.last_mut()) {
                        *reply = reply.replace('…', "=");
                    }
                    events.append(&mut replies);
                    continue;
                }
                Event::Reply {
                    waiter,
                    frame,
                    last,
                } => format!("{waiter}{}{}", if last { "=" } else { "…" }, text(frame)),
                Event::Push(frame) => format!("push {}", text(frame)),
                Event::Swallowed => "swallowed".to_owned(),
            });
        }
        Ok(events)
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
                        "3…:4",
                        "3=:5"
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
        connection.receiver().extend(b"+secret\r\n");
        let error = drain(&mut connection).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol);
        assert!(!error.to_string().contains("secret"));
    }

    #[test]
    fn what_is_no_resp_is_fatal() {
        let mut connection = connection();
        send(&mut connection, &one("x"), 1, None).unwrap();
        connection.receiver().extend(b"HTTP/1.1 400\r\n");
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
        let first = send(&mut connection, &one("a"), 1, None).unwrap();
        send(&mut connection, &one("b"), 2, None).unwrap();
        assert_eq!(output(&mut connection), "ab");
        let batch = Sent("cc", Awaited::Frames(2));
        let third = send(&mut connection, &batch, 3, None).unwrap();
        send(&mut connection, &one("d"), 4, None).unwrap();
        let fifth = send(&mut connection, &one("e"), 5, None).unwrap();
        send(&mut connection, &one("f"), 6, None).unwrap();
        abandon(&mut connection, first, 1);
        abandon(&mut connection, third, 3);
        abandon(&mut connection, fifth, 5);
        abandon(&mut connection, fifth, 5);
        assert_eq!(output(&mut connection), "df");
        assert_eq!(
            events(&mut connection, b"+1\r\n+2\r\n+4\r\n+6\r\n"),
            ["swallowed", "2=+2", "4=+4", "6=+6"]
        );
        abandon(&mut connection, first, 1);
        assert!(connection.is_idle());
        assert_eq!(output(&mut connection), "");
    }

    #[test]
    fn a_batch_abandoned_half_way_swallows_the_rest() {
        let mut connection = connection();
        let batch = Sent("b", Awaited::Frames(3));
        let ticket = send(&mut connection, &batch, 1, None).unwrap();
        send(&mut connection, &one("x"), 2, None).unwrap();
        output(&mut connection);
        assert_eq!(events(&mut connection, b"+1\r\n"), ["1…+1"]);
        abandon(&mut connection, ticket, 1);
        assert_eq!(
            events(&mut connection, b"+2\r\n+3\r\n+4\r\n"),
            ["swallowed", "2=+4"]
        );
    }

    #[test]
    fn deadlines_expire_one_by_one_and_late_replies_are_swallowed() {
        let mut connection = connection();
        let start = Instant::now();
        let after = |millis| start + Duration::from_millis(millis);
        send(&mut connection, &one("a"), 1, Some(after(10))).unwrap();
        send(&mut connection, &one("b"), 2, Some(after(30))).unwrap();
        send(&mut connection, &one("c"), 3, None).unwrap();
        send(&mut connection, &one("d"), 4, Some(after(5))).unwrap();
        output(&mut connection);
        send(&mut connection, &one("e"), 5, Some(after(20))).unwrap();
        assert_eq!(connection.queue.poll_timeout(), Some(after(5)));

        let mut expired = Vec::new();
        connection.handle_timeout(after(4), |waiter, error| expired.push((waiter, error)));
        assert!(expired.is_empty());
        connection.handle_timeout(after(20), |waiter, error| expired.push((waiter, error)));
        let seen: Vec<_> = expired
            .iter()
            .map(|(waiter, error)| (*waiter, error.kind(), error.may_have_executed()))
            .collect();
        assert_eq!(
            seen,
            [
                (1, ErrorKind::Timeout(Phase::Reply), true),
                (4, ErrorKind::Timeout(Phase::Reply), true),
                (5, ErrorKind::Timeout(Phase::Write), false),
            ]
        );
        assert_eq!(connection.queue.poll_timeout(), Some(after(30)));
        assert_eq!(output(&mut connection), "");
        assert_eq!(
            events(&mut connection, b"+1\r\n+2\r\n+3\r\n+4\r\n"),
            ["swallowed", "2=+2", "3=+3", "swallowed"]
        );
        connection.handle_timeout(after(40), |waiter, _| panic!("{waiter} was answered"));
        assert_eq!(connection.queue.poll_timeout(), None);
    }

    #[test]
    fn a_lost_connection_tells_what_was_never_written() {
        let mut connection = connection();
        for (waiter, text) in [(1, "aaa"), (2, "bbb"), (3, "ccc"), (4, "ddd")] {
            send(&mut connection, &one(text), waiter, None).unwrap();
        }
        let ticket = send(&mut connection, &one("eee"), 5, None).unwrap();
        assert_eq!(output(&mut connection), "aaabbbcccdddeee");
        abandon(&mut connection, ticket, 5);
        send(&mut connection, &one("fff"), 6, None).unwrap();
        assert_eq!(events(&mut connection, b"+1\r\n"), ["1=+1"]);
        let mut failed = Vec::new();
        // Into the third request, each of which takes 13 bytes.
        connection.fail(2 * 13 + 1, |waiter, outcome| failed.push((waiter, outcome)));
        assert_eq!(
            failed,
            [
                (2, Outcome::Indeterminate),
                (3, Outcome::Indeterminate),
                (4, Outcome::NotSent),
                (6, Outcome::NotSent),
            ]
        );
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
                "swallowed",
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
            ["swallowed"]
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
}
