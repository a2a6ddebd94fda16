//! Every command that goes to several nodes answers what each of them says.
//!
//! Which commands these are, how many nodes they go to and how the answers become one, is what the
//! facts of the commands say. Each is asked for on stages that make the nodes answer differently:
//! first by hand on each node, then by the client, typed, in a pipeline and as a raw command. The
//! answers of the nodes are put together by [`merge`](crate::merge), and the nodes' own counts tell
//! whether those that should have run it have run it, once, and no others.

use std::collections::BTreeSet;

use bytes::Bytes;
use respec::{
    Client, Error, ErrorKind, Result,
    command::{Command, Detached, Flags, Info, Join, Retry, Routing},
    reply::Value,
};
use respec_conformance::{Catalogue, Connection, Placed, Sample};
use respec_testkit::{SLOTS, key_in_slot, slot_of};

use crate::{
    counts::Counts,
    ground::{Ground, PRIMARIES, ask},
    look::{self, Look},
    merge,
    stage::{Stagehand, Step, stages},
    table::Line,
};

/// Asks for all commands that go to several nodes, under both versions of the protocol.
pub(crate) fn run(ground: &Ground, catalogue: &Catalogue) -> Vec<Line> {
    [2, 3]
        .into_iter()
        .map(|protocol| {
            let mut run = Run::new(ground, protocol);
            for info in Info::all().iter().filter(|info| ground.facts.has(info)) {
                if goes_to_several(info) {
                    run.command(info, catalogue);
                }
            }
            run.line.judge_redirects();
            run.line
        })
        .collect()
}

/// Whether the facts of a command send it to several nodes, or to one that a slot decides.
pub(crate) fn goes_to_several(info: &Info) -> bool {
    match info.routing {
        Routing::AllNodes(_) | Routing::AllPrimaries(_) | Routing::Parts { .. } | Routing::Slot => {
            true
        }
        Routing::Keys
        | Routing::AnyNode
        | Routing::SameNode
        | Routing::NodeOfArgument
        | Routing::OneNode
        | Routing::NodeByNode
        | Routing::Connection => false,
    }
}

/// How the answers of several nodes become one, where there are any.
pub(crate) fn join_of(info: &Info) -> Option<Join> {
    match info.routing {
        Routing::AllNodes(join) | Routing::AllPrimaries(join) | Routing::Parts { join, .. } => {
            Some(join)
        }
        _ => None,
    }
}

/// How the client is asked.
#[derive(Clone, Copy, Debug)]
enum Path {
    Typed,
    Pipeline,
    Raw,
}

struct Run<'g> {
    ground: &'g Ground,
    client: Client,
    stagehand: Stagehand<'g>,
    hands: Vec<Connection>,
    /// Those that ask for the counts, under RESP2.
    counters: Vec<Connection>,
    line: Line,
}

impl<'g> Run<'g> {
    fn new(ground: &'g Ground, protocol: u8) -> Self {
        let client = ground.client(protocol);
        // From here on no connection comes or goes by itself.
        let greeted = ground.wait(client.each_node().send(respec::cmd::raw("PING")));
        greeted.expect("the nodes are known");
        let check = format!("fan-out RESP{protocol}");
        Self {
            client,
            stagehand: Stagehand::new(ground),
            hands: ground.hands(protocol),
            counters: ground.hands(2),
            line: Line::new(ground.variant.name(), &check),
            ground,
        }
    }

    fn command(&mut self, info: &'static Info, catalogue: &Catalogue) {
        self.line.commands.insert(info.name);
        let samples = catalogue.samples().iter();
        let samples: Vec<_> = samples.filter(|it| it.info.name == info.name).collect();
        let mut cases = Vec::new();
        for sample in samples.iter().take(FEW) {
            cases.push(apart(sample));
            cases.extend(with_many_keys(sample));
        }
        if let Some(sample) = samples.first() {
            let more = MORE.iter().filter(|more| named(more, info));
            cases.extend(more.map(|words| with_words(sample, words)));
        }
        if cases.is_empty() {
            self.fail(info.name, "there is no sample");
        }
        let mut differ = false;
        for case in &cases {
            for stage in stages(info.name) {
                differ |= self.case(info, case, stage);
            }
        }
        let indifferent = matches!(join_of(info), Some(Join::First | Join::PerNode) | None);
        if !differ && !indifferent {
            self.fail(info.name, "all nodes answer the same, which tells nothing");
        }
    }

    /// Asks on one stage; returns whether the nodes answered differently.
    fn case(&mut self, info: &'static Info, case: &Placed<'_>, stage: &[Step]) -> bool {
        let look = look::at(case.sample).map(|rule| rule.look);
        self.set(info, case, stage);
        // A busy node cannot be told to begin.
        let is_busy = stage.iter().any(Step::is_busy);
        if !is_busy {
            // Some commands answer what their node has counted. The client asks after the counts
            // have begun anew, and so has the hand to.
            Counts::begin(&mut self.counters);
        }
        let said: Vec<_> = self
            .by_hand(info, case)
            .into_iter()
            .map(|(node, value)| (node, seen(look, &value)))
            .collect();
        for path in [Path::Typed, Path::Pipeline, Path::Raw] {
            if is_busy {
                Counts::begin(&mut self.counters);
            }
            if info.retry != Retry::Safe {
                self.set(info, case, stage);
            }
            if !is_busy {
                Counts::begin(&mut self.counters);
            }
            let answer = self.ground.wait(self.answer(info, case, path));
            let counts = Counts::of(&mut self.counters);
            let ran = counts.calls(self.ground.counted_as(info));
            for (all, count) in self.line.redirects.iter_mut().zip(counts.redirects()) {
                *all += count;
            }
            self.line.samples += 1;
            match answer {
                Ok(None) => {
                    self.line.refused_locally += 1;
                    continue;
                }
                Ok(Some(answer)) => self.judge(info, case, look, &said, &answer),
                Err(error) if is_forbidden(info, case, &error) => {
                    self.line.refused_locally += 1;
                    continue;
                }
                Err(error) => self.fail(&case.sample.name(), &format!("{path:?}: {error}")),
            }
            self.judge_place(info, case, &ran);
        }
        let first = said.first().map(|(_, value)| merge::written(value));
        said.iter().any(|(_, it)| Some(merge::written(it)) != first)
    }

    fn set(&mut self, info: &'static Info, case: &Placed<'_>, stage: &[Step]) {
        self.stagehand.set(stage);
        if let Routing::Parts { .. } = info.routing {
            self.stagehand.every_other(keys(case));
        }
    }

    fn judge(
        &mut self,
        info: &'static Info,
        case: &Placed<'_>,
        look: Option<Look>,
        said: &[(String, Value)],
        answer: &Value,
    ) {
        match answer {
            Value::Error(_) => self.line.refused += 1,
            _ => self.line.answered += 1,
        }
        self.line.named += usize::from(look.is_some());
        let join = join_of(info).unwrap_or(Join::First);
        let answer = match answer {
            Value::Map(nodes) if join == Join::PerNode => {
                let nodes = nodes.iter();
                Value::Map(nodes.map(|(it, is)| (it.clone(), seen(look, is))).collect())
            }
            other => seen(look, other),
        };
        if let Some(found) = merge::wrong(join, said, &answer) {
            self.fail(&case.sample.name(), &format!("{join:?}: {found}"));
        }
    }

    /// Whether a command has run once on each of its nodes, and on no other.
    fn judge_place(&mut self, info: &'static Info, case: &Placed<'_>, ran: &[u64]) {
        let mut wanted = vec![0; ran.len()];
        match info.routing {
            Routing::AllPrimaries(_) => wanted[..PRIMARIES].fill(1),
            Routing::AllNodes(_) => wanted.fill(1),
            _ => {
                let slots: BTreeSet<_> = match info.routing {
                    Routing::Slot => [named_slot(info, case)].into(),
                    _ => keys(case).map(|key| slot_of(key)).collect(),
                };
                for slot in slots {
                    wanted[self.ground.owner(slot)] += 1;
                }
            }
        }
        // Replicas run what their primaries write, and are pinged by them.
        let is_passed_on = info.flags.contains(Flags::WRITE) || info.name == "PING";
        let passed_on = is_passed_on && !matches!(info.routing, Routing::AllNodes(_));
        let nodes = if passed_on { PRIMARIES } else { ran.len() };
        if ran[..nodes] == wanted[..nodes] {
            self.line.landed += wanted.iter().sum::<u64>();
        } else {
            let found = format!("the nodes ran it {ran:?} times, expected {wanted:?}");
            self.fail(&case.sample.name(), &found);
        }
    }

    /// What each node answers by itself, or about each of the keys the node that has it.
    fn by_hand(&mut self, info: &'static Info, case: &Placed<'_>) -> Vec<(String, Value)> {
        let asked: Vec<(usize, Vec<Bytes>)> = match info.routing {
            Routing::AllPrimaries(_) => (0..PRIMARIES).map(|it| (it, case.words.clone())).collect(),
            Routing::AllNodes(_) => {
                let nodes = 0..self.hands.len();
                nodes.map(|it| (it, case.words.clone())).collect()
            }
            Routing::Slot => vec![(
                self.ground.owner(named_slot(info, case)),
                case.words.clone(),
            )],
            _ => {
                let parts = (0..case.key_words.len()).map(|nth| part(info, case, nth));
                let owner = |key: &Bytes| self.ground.owner(slot_of(key));
                keys(case).map(owner).zip(parts).collect()
            }
        };
        asked
            .into_iter()
            .map(|(node, words)| {
                let address = self.ground.nodes[node].addr().to_string();
                (address, ask(&mut self.hands[node], &words))
            })
            .collect()
    }

    /// What the client answers; nothing where it wants to be asked for the answer of every node, and
    /// cannot be in this way.
    async fn answer(
        &self,
        info: &'static Info,
        case: &Placed<'_>,
        path: Path,
    ) -> Result<Option<Value>> {
        let answer = match path {
            Path::Typed => self.client.send(case).await.map(|(value, _)| value),
            Path::Raw => self.client.send(case.raw()).await,
            Path::Pipeline => {
                let answers = self.client.pipeline([case]).await;
                answers.map(|mut answers| answers.remove(0).0)
            }
        };
        if join_of(info) != Some(Join::PerNode) {
            return as_value(answer).map(Some);
        }
        match (answer, path) {
            (Err(error), _) if error.kind() != ErrorKind::Refused => Err(error),
            (Ok(value), _) => Ok(Some(value)),
            (Err(_), Path::Pipeline) => Ok(None),
            (Err(_), Path::Typed) => self.each(info, case, |(value, _)| value).await.map(Some),
            (Err(_), Path::Raw) => self.each(info, case.raw(), |value| value).await.map(Some),
        }
    }

    /// The answers of all nodes as a map.
    async fn each<C: Command<Via = Detached> + Sync>(
        &self,
        info: &'static Info,
        command: C,
        value: impl Fn(C::Reply) -> Value,
    ) -> Result<Value> {
        let each = match info.routing {
            Routing::AllNodes(_) => self.client.each_node(),
            _ => self.client.each_primary(),
        };
        let answers = each.send(command).await?.into_iter();
        let pairs = answers.map(|(node, answer)| {
            let node = Value::BulkString(node.to_string().into());
            as_value(answer.map(&value)).map(|value| (node, value))
        });
        pairs.collect::<Result<_>>().map(Value::Map)
    }

    fn fail(&mut self, what: &str, found: &str) {
        self.line.failures.push(format!("{what}: {found}"));
    }
}

/// Whether a command was refused for a word with which it cannot be cut into parts, or is about one
/// node.
fn is_forbidden(info: &Info, case: &Placed<'_>, error: &Error) -> bool {
    let unless = match info.routing {
        Routing::Parts { unless, .. } => unless,
        _ => info.one_node_with,
    };
    let forbids = |word: &Bytes| unless.iter().any(|it| it.as_bytes() == &word[..]);
    error.kind() == ErrorKind::Refused && case.words.iter().any(forbids)
}

/// An error of a server is an answer.
fn as_value(answer: Result<Value>) -> Result<Value> {
    match answer {
        Err(error) if error.kind() == ErrorKind::Server => {
            let code = error.code().unwrap_or_default().to_owned();
            Ok(Value::Error(code.into()))
        }
        other => other,
    }
}

fn seen(look: Option<Look>, value: &Value) -> Value {
    match (look, value) {
        (_, Value::Error(_)) | (None, _) => value.clone(),
        (Some(look), value) => look.of(value),
    }
}

fn keys<'c>(case: &'c Placed<'_>) -> impl Iterator<Item = &'c Bytes> {
    case.key_words.iter().map(|&at| &case.words[at])
}

/// A sample whose keys lie on different nodes.
fn apart(sample: &Sample) -> Placed<'_> {
    sample.placed(|nth| {
        let slot = (nth * usize::from(SLOTS) / PRIMARIES + nth) % usize::from(SLOTS);
        key_in_slot(u16::try_from(slot).expect("a slot"))
    })
}

/// A sample of two keys with more of them, among which several share a slot and one comes twice.
fn with_many_keys(sample: &Sample) -> Option<Placed<'_>> {
    let [first, second] = sample.key_words[..] else {
        return None;
    };
    // A count in front of them would have to count them.
    if first != sample.info.words {
        return None;
    }
    let mut case = apart(sample);
    let step = second - first;
    let items = case.words.split_off(first);
    let item = |key: String, at: usize| {
        let words = items[..step].iter().skip(1).cloned();
        [Bytes::from(format!("{key}:{at}"))]
            .into_iter()
            .chain(words)
    };
    case.key_words.clear();
    for at in [0, 1, 2, 3, 4, 5, 1] {
        let slot = u16::try_from(at % 4).expect("a small number") * (SLOTS / 4);
        case.key_words.push(case.words.len());
        case.words.extend(item(key_in_slot(slot), at));
    }
    case.words.extend(items);
    case.key_words
        .extend([case.words.len() - 2 * step, case.words.len() - step]);
    Some(case)
}

/// Other words for the command of a sample.
fn with_words<'s>(sample: &'s Sample, words: &str) -> Placed<'s> {
    Placed {
        sample,
        words: words
            .split(' ')
            .map(|it| Bytes::from(it.to_owned()))
            .collect(),
        key_words: Vec::new(),
    }
}

fn named(words: &str, info: &Info) -> bool {
    words
        .strip_prefix(info.name)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
}

/// The same command about one of its keys alone.
fn part(info: &Info, case: &Placed<'_>, nth: usize) -> Vec<Bytes> {
    let at = case.key_words[nth];
    let (first, count) = (case.key_words[0], case.key_words.len());
    let step = case.key_words.get(1).map_or_else(
        || {
            if first > info.words {
                2
            } else {
                case.words.len() - first
            }
        },
        |second| second - first,
    );
    let mut words = case.words[..first].to_vec();
    if first > info.words {
        words[info.words] = Bytes::from_static(b"1");
    }
    words.extend_from_slice(&case.words[at..at + step]);
    words.extend_from_slice(&case.words[first + count * step..]);
    words
}

/// The slot that the word behind the name says.
fn named_slot(info: &Info, case: &Placed<'_>) -> u16 {
    let word = String::from_utf8_lossy(&case.words[info.words]);
    word.parse().expect("a slot")
}

/// So many samples of a command will do: its options have no part in where it goes.
const FEW: usize = 12;

/// Calls that make nodes answer differently where samples do not.
const MORE: &[&str] = &[
    "KEYS *",
    "CONFIG GET port",
    "SCRIPT EXISTS e0e1f9fabfc9d4800c877a703b823ac0578ff8db 7f923f79fe76194c868d7e1d0820de36700eb649",
    "SLOWLOG GET 2",
    "PUBSUB CHANNELS *1",
    "CLUSTER COUNTKEYSINSLOT 2",
    "CLUSTER COUNTKEYSINSLOT 10923",
    "CLUSTER GETKEYSINSLOT 10923 5",
];
