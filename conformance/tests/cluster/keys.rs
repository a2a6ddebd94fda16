//! Every command with keys lands on the node that has them.
//!
//! All samples that have keys are sent, those of which a command has fewer than three more than
//! once, so that each command meets all primaries: typed, in a pipeline, and as a raw command, whose
//! keys follow from the key specs. What changes the connection that carries it is sent on one of its
//! own. Once more all are sent with keys in several slots, which the client cuts into parts or
//! refuses to send.

use std::collections::{BTreeMap, BTreeSet};

use bytes::{Bytes, BytesMut};
use respec::{
    Client, Error, ErrorKind, Result,
    command::{Info, Routing},
};
use respec_conformance::{
    Catalogue, Data, Deviations, Line as Words, Placed, Round, Sample, Seen, encode,
};
use respec_testkit::{SLOTS, key_in_slot};

use crate::{
    counts::{Counts, REDIRECTS},
    ground::{Ground, PRIMARIES, ask},
    table::Line,
};

/// How a call is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Path {
    Typed,
    /// Together with all others of the same command.
    Pipeline,
    Raw,
    /// On a connection of its own.
    Dedicated,
}

/// Where the keys of one call lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keys {
    Together,
    /// Each in a slot of its own, neighbours on different nodes.
    Apart,
}

/// A sample with keys in certain slots.
struct Call<'s> {
    placed: Placed<'s>,
    slots: BTreeSet<u16>,
}

/// What came of a call.
enum Outcome {
    Answered,
    /// The server has refused it for a reason other than its place.
    Refused,
    /// The client has not sent it.
    Unsent(String),
    Failed(String),
}

/// Sends all samples that have keys.
pub(crate) fn run(
    ground: &Ground,
    catalogue: &Catalogue,
    data: &Data,
    known: &Deviations,
) -> Vec<Line> {
    let commands = commands(ground, catalogue);
    prepare_nodes(ground, &commands, data);
    let client = ground.client(3);
    let mut lines = Vec::new();
    for (keys, path) in [
        (Keys::Together, Path::Typed),
        (Keys::Together, Path::Pipeline),
        (Keys::Together, Path::Raw),
        (Keys::Together, Path::Dedicated),
        (Keys::Apart, Path::Typed),
        (Keys::Apart, Path::Pipeline),
        (Keys::Apart, Path::Raw),
    ] {
        let calls: Vec<_> = commands
            .iter()
            .filter(|(info, _)| path != Path::Dedicated || info.needs_dedicated_connection())
            .map(|(info, samples)| (*info, calls(samples, keys, path)))
            .collect();
        prepare(ground, calls.iter().flat_map(|(_, calls)| calls), data);
        let mut check = Check {
            ground,
            known,
            keys,
            line: Line::new(ground.variant.name(), &name(keys, path)),
        };
        check.run(&client, path, &calls);
        lines.push(check.line);
    }
    lines
}

fn name(keys: Keys, path: Path) -> String {
    format!("{keys:?} {path:?}").to_lowercase()
}

/// The commands with keys that the servers have, each with its samples.
fn commands<'c>(
    ground: &Ground,
    catalogue: &'c Catalogue,
) -> Vec<(&'static Info, Vec<&'c Sample>)> {
    let mut samples: BTreeMap<&str, Vec<&Sample>> = BTreeMap::new();
    for sample in catalogue.samples() {
        samples.entry(sample.info.name).or_default().push(sample);
    }
    let mut commands = Vec::new();
    for info in Info::all().iter().filter(|info| ground.facts.has(info)) {
        let samples = samples.remove(info.name).unwrap_or_default();
        if info.keys.is_empty() && samples.iter().all(|it| it.key_words.is_empty()) {
            continue;
        }
        let sent: Vec<_> = samples
            .into_iter()
            .filter(|it| !it.key_words.is_empty())
            .collect();
        commands.push((*info, sent));
    }
    commands
}

/// The calls of one command.
fn calls<'s>(samples: &[&'s Sample], keys: Keys, path: Path) -> Vec<Call<'s>> {
    let fitting: Vec<_> = samples
        .iter()
        .copied()
        .filter(|sample| keys == Keys::Together || sample.key_words.len() > 1)
        .collect();
    let count = fitting.len().max(PRIMARIES);
    let slot = |nth: usize| u16::try_from(nth * THIRD % usize::from(SLOTS)).expect("a slot");
    fitting
        .into_iter()
        .cycle()
        .enumerate()
        .take(count)
        .map(|(at, sample)| {
            let slot_of = |nth| match keys {
                Keys::Together => slot(at),
                Keys::Apart => slot(at + nth),
            };
            // Each command has keys of its own, of which no other one changes the content.
            let name = sample.info.name;
            let prefix = |nth| format!("{}{path:?}:{name}:", key_in_slot(slot_of(nth)));
            Call {
                placed: sample.placed(prefix),
                slots: (0..sample.key_words.len()).map(slot_of).collect(),
            }
        })
        .collect()
}

/// What samples look for that has no keys, on all primaries.
fn prepare_nodes(ground: &Ground, commands: &[(&Info, Vec<&Sample>)], data: &Data) {
    let samples = commands.iter().flat_map(|(_, samples)| samples);
    let mut lines: Vec<&Words> = Vec::new();
    for line in samples.flat_map(|it| data.before(it, Round::Filled).unwrap_or_default()) {
        let fits = ground.facts.has(line.info()) && keys_of(line).is_empty();
        if fits && !lines.iter().any(|other| other.words() == line.words()) {
            lines.push(line);
        }
    }
    for primary in 0..PRIMARIES {
        let mut hand = ground.hand(primary, 2);
        for line in &lines {
            // Some want what another one does; what is missing shows as fewer answers.
            ask(&mut hand, &line.words());
        }
    }
}

/// What calls look for, beside their keys.
fn prepare<'c>(ground: &Ground, calls: impl Iterator<Item = &'c Call<'c>>, data: &Data) {
    let mut hands: Vec<_> = (0..PRIMARIES).map(|it| ground.hand(it, 2)).collect();
    for call in calls {
        let sample = call.placed.sample;
        let (Some(&slot), None) = (call.slots.first(), data.left_out(sample)) else {
            continue;
        };
        let prefix = call.placed.words[sample.key_words[0]].clone();
        let prefix = &prefix[..prefix.len() - sample.words[sample.key_words[0]].len()];
        let (mut out, mut count) = (BytesMut::new(), 0);
        for line in data.before(sample, Round::Filled).unwrap_or_default() {
            let keys = keys_of(line);
            if keys.is_empty() {
                continue;
            }
            let mut words: Vec<Bytes> = line
                .words()
                .iter()
                .map(|word| Bytes::copy_from_slice(word.as_bytes()))
                .collect();
            for at in keys {
                words[at] = [prefix, &words[at]].concat().into();
            }
            encode(&mut out, &words);
            count += 1;
        }
        let hand = &mut hands[ground.owner(slot)];
        hand.send(&out);
        for _ in 0..count {
            hand.receive().expect("the server answers");
        }
    }
}

/// Which words of a line are keys.
fn keys_of(line: &Words) -> Vec<usize> {
    let words = line.words();
    line.info().keys_of(&words).map(|key| key.word).collect()
}

/// One way to send the calls, and what came of it.
struct Check<'r> {
    ground: &'r Ground,
    known: &'r Deviations,
    keys: Keys,
    line: Line,
}

impl Check<'_> {
    fn run(&mut self, client: &Client, path: Path, commands: &[(&'static Info, Vec<Call<'_>>)]) {
        let mut hands = self.ground.hands(2);
        Counts::begin(&mut hands);
        // By the name under which servers count them: how often each primary should have run it.
        let mut wanted: BTreeMap<&str, [u64; PRIMARIES]> = BTreeMap::new();
        for (info, calls) in commands {
            if calls.is_empty() {
                if self.keys == Keys::Together {
                    let found = format!("{}: no sample has a key", info.name);
                    self.line.failures.push(found);
                }
                continue;
            }
            self.line.commands.insert(info.name);
            let outcomes = self.ground.wait(send(client, path, calls));
            for (call, outcome) in calls.iter().zip(outcomes) {
                if self.judge(call, outcome) {
                    let wanted = wanted.entry(self.ground.counted_as(info)).or_default();
                    for &slot in &call.slots {
                        wanted[self.ground.owner(slot)] += 1;
                    }
                }
            }
        }
        let counts = Counts::of(&mut hands);
        self.line.redirects = counts.redirects();
        self.line.judge_redirects();
        for (command, wanted) in wanted {
            let landed = &counts.calls(command)[..PRIMARIES];
            if landed == wanted {
                self.line.landed += wanted.iter().sum::<u64>();
            } else {
                let found = format!("{command}: ran {landed:?} times, expected {wanted:?}");
                self.line.failures.push(found);
            }
            if self.keys == Keys::Together && wanted.contains(&0) {
                let found = format!("{command}: a primary was not meant: {wanted:?}");
                self.line.failures.push(found);
            }
        }
    }

    /// Counts what came of a call; returns whether a server should have seen it.
    fn judge(&mut self, call: &Call<'_>, outcome: Outcome) -> bool {
        let sample = call.placed.sample;
        self.line.samples += 1;
        let whole = !matches!(sample.info.routing, Routing::Parts { .. });
        let (found, sent) = match outcome {
            Outcome::Answered => {
                self.line.answered += 1;
                return true;
            }
            Outcome::Refused => {
                self.line.refused += 1;
                return true;
            }
            Outcome::Unsent(_) if self.keys == Keys::Apart && whole => {
                self.line.refused_locally += 1;
                return false;
            }
            Outcome::Unsent(found) => (found, false),
            Outcome::Failed(found) => (found, true),
        };
        let seen = Seen {
            server: self.ground.variant.name(),
            version: "",
            checks: &[&self.line.check],
            command: sample.info.name,
            label: &sample.label,
            found: &found,
        };
        if self.known.name(&seen) {
            self.line.named += 1;
            self.line.refused_locally += usize::from(!sent);
        } else {
            let found = format!("{}: {found}", sample.name());
            self.line.failures.push(found);
        }
        sent
    }
}

/// Sends calls of one command.
async fn send(client: &Client, path: Path, calls: &[Call<'_>]) -> Vec<Outcome> {
    let placed: Vec<_> = calls.iter().map(|call| &call.placed).collect();
    if path == Path::Pipeline
        && let Ok(results) = client.pipeline(&placed).results().await
    {
        return results.into_iter().map(Outcome::of).collect();
    }
    let mut outcomes = Vec::with_capacity(placed.len());
    for call in placed {
        outcomes.push(match path {
            Path::Typed => Outcome::of(client.send(call).await),
            Path::Raw => Outcome::of(client.send(call.raw()).await),
            // One that is refused takes the others with it, which are sent by themselves then.
            Path::Pipeline => Outcome::of(client.pipeline([call]).await),
            Path::Dedicated => Outcome::of(dedicated(client, call).await),
        });
    }
    outcomes
}

async fn dedicated(client: &Client, call: &Placed<'_>) -> Result<()> {
    let key = &call.words[call.sample.key_words[0]];
    let dedicated = client.dedicated_for(key).await?;
    dedicated.send(call).await.map(drop)
}

impl Outcome {
    fn of<T>(result: Result<T>) -> Self {
        let Err(error) = result else {
            return Self::Answered;
        };
        match error.kind() {
            ErrorKind::Server if !about_the_place(&error) => Self::Refused,
            ErrorKind::Refused => Self::Unsent(error.to_string()),
            _ => Self::Failed(error.to_string()),
        }
    }
}

fn about_the_place(error: &Error) -> bool {
    let places = REDIRECTS.into_iter().chain(["TRYAGAIN", "CLUSTERDOWN"]);
    places.into_iter().any(|code| error.code() == Some(code))
}

/// About a third of all slots, and odd, so that one step leads to another node and many steps to
/// all slots.
const THIRD: usize = 5463;
