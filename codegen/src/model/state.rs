//! Which type a reply has in which state of a command's options.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    replies::{self, Condition, Given, Guard},
    spec::{Argument, ArgumentType},
};

use super::{
    OptKind, ReplyModel, State,
    lower::{Lowered, Lowering},
};

impl Lowering<'_> {
    /// Which type the reply has in which state.
    pub(super) fn reply(&mut self, reply: &replies::Reply) -> Lowered<ReplyModel> {
        if reply.guarded.is_empty() {
            return Ok(ReplyModel::Fixed(reply.default.clone()));
        }
        // Which guards speak of which alternative decides the number that a slot carries.
        let mut mentions: BTreeMap<usize, BTreeMap<usize, BTreeSet<usize>>> = BTreeMap::new();
        for (at, (guard, _)) in reply.guarded.iter().enumerate() {
            for name in names_in(guard) {
                let mark = *self.marks.get(&name).ok_or_else(|| {
                    format!("its reply depends on `{name}`, which is no option of it")
                })?;
                self.fill(mark.option);
                if let Some(alternative) = mark.alternative {
                    mentions
                        .entry(mark.option)
                        .or_default()
                        .entry(alternative)
                        .or_default()
                        .insert(at);
                }
            }
        }
        for (option, mentioned) in &mentions {
            let slot = self.fill(*option);
            let OptKind::Choice {
                setter,
                alternatives,
                nullable,
                ..
            } = &mut self.options[*option].kind
            else {
                continue;
            };
            let kinds: BTreeSet<_> = (0..alternatives.len())
                .map(|at| mentioned.get(&at).cloned().unwrap_or_default())
                .collect();
            if kinds.len() == 1 {
                let accepts_absence = reply.guarded.iter().all(|(guard, ty)| {
                    !names_in(guard).iter().any(|name| {
                        self.marks
                            .get(name)
                            .is_some_and(|mark| mark.option == *option)
                    }) || *ty == replies::Type::Optional(Box::new(reply.default.clone()))
                });
                *nullable = accepts_absence;
                continue;
            }
            let mut numbers: Vec<BTreeSet<usize>> = vec![BTreeSet::new()];
            for (at, alternative) in alternatives.iter_mut().enumerate() {
                let key = mentioned.get(&at).cloned().unwrap_or_default();
                let number = numbers
                    .iter()
                    .position(|known| *known == key)
                    .unwrap_or_else(|| {
                        numbers.push(key);
                        numbers.len() - 1
                    });
                alternative.state = u8::try_from(number).unwrap_or(u8::MAX);
            }
            *setter = None;
            self.slots[slot].states = u8::try_from(numbers.len() - 1).unwrap_or(u8::MAX);
            self.slots[slot].has_zero = alternatives
                .iter()
                .any(|alternative| alternative.state == 0);
        }
        let relevant: BTreeSet<usize> = reply
            .guarded
            .iter()
            .flat_map(|(guard, _)| names_in(guard))
            .filter_map(|name| self.options[self.marks[&name].option].slot)
            .collect();
        let mut patterns = Vec::new();
        let mut pattern = vec![State::Any; self.slots.len()];
        self.patterns(
            reply,
            &relevant.into_iter().collect::<Vec<_>>(),
            &mut pattern,
            &mut patterns,
        );
        Ok(ReplyModel::ByState(patterns))
    }

    /// Splits the states until each pattern has one type.
    pub(super) fn patterns(
        &self,
        reply: &replies::Reply,
        open: &[usize],
        pattern: &mut Vec<State>,
        found: &mut Vec<(Vec<State>, replies::Type)>,
    ) {
        if let Some(ty) = self.decided(reply, pattern) {
            found.push((pattern.clone(), ty));
            return;
        }
        let Some((slot, rest)) = open.split_first() else {
            return;
        };
        let model = &self.slots[*slot];
        let first = u8::from(!model.has_zero);
        let states = std::iter::once(State::Open).chain((first..=model.states).map(State::Given));
        for state in states {
            pattern[*slot] = state;
            self.patterns(reply, rest, pattern, found);
        }
        pattern[*slot] = State::Any;
    }

    /// The type in a pattern, if the states that are left open there do not matter.
    pub(super) fn decided(
        &self,
        reply: &replies::Reply,
        pattern: &[State],
    ) -> Option<replies::Type> {
        for (guard, ty) in &reply.guarded {
            match self.holds(guard, pattern) {
                Some(true) => return Some(ty.clone()),
                Some(false) => {}
                None => return None,
            }
        }
        Some(reply.default.clone())
    }

    pub(super) fn holds(&self, guard: &Guard, pattern: &[State]) -> Option<bool> {
        evaluate(guard, &|name| {
            let mark = self.marks.get(name)?;
            let option = &self.options[mark.option];
            let state = pattern[option.slot?];
            match (state, mark.alternative, &option.kind) {
                (State::Any, ..) => None,
                (State::Open, ..) => Some(false),
                (State::Given(number), Some(at), OptKind::Choice { alternatives, .. }) => {
                    Some(alternatives[at].state == number)
                }
                (State::Given(_), ..) => Some(true),
            }
        })
    }
}

/// What a reply guard may call an argument: its token, and its name after an `@`.
pub(super) fn guard_names(argument: &Argument) -> Vec<String> {
    let mut names = vec![format!("@{}", argument.name)];
    names.extend(argument.token.clone());
    if argument.kind == ArgumentType::Block
        && let Some(first) = argument.arguments.first()
        && let (Some(token), false) = (&first.token, first.optional)
    {
        names.push(token.clone());
    }
    names
}

pub(super) fn guard_names_of(argument: &Argument) -> Vec<String> {
    argument.arguments.iter().flat_map(guard_names).collect()
}

/// The names that a guard looks for, as [`guard_names`] spells them.
pub(super) fn names_in(guard: &Guard) -> Vec<String> {
    guard
        .all
        .iter()
        .flat_map(|condition| condition.any.iter().map(given_name))
        .collect()
}

pub(super) fn given_name(given: &Given) -> String {
    match given {
        Given::Token(token) => token.clone(),
        Given::Argument(name) => format!("@{name}"),
    }
}

/// Whether a guard holds, if what is known of the options decides it.
pub(super) fn evaluate(guard: &Guard, given: &dyn Fn(&str) -> Option<bool>) -> Option<bool> {
    let one = |condition: &Condition| {
        let found: Vec<_> = condition
            .any
            .iter()
            .map(|name| given(&given_name(name)))
            .collect();
        let any = if found.contains(&Some(true)) {
            Some(true)
        } else if found.contains(&None) {
            None
        } else {
            Some(false)
        };
        any.map(|any| any != condition.negated)
    };
    let parts: Vec<_> = guard.all.iter().map(one).collect();
    if parts.contains(&Some(false)) {
        Some(false)
    } else if parts.contains(&None) {
        None
    } else {
        Some(true)
    }
}

/// The reply of a method that always sends the alternative called `chosen` out of `all`.
pub(super) fn narrowed(
    reply: &replies::Reply,
    chosen: &[String],
    all: &[String],
) -> replies::Reply {
    let mut rest = Vec::new();
    for (guard, ty) in &reply.guarded {
        let held = evaluate(guard, &|name| {
            let name = name.to_owned();
            if chosen.contains(&name) {
                Some(true)
            } else {
                all.contains(&name).then_some(false)
            }
        });
        match held {
            Some(true) => {
                return replies::Reply {
                    default: ty.clone(),
                    guarded: rest,
                    note: None,
                };
            }
            Some(false) => {}
            None => rest.push((guard.clone(), ty.clone())),
        }
    }
    replies::Reply {
        default: reply.default.clone(),
        guarded: rest,
        note: None,
    }
}
