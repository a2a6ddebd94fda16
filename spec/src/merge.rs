//! How a source becomes part of the spec.
//!
//! Redis is the base: its newest published form decides names, structure and facts. Valkey, or any
//! other family, adds to it. The rules:
//!
//! 1. *Who has it.* What only one family has carries that `provider`; once the other family is seen
//!    to have it too, the mark goes. This holds for commands and, inside shared commands, for
//!    arguments.
//! 2. *Which source counts.* A source of the base family that is as new as what we have replaces
//!    grammar and facts. Versions are compared by module, by the newest version that is mentioned.
//!    An older source changes nothing but adds commands that we never saw; its differences are
//!    reported.
//! 3. *The other family* adds optional arguments and alternatives, at the place after the neighbour
//!    that both have. Where its structure differs beyond that, or a fact differs, the base stands
//!    and the report says so.
//! 4. *Nothing is dropped in silence.* Commands are never removed: what is gone is reported and
//!    deleted by hand. A source that describes no arguments says nothing about them, and a running
//!    server says nothing about modules that we know, because what it says of them is not reliable.
//!    A Sentinel says nothing about the commands of data servers, and they nothing about its own.
//! 5. *Texts stay.* Summaries, complexities and the words of the history are ours.
//!
//! Two arguments are the same when their leading token is the same; without a token, values by
//! their name, alternatives by a common member, blocks by name or common first part. The case of
//! letters makes no difference, since servers do not write it the same way.

use std::collections::{BTreeMap, BTreeSet};

use respec_codegen::source::{Form, SENTINEL, Source};
use respec_codegen::spec::{Argument, ArgumentType, Command, Commands, Provider, Skip};

use crate::diff;
use crate::versions::{Versions, newest, numbers};

/// What a merge did and found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Commands that were added.
    pub new: Vec<String>,
    /// Commands that changed, with the changes.
    pub changed: Vec<(String, Vec<String>)>,
    /// Commands that the source should have and has not; they were kept.
    pub gone: Vec<String>,
    /// Commands in which the source differs without changing ours.
    pub kept: Vec<(String, Kept)>,
    /// Names that joined the list of what is left out.
    pub skipped: Vec<(String, Skip)>,
}

/// Differences that changed nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Why ours was kept.
    pub why: &'static str,
    /// What the source says.
    pub differences: Vec<String>,
}

impl Report {
    /// Whether the spec is as it was.
    pub fn is_unchanged(&self) -> bool {
        self.new.is_empty() && self.changed.is_empty() && self.skipped.is_empty()
    }
}

/// Merges a source into commands and the list of what is left out.
pub fn merge(ours: &mut Commands, skipped: &mut BTreeMap<String, Skip>, source: &Source) -> Report {
    let mut report = Report::default();
    // What both families have carries the versions of the base.
    let known = match source.provider {
        BASE => newest(ours, &[None, Some(BASE)]),
        other => newest(ours, &[Some(other)]),
    };
    let offered = newest(&source.commands, &[None]);
    for (name, theirs) in &source.commands {
        if let Some(command) = ours.get_mut(name) {
            let before = command.clone();
            let mut kept = Vec::new();
            let authority = Authority::of(&before, theirs, source, &known, &offered);
            merge_command(command, theirs, source, authority, &mut kept);
            let changes = diff::command(&before, command);
            if !changes.is_empty() {
                report.changed.push((name.clone(), changes));
            }
            if !kept.is_empty() {
                let current = is_current(theirs, source, &known, &offered);
                let kept = Kept {
                    why: authority.why(current),
                    differences: kept,
                };
                report.kept.push((name.clone(), kept));
            }
            continue;
        }
        match (reason_to_skip(name, theirs, source), skipped.get(name)) {
            (Some(_), Some(_)) => {}
            // Internal commands stay out even where a server documents them.
            (None, Some(Skip::Internal | Skip::Silent)) => {}
            // What an old server keeps to itself may be gone by now.
            (Some(_), None) if !is_current(theirs, source, &known, &offered) => {}
            (Some(reason), None) => {
                skipped.insert(name.clone(), reason);
                report.skipped.push((name.clone(), reason));
            }
            (None, _) => {
                skipped.remove(name);
                let command = Command {
                    provider: Some(source.provider),
                    ..theirs.clone()
                };
                ours.insert(name.clone(), command);
                report.new.push(name.clone());
            }
        }
    }
    report.gone = gone(ours, source, &known, &offered);
    report
}

/// What a source may decide about a command that we know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Authority {
    /// Grammar and facts.
    All,
    /// That its family has the command, and what its family adds.
    Additions,
    /// Nothing.
    Nothing,
}

impl Authority {
    fn of(
        ours: &Command,
        theirs: &Command,
        source: &Source,
        known: &Versions,
        offered: &Versions,
    ) -> Self {
        // A family decides what it alone has; about what is shared the base family decides.
        let decides = ours.provider.unwrap_or(BASE) == source.provider;
        // A running server calls every key of a module read-write and describes no arguments.
        let unreliable = source.form == Form::Live && theirs.group == "module";
        if !is_current(theirs, source, known, offered) || (decides && unreliable) {
            Self::Nothing
        } else if decides {
            Self::All
        } else {
            Self::Additions
        }
    }

    /// Why a source does not decide more, as the end of "kept, since".
    fn why(self, is_current: bool) -> &'static str {
        match self {
            Self::All => "no place for it was found in the grammar",
            Self::Additions => "redis decides about what both families have",
            Self::Nothing if is_current => {
                "what a running server says of its modules is not reliable"
            }
            Self::Nothing => "the source is older than the spec",
        }
    }
}

fn is_current(command: &Command, source: &Source, known: &Versions, offered: &Versions) -> bool {
    let module = command.module.clone().unwrap_or_default();
    let none = Vec::new();
    let offered = match &source.version {
        Some(version) if module.is_empty() => numbers(version),
        _ => offered.get(&module).unwrap_or(&none).clone(),
    };
    offered >= *known.get(&module).unwrap_or(&none)
}

fn reason_to_skip(name: &str, theirs: &Command, source: &Source) -> Option<Skip> {
    if source.is_container(name) {
        Some(Skip::Container)
    } else if name.starts_with('_') || theirs.doc_flags.iter().any(|flag| flag == "syscmd") {
        Some(Skip::Internal)
    } else if !source.summaries.contains_key(name) {
        Some(Skip::Undocumented)
    } else {
        None
    }
}

/// Commands of the source's family, and of modules that the source describes, that it has not.
fn gone(ours: &Commands, source: &Source, known: &Versions, offered: &Versions) -> Vec<String> {
    let sentinel = source.has_group(SENTINEL);
    let is_gone = |(name, command): &(&String, &Command)| {
        // A running server is a Sentinel or is not, and published files may leave Sentinels out.
        let described = match command.group == SENTINEL {
            true => sentinel,
            false => !sentinel || source.form != Form::Live,
        } && !source.hides(name);
        let module = command.module.clone().unwrap_or_default();
        let expected = command
            .provider
            .is_none_or(|provider| provider == source.provider);
        described
            && expected
            && offered.contains_key(&module)
            && is_current(command, source, known, offered)
            && !source.commands.contains_key(*name)
    };
    ours.iter()
        .filter(is_gone)
        .map(|(name, _)| name.clone())
        .collect()
}

fn merge_command(
    ours: &mut Command,
    theirs: &Command,
    source: &Source,
    authority: Authority,
    kept: &mut Vec<String>,
) {
    if authority == Authority::Nothing {
        kept.extend(diff::facts(ours, theirs));
        kept.extend(diff::additions(ours, theirs));
        return;
    }
    let newly_shared = ours
        .provider
        .is_some_and(|provider| provider != source.provider);
    if newly_shared {
        ours.provider = None;
    }
    if authority == Authority::All {
        take_facts(ours, theirs, source.form);
    } else {
        kept.extend(diff::facts(ours, theirs));
    }
    if theirs.arguments.is_empty() {
        return;
    }
    let shared = ours.provider.is_none();
    let mut union = Union {
        family: source.provider,
        theirs_identities: identities_in(&theirs.arguments),
        ours_identities: identities_in(&ours.arguments),
        mark_ours: newly_shared.then_some(match source.provider {
            Provider::Redis => Provider::Valkey,
            Provider::Valkey => Provider::Redis,
        }),
        mark_theirs: shared.then_some(source.provider),
        kept,
    };
    if authority == Authority::All {
        let mut arguments = theirs.arguments.clone();
        union.renew(&mut arguments, &ours.arguments, Siblings::Sequence);
        ours.arguments = arguments;
    } else {
        union.add(&mut ours.arguments, &theirs.arguments, Siblings::Sequence);
    }
}

fn take_facts(ours: &mut Command, theirs: &Command, form: Form) {
    ours.since.clone_from(&theirs.since);
    if ours.group != "module" {
        ours.group.clone_from(&theirs.group);
    }
    if ours.complexity.is_none() {
        ours.complexity.clone_from(&theirs.complexity);
    }
    if ours.replaced_by.is_none() || theirs.deprecated_since.is_none() {
        ours.replaced_by.clone_from(&theirs.replaced_by);
    }
    ours.deprecated_since.clone_from(&theirs.deprecated_since);
    ours.doc_flags.clone_from(&theirs.doc_flags);
    ours.history = with_texts(&theirs.history, &ours.history);
    ours.acl_categories.clone_from(&theirs.acl_categories);
    ours.arity = theirs.arity;
    let mut flags = theirs.command_flags.clone();
    if form == Form::Server {
        // The server computes these two when it starts; its files do not have them.
        let computed = |flag: &&String| matches!(flag.as_str(), "movablekeys" | "module");
        flags.extend(ours.command_flags.iter().filter(computed).cloned());
        flags.sort();
        flags.dedup();
    }
    ours.command_flags = flags;
    ours.hints.clone_from(&theirs.hints);
    ours.key_specs.clone_from(&theirs.key_specs);
}

/// Their versions with our texts, the n-th text of a version for its n-th mention.
fn with_texts(theirs: &[(String, String)], ours: &[(String, String)]) -> Vec<(String, String)> {
    let mut left: Vec<_> = ours.iter().collect();
    let mut text = |version: &String| {
        let place = left.iter().position(|(other, _)| other == version)?;
        Some(left.remove(place).1.clone())
    };
    theirs
        .iter()
        .map(|(version, _)| (version.clone(), text(version).unwrap_or_default()))
        .collect()
}

/// How the elements of a list of arguments belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Siblings {
    /// One after the other.
    Sequence,
    /// One of them.
    Alternatives,
}

impl Siblings {
    fn of(parent: &Argument) -> Self {
        match parent.kind {
            ArgumentType::Oneof => Self::Alternatives,
            _ => Self::Sequence,
        }
    }

    /// Whether a server that lacks the argument still understands the rest.
    fn may_differ(self, argument: &Argument) -> bool {
        self == Self::Alternatives || argument.optional
    }
}

/// The union of two grammars of one command.
struct Union<'a> {
    family: Provider,
    theirs_identities: BTreeSet<String>,
    ours_identities: BTreeSet<String>,
    /// The mark of what only we have.
    mark_ours: Option<Provider>,
    /// The mark of what only the source has.
    mark_theirs: Option<Provider>,
    kept: &'a mut Vec<String>,
}

impl Union<'_> {
    /// Adds to our structure what only the source has.
    fn add(&mut self, ours: &mut Vec<Argument>, theirs: &[Argument], siblings: Siblings) {
        let mut places = Places::of(ours, theirs);
        for (theirs, pair) in theirs.iter().zip(places.pairs.clone()) {
            if let Some(index) = pair {
                let ours = &mut ours[places.reach(index)];
                self.join(ours, theirs);
                continue;
            }
            let foreign = identities(theirs).is_disjoint(&self.ours_identities);
            if foreign && siblings.may_differ(theirs) {
                let argument = Argument {
                    provider: self.mark_theirs,
                    ..theirs.clone()
                };
                ours.insert(places.insert(), argument);
            } else {
                self.kept
                    .push(format!("other structure in the source: {theirs}"));
            }
        }
        for index in places.unpaired() {
            let ours = &mut ours[index];
            let missing = identities(ours).is_disjoint(&self.theirs_identities);
            if missing && siblings.may_differ(ours) && ours.provider.is_none() {
                ours.provider = self.mark_ours;
            }
        }
    }

    fn join(&mut self, ours: &mut Argument, theirs: &Argument) {
        if ours
            .provider
            .is_some_and(|provider| provider != self.family)
        {
            ours.provider = None;
        }
        match (
            ours.kind == ArgumentType::Oneof,
            theirs.kind == ArgumentType::Oneof,
        ) {
            (false, true) => self.widen(ours, theirs),
            (true, false) => {
                self.add(
                    &mut ours.arguments,
                    std::slice::from_ref(theirs),
                    Siblings::Alternatives,
                );
            }
            _ if ours.kind == theirs.kind => {
                let siblings = Siblings::of(ours);
                self.compare(ours, theirs);
                self.add(&mut ours.arguments, &theirs.arguments, siblings);
            }
            _ => self.compare(ours, theirs),
        }
    }

    /// Turns our only choice into one of the alternatives of the source.
    fn widen(&mut self, ours: &mut Argument, theirs: &Argument) {
        let known: BTreeSet<String> = identities(ours);
        let others = theirs
            .arguments
            .iter()
            .filter(|one| identities(one).is_disjoint(&known));
        let is_free = |one: &Argument| identities(one).is_disjoint(&self.ours_identities);
        if ours.optional != theirs.optional || !others.clone().all(is_free) {
            self.kept
                .push(format!("other structure in the source: {theirs}"));
            return;
        }
        let mut oneof = Argument {
            arguments: Vec::new(),
            provider: None,
            ..theirs.clone()
        };
        for one in &theirs.arguments {
            oneof
                .arguments
                .push(if identities(one).is_disjoint(&known) {
                    Argument {
                        provider: self.mark_theirs,
                        ..one.clone()
                    }
                } else {
                    Argument {
                        optional: false,
                        ..ours.clone()
                    }
                });
        }
        *ours = oneof;
    }

    /// Reports what differs in an argument that both have.
    fn compare(&mut self, ours: &Argument, theirs: &Argument) {
        for change in diff::argument(ours, theirs) {
            self.kept.push(format!("differs in the source: {change}"));
        }
    }

    /// Puts into the structure of a newer source what only the other family has, and the marks.
    fn renew(&mut self, new: &mut Vec<Argument>, ours: &[Argument], siblings: Siblings) {
        let mut places = Places::of(new, ours);
        for (ours, pair) in ours.iter().zip(places.pairs.clone()) {
            if let Some(index) = pair {
                let new = &mut new[places.reach(index)];
                self.renew_one(new, ours);
            } else if ours
                .provider
                .is_some_and(|provider| provider != self.family)
            {
                new.insert(places.insert(), ours.clone());
            }
        }
        for index in places.unpaired() {
            let new = &mut new[index];
            let unknown = identities(new).is_disjoint(&self.ours_identities);
            if unknown && siblings.may_differ(new) {
                new.provider = self.mark_theirs;
            }
        }
    }

    fn renew_one(&mut self, new: &mut Argument, ours: &Argument) {
        let foreign = |one: &Argument| one.provider.is_some_and(|other| other != self.family);
        let is_oneof = |one: &Argument| one.kind == ArgumentType::Oneof;
        if is_oneof(ours) && !is_oneof(new) && ours.arguments.iter().any(foreign) {
            // Ours was widened by the other family; the newer source still has the one choice.
            let mut oneof = ours.clone();
            oneof.optional = new.optional;
            for one in oneof.arguments.iter_mut().filter(|one| !foreign(one)) {
                *one = Argument {
                    optional: false,
                    ..new.clone()
                };
            }
            *new = oneof;
            return;
        }
        new.provider = ours.provider.filter(|provider| *provider == self.family);
        let siblings = Siblings::of(new);
        self.renew(&mut new.arguments, &ours.arguments, siblings);
    }
}

/// Where the arguments of a list stand while others are inserted.
struct Places {
    /// For each argument of the other list its index in this list, before insertions.
    pairs: Vec<Option<usize>>,
    /// Where each argument of this list stands now.
    now: Vec<usize>,
    /// Where the next insertion goes: after the last one that both lists have.
    next: usize,
}

impl Places {
    fn of(list: &[Argument], other: &[Argument]) -> Self {
        Self {
            pairs: pair(list, other),
            now: (0..list.len()).collect(),
            next: 0,
        }
    }

    /// The present place of a paired argument, which insertions follow from now on.
    fn reach(&mut self, index: usize) -> usize {
        let place = self.now[index];
        self.next = place + 1;
        place
    }

    /// The place of an insertion that is about to be made.
    fn insert(&mut self) -> usize {
        let place = self.next;
        for now in self.now.iter_mut().filter(|now| **now >= place) {
            *now += 1;
        }
        self.next += 1;
        place
    }

    /// The present places of the arguments without a partner.
    fn unpaired(&self) -> Vec<usize> {
        let paired: BTreeSet<usize> = self.pairs.iter().flatten().copied().collect();
        let unpaired = (0..self.now.len()).filter(|index| !paired.contains(index));
        unpaired.map(|index| self.now[index]).collect()
    }
}

/// For each of `theirs` the index of the same argument in `ours`.
pub(crate) fn pair(ours: &[Argument], theirs: &[Argument]) -> Vec<Option<usize>> {
    let mut taken = BTreeSet::new();
    let mut pairs = Vec::new();
    for argument in theirs {
        let free = |index: &usize| !taken.contains(index);
        let index = (0..ours.len())
            .filter(free)
            .find(|index| is_same(&ours[*index], argument));
        taken.extend(index);
        pairs.push(index);
    }
    pairs
}

fn is_same(a: &Argument, b: &Argument) -> bool {
    match (lead(a), lead(b)) {
        (Some(a), Some(b)) => a.eq_ignore_ascii_case(b),
        (None, None) => match (a.kind, b.kind) {
            (ArgumentType::Oneof, ArgumentType::Oneof) => any_same(a, b),
            (ArgumentType::Oneof, _) => a.arguments.iter().any(|one| is_same(one, b)),
            (_, ArgumentType::Oneof) => b.arguments.iter().any(|one| is_same(a, one)),
            (ArgumentType::Block, ArgumentType::Block) => {
                a.name == b.name
                    || matches!((a.arguments.first(), b.arguments.first()),
                        (Some(a), Some(b)) if is_same(a, b))
            }
            (ArgumentType::Block, _) | (_, ArgumentType::Block) => false,
            _ => a.name.eq_ignore_ascii_case(&b.name),
        },
        // A token may stand alone in one source and among alternatives in the other.
        (Some(_), None) if b.kind == ArgumentType::Oneof => {
            b.arguments.iter().any(|one| is_same(a, one))
        }
        (None, Some(_)) if a.kind == ArgumentType::Oneof => {
            a.arguments.iter().any(|one| is_same(one, b))
        }
        _ => false,
    }
}

fn any_same(a: &Argument, b: &Argument) -> bool {
    a.arguments
        .iter()
        .any(|one| b.arguments.iter().any(|other| is_same(one, other)))
}

/// The word that always stands first, if there is one.
fn lead(argument: &Argument) -> Option<&str> {
    match (&argument.token, argument.kind, argument.arguments.first()) {
        (Some(token), _, _) => Some(token),
        (None, ArgumentType::Block, Some(first)) if !first.optional => lead(first),
        _ => None,
    }
}

/// What tells an argument from all others of its command: its token, else its name, else those of
/// its parts.
fn identities(argument: &Argument) -> BTreeSet<String> {
    if let Some(token) = lead(argument) {
        return BTreeSet::from([format!("token {}", token.to_uppercase())]);
    }
    match argument.kind {
        ArgumentType::Oneof | ArgumentType::Block => {
            argument.arguments.iter().flat_map(identities).collect()
        }
        _ => BTreeSet::from([format!("name {}", argument.name.to_uppercase())]),
    }
}

/// The identities of all arguments at every depth.
fn identities_in(arguments: &[Argument]) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for argument in arguments {
        all.extend(identities(argument));
        all.extend(identities_in(&argument.arguments));
    }
    all
}

/// The family whose newest form is the base of the spec.
const BASE: Provider = Provider::Redis;
