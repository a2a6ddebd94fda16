//! Whether the peer lives, and whether its replies are still whose they seem to be.

use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::{
    error::{Error, ErrorKind, Result},
    mutant::{self, Mutant},
    resp::{Frame, Kind, Output},
};

/// What is asked of the server by the connection itself: its answer must be the same eight bytes.
///
/// A reply that was lost, doubled or swapped on its way has all later ones taken for another's; the
/// answer to a probe shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Nonce([u8; 8]);

impl Nonce {
    pub(super) fn write(self, output: &mut Output) -> Result<()> {
        output.command(|to| {
            to.word(b"PING");
            to.word(&self.0);
        })
    }

    /// Whether somewhere among replies to commands there is the answer to this probe. No caller knows
    /// the nonce, and so no command can be answered with it.
    pub(super) fn is_in(self, replies: &[u8]) -> bool {
        memchr::memmem::find(replies, &self.0).is_some()
    }

    /// Whether a reply to a command is the answer to this probe.
    pub(super) fn is_reply(self, frame: &Frame) -> bool {
        let bytes = frame.as_bytes();
        bytes.len() == ANSWER && self.is_in(bytes)
    }

    /// Whether `frame` is the answer to this probe.
    ///
    /// A server that cannot or may not answer says so in its place.
    ///
    /// # Errors
    ///
    /// It is the answer to something else: nobody can tell whose the next replies are.
    pub(super) fn check(self, frame: &Frame) -> Result<()> {
        let reply = frame.reply();
        let is_answer = match reply.as_error() {
            Some(text) => {
                let code = text.split(|byte| *byte == b' ').next().unwrap_or_default();
                REFUSALS.contains(&code)
            }
            None => reply.bytes() == Some(&self.0),
        };
        if is_answer || mutant::is(Mutant::NonceBelieved) {
            return Ok(());
        }
        let got = match reply.kind() {
            Kind::BulkString => "other bytes",
            kind => kind.noun(),
        };
        Err(Error::new(
            ErrorKind::Protocol,
            format!("expected the nonce of a heartbeat, got {got}: replies are not in order"),
        ))
    }
}

/// How many bytes the answer to a probe has: those of the nonce between `$8` and two ends of lines.
const ANSWER: usize = 14;

/// The errors that a server answers `PING` with.
const REFUSALS: [&[u8]; 6] = [
    b"LOADING",
    b"BUSY",
    b"MASTERDOWN",
    b"MISCONF",
    b"NOAUTH",
    b"NOPERM",
];

/// Watches how long nothing was heard from the peer while something was owed.
///
/// It is looked at in [`PERIOD`]s, or those of the setting, and not with every reply: in between it
/// only remembers that something was heard. Time in which this process or the driver did not run, and
/// so could not read, is not counted.
#[derive(Clone, Debug)]
pub(crate) struct Liveness {
    heartbeat: Option<Heartbeat>,
    /// Draws the nonces.
    rng: Rng,
    heard: bool,
    /// When it was looked at last, if something was owed then.
    looked: Option<Instant>,
    /// For how long nothing was heard.
    silence: Duration,
    /// For how long the driver has not come although it was called.
    absence: Duration,
    /// When the probe was sent whose answer is timed, and behind how many others.
    timed: Option<(Instant, usize)>,
    /// Its answer has come, of which the driver can tell the time.
    is_answered: bool,
    /// How long the answer to the last one that was timed took.
    round_trip: Option<Duration>,
}

/// How a silent peer is found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Heartbeat {
    /// How often a connection with something owed is probed.
    pub(crate) interval: Duration,
    /// After how much silence it is given up.
    pub(crate) give_up: Duration,
}

/// What is to be done after a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beat {
    Nothing,
    /// Ask the server for these bytes.
    Probe(Nonce),
    /// Nothing was heard for too long.
    Mute(Duration),
}

impl Liveness {
    pub(crate) fn new(heartbeat: Option<Heartbeat>, seed: u64) -> Self {
        Self {
            heartbeat,
            rng: Rng::with_seed(seed),
            heard: false,
            looked: None,
            silence: Duration::ZERO,
            absence: Duration::ZERO,
            timed: None,
            is_answered: false,
            round_trip: None,
        }
    }

    /// A probe is sent behind others that are not answered yet.
    pub(crate) fn probed(&mut self, now: Instant, asked: usize) {
        self.timed.get_or_insert((now, asked));
    }

    /// A probe was answered.
    pub(crate) fn probe_answered(&mut self) {
        match &mut self.timed {
            Some((_, 0)) => self.is_answered = true,
            Some((_, ahead)) => *ahead -= 1,
            None => {}
        }
    }

    /// Whether the answer to the probe that is timed has come a moment ago.
    #[inline]
    pub(crate) fn wants_time(&self) -> bool {
        self.is_answered
    }

    /// It has come now.
    pub(crate) fn measured(&mut self, now: Instant) {
        self.is_answered = false;
        let timed = self.timed.take();
        self.round_trip = timed.map(|(sent, _)| now.saturating_duration_since(sent));
    }

    /// How long the answer to the last probe took that was timed.
    pub(crate) fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    /// How much later to look again.
    #[inline]
    pub(crate) fn period(&self) -> Duration {
        self.heartbeat.map_or(PERIOD, |heartbeat| {
            let rest = heartbeat.give_up.saturating_sub(self.silence);
            heartbeat.interval.min(rest).max(SHORTEST_PERIOD)
        })
    }

    /// Takes note of a byte that was received, or taken although there was no room before.
    #[inline]
    pub(crate) fn heard(&mut self) {
        self.heard = true;
    }

    /// Whether something was heard since the last look.
    #[inline]
    pub(crate) fn has_heard(&self) -> bool {
        self.heard
    }

    /// The driver has come.
    #[inline]
    pub(crate) fn driver_came(&mut self) {
        self.absence = Duration::ZERO;
    }

    /// Whether the driver does not come any more.
    pub(crate) fn is_stalled(&self) -> bool {
        self.absence >= STALLED
    }

    /// Nothing is owed.
    pub(crate) fn rest(&mut self) {
        self.looked = None;
        self.silence = Duration::ZERO;
        self.absence = Duration::ZERO;
    }

    /// Looks at what was heard while something was owed; `asked` says how many probes were not answered
    /// yet, `is_called` that the driver was called before and has not come.
    pub(crate) fn look(&mut self, now: Instant, asked: usize, is_called: bool) -> Beat {
        let mut longest = self.period().saturating_mul(2);
        if mutant::is(Mutant::StopCounted) {
            longest = Duration::MAX;
        }
        let passed = self
            .looked
            .replace(now)
            .map_or(Duration::ZERO, |then| now.saturating_duration_since(then))
            .min(longest);
        self.absence = if is_called {
            self.absence.saturating_add(passed)
        } else {
            Duration::ZERO
        };
        if std::mem::take(&mut self.heard) {
            self.silence = Duration::ZERO;
        } else if !is_called || mutant::is(Mutant::AbsenceCounted) {
            self.silence = self.silence.saturating_add(passed);
        }
        let Some(heartbeat) = self.heartbeat else {
            return Beat::Nothing;
        };
        let is_mute = self.silence >= heartbeat.give_up && !mutant::is(Mutant::SilenceAllowed);
        if asked > 0 && is_mute {
            return Beat::Mute(self.silence);
        }
        // The answer to the first may be lost, as any reply may; that of the second tells.
        if asked < 2 {
            return Beat::Probe(self.nonce());
        }
        Beat::Nothing
    }

    /// The next nonce: no two of a connection are alike, and none is guessed.
    pub(crate) fn nonce(&mut self) -> Nonce {
        Nonce(self.rng.u64(..).to_be_bytes())
    }
}

/// How often a connection is looked at that has no heartbeat.
const PERIOD: Duration = Duration::from_secs(1);

/// Looking more often would tell nothing more.
const SHORTEST_PERIOD: Duration = Duration::from_millis(1);

/// A driver that has not come for so long is taken for one that nobody runs any more.
const STALLED: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn heartbeat() -> Heartbeat {
        Heartbeat {
            interval: SECOND,
            give_up: 10 * SECOND,
        }
    }

    fn frame(text: String) -> Frame {
        Frame::parse(text.into_bytes().into()).unwrap()
    }

    #[test]
    fn the_answer_to_a_probe_is_timed_and_not_that_of_one_before_it() {
        let start = Instant::now();
        let mut liveness = Liveness::new(Some(heartbeat()), 1);
        assert_eq!(liveness.round_trip(), None);
        // One other is not answered yet.
        liveness.probed(start, 1);
        liveness.probe_answered();
        assert!(!liveness.wants_time());
        // What is sent meanwhile is not timed.
        liveness.probed(start + SECOND, 1);
        liveness.probe_answered();
        assert!(liveness.wants_time());
        liveness.measured(start + 2 * SECOND);
        assert!(!liveness.wants_time());
        assert_eq!(liveness.round_trip(), Some(2 * SECOND));
        // Its answer is nothing that is waited for.
        liveness.probe_answered();
        assert!(!liveness.wants_time());
        liveness.probed(start + 3 * SECOND, 0);
        liveness.probe_answered();
        liveness.measured(start + 4 * SECOND);
        assert_eq!(liveness.round_trip(), Some(SECOND));
    }

    #[test]
    fn c02_only_its_own_nonce_answers_a_probe() {
        let nonce = Nonce(*b"12345678");
        for answer in [
            "$8\r\n12345678\r\n",
            "-LOADING Redis is loading\r\n",
            "-BUSY Redis is busy\r\n",
            "-MASTERDOWN Link with MASTER is down\r\n",
            "-MISCONF cannot write its file\r\n",
            "-NOPERM no\r\n",
            "-NOAUTH Authentication required.\r\n",
        ] {
            nonce.check(&frame(answer.to_owned())).unwrap();
        }
        for other in [
            "$8\r\n12345679\r\n",
            "$3\r\nabc\r\n",
            "+PONG\r\n",
            ":1\r\n",
            "_\r\n",
            "*0\r\n",
            "-ERR no\r\n",
            "-WRONGTYPE no\r\n",
            "-BUSYGROUP no\r\n",
        ] {
            let error = nonce.check(&frame(other.to_owned())).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Protocol, "{other}");
            assert!(!error.to_string().contains("abc"), "{error}");
        }
    }

    #[test]
    fn c06_silence_is_probed_and_given_up() {
        let mut liveness = Liveness::new(Some(heartbeat()), 1);
        let start = Instant::now();
        let at = |second: u32| start + second * SECOND;
        for asked in 0..2 {
            let beat = liveness.look(at(asked), asked as usize, false);
            assert!(matches!(beat, Beat::Probe(_)));
        }
        for second in 2..10 {
            assert_eq!(liveness.look(at(second), 2, false), Beat::Nothing);
        }
        assert_eq!(liveness.look(at(10), 2, false), Beat::Mute(10 * SECOND));
        // One byte is enough, though no probe is answered.
        liveness.heard();
        assert_eq!(liveness.look(at(11), 2, false), Beat::Nothing);
        assert_eq!(liveness.look(at(12), 2, false), Beat::Nothing);
    }

    #[test]
    fn c06_time_in_which_the_process_did_not_run_is_no_silence() {
        let mut liveness = Liveness::new(Some(heartbeat()), 1);
        let start = Instant::now();
        liveness.look(start, 0, false);
        assert_eq!(liveness.look(start + 60 * SECOND, 2, false), Beat::Nothing);
        assert_eq!(liveness.look(start + 120 * SECOND, 2, true), Beat::Nothing);
        assert!(!liveness.is_stalled());
    }

    #[test]
    fn f40_time_in_which_the_driver_did_not_come_is_no_silence() {
        let mut liveness = Liveness::new(Some(heartbeat()), 1);
        let start = Instant::now();
        liveness.look(start, 0, false);
        for second in 1..60 {
            let now = start + second * SECOND;
            assert_eq!(liveness.look(now, 2, true), Beat::Nothing, "{second}");
        }
        assert_eq!(liveness.look(start + 60 * SECOND, 2, false), Beat::Nothing);
    }

    #[test]
    fn c06_a_connection_without_heartbeat_is_never_probed() {
        let mut liveness = Liveness::new(None, 1);
        let start = Instant::now();
        for second in 0..30 {
            assert_eq!(
                liveness.look(start + second * SECOND, 0, false),
                Beat::Nothing
            );
        }
    }

    #[test]
    fn c01_a_driver_that_does_not_come_is_missed() {
        let mut liveness = Liveness::new(Some(heartbeat()), 1);
        let start = Instant::now();
        let at = |second: u32| start + second * SECOND;
        liveness.look(at(0), 0, false);
        for second in 1..4 {
            assert!(!liveness.is_stalled(), "{second}");
            liveness.look(at(second), 2, true);
        }
        assert!(liveness.is_stalled());
        liveness.driver_came();
        assert!(!liveness.is_stalled());
        liveness.look(at(5), 1, false);
        assert!(!liveness.is_stalled());
    }
}
