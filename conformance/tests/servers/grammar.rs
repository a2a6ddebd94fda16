//! Whether words are a sentence of a command's grammar, decided without the generator.
//!
//! The encoders of the client are generated, and so are the samples. To find out where the generator
//! misreads the spec, this module reads `commands-spec/` for itself: it shares no code with
//! `respec-codegen`, neither the mirror of the JSON, nor the corrections, nor the model. That is all
//! there is to judge the commands that no server at hand has.
//!
//! A sentence is recognised by following every way through the arguments at once: each argument
//! turns a set of places in the words into the set of places where it may end. Arguments stand in
//! the order of the spec, tokens are spelled as there, and what the grammar calls a key must have
//! been written as a key, and nothing else.

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use bytes::Bytes;
use respec_conformance::Sample;
use serde_json::Value;

/// The grammars of all commands.
pub(crate) struct Grammar {
    /// As they are published.
    published: BTreeMap<String, Value>,
    /// After all corrections.
    commands: BTreeMap<String, Value>,
}

impl Grammar {
    /// Reads the spec and corrects it.
    pub(crate) fn load() -> Self {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../commands-spec");
        let mut published = BTreeMap::new();
        for entry in fs::read_dir(dir.join("commands")).expect("the folder of commands") {
            let file = entry.expect("a readable folder").path();
            let Value::Object(group) = json(&file) else {
                panic!("{}: expected an object", file.display());
            };
            published.extend(group);
        }
        let mut commands = published.clone();
        for correction in items(&json(&dir.join("corrections.json"))) {
            for name in items(&correction["commands"]) {
                let name = name.as_str().expect("the name of a command");
                let command = commands.get_mut(name).expect("a command of the spec");
                correct(command, correction);
            }
        }
        Self {
            published,
            commands,
        }
    }

    /// Why a sample is no sentence of its command, if it is none.
    pub(crate) fn wrong(&self, sample: &Sample) -> Option<String> {
        let Some(command) = self.commands.get(sample.info.name) else {
            return Some("the spec has no such command".to_owned());
        };
        Sentence::of(sample).wrong(sample.info.name, command)
    }

    /// The words that the published grammar of a command has.
    pub(crate) fn words(&self, name: &str) -> BTreeSet<String> {
        words(&self.published[name]["arguments"])
    }

    /// In how many places a command may repeat something.
    pub(crate) fn repeats(&self, name: &str) -> usize {
        let mut repeats = 0;
        for_each(&self.commands[name]["arguments"], &mut |argument| {
            repeats += usize::from(is(argument, "multiple"));
        });
        repeats
    }

    /// The statements of a command's grammar, and whether one of the samples is a sentence only
    /// because of it: that something can be left out, is there at all, may be repeated.
    ///
    /// Samples are also read so that no value is spelled like a token, or like one that has letters:
    /// otherwise a list of any values takes in the options behind it, and an identifier is one whether
    /// or not the grammar knows `$`.
    pub(crate) fn needed(&self, name: &str, samples: &[&Sample]) -> Vec<(String, bool)> {
        let command = &self.commands[name];
        let tokens = words(&command["arguments"]);
        let spelled = tokens
            .iter()
            .filter(|token| token.contains(char::is_alphabetic))
            .cloned()
            .collect();
        let sentences: Vec<_> = samples
            .iter()
            .flat_map(|sample| {
                [None, Some(&spelled), Some(&tokens)].map(|tokens| Sentence {
                    tokens,
                    ..Sentence::of(sample)
                })
            })
            .filter(|sentence| sentence.wrong(name, command).is_none())
            .collect();
        let mut without = Vec::new();
        statements(command, &mut vec!["arguments".to_owned()], "", &mut without);
        without
            .into_iter()
            .map(|(statement, without)| {
                let needed = sentences
                    .iter()
                    .any(|sentence| sentence.wrong(name, &without).is_some());
                (statement, needed)
            })
            .collect()
    }
}

/// The words of the tokens of arguments.
fn words(arguments: &Value) -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    for_each(arguments, &mut |argument| {
        let token = argument["token"].as_str().unwrap_or_default();
        let sent = token.split(' ').filter(|word| !word.is_empty());
        words.extend(sent.map(str::to_owned));
    });
    words
}

/// Looks at arguments and their parts.
fn for_each(arguments: &Value, look: &mut impl FnMut(&Value)) {
    for argument in items(arguments) {
        look(argument);
        for_each(&argument["arguments"], look);
    }
}

/// The statements that a grammar makes about the arguments at a place, each with the grammar that does
/// not make it.
fn statements(command: &Value, place: &mut Vec<String>, way: &str, out: &mut Vec<(String, Value)>) {
    let list = command.pointer(&pointer(place)).unwrap_or(&Value::Null);
    let above = command.pointer(&pointer(&place[..place.len() - 1]));
    let alternatives = above.is_some_and(|above| above["type"] == "oneof");
    for (at, argument) in items(list).iter().enumerate() {
        let name = argument["name"].as_str().unwrap_or_default();
        let way = match way {
            "" => name.to_owned(),
            way => format!("{way}/{name}"),
        };
        let mut without = |what: &str, change: &dyn Fn(&mut Vec<Value>)| {
            let mut command = command.clone();
            let list = command.pointer_mut(&pointer(place));
            change(list.and_then(Value::as_array_mut).expect("the same list"));
            out.push((format!("{way} {what}"), command));
        };
        if alternatives || is(argument, "optional") {
            without("can be given", &|list| drop(list.remove(at)));
        }
        // Of the alternatives of a choice there is always one.
        if is(argument, "optional") && !alternatives {
            without("can be left out", &|list| {
                list[at]["optional"] = false.into()
            });
        }
        if is(argument, "multiple") {
            without("can be repeated", &|list| {
                list[at]["multiple"] = false.into()
            });
        }
        place.extend([at.to_string(), "arguments".to_owned()]);
        statements(command, place, &way, out);
        place.truncate(place.len() - 2);
    }
}

fn pointer(place: &[String]) -> String {
    place.iter().map(|part| format!("/{part}")).collect()
}

/// Words with the places of the keys among them.
struct Sentence<'s> {
    words: &'s [Bytes],
    keys: &'s [usize],
    /// Words that are no values, if there are such.
    tokens: Option<&'s BTreeSet<String>>,
    /// The last word that was looked at; what is wrong is there or further on.
    furthest: Cell<usize>,
}

/// Places in the words, each of which is where the next argument may begin.
type Places = BTreeSet<usize>;

impl<'s> Sentence<'s> {
    fn of(sample: &'s Sample) -> Self {
        Self {
            words: &sample.words,
            keys: &sample.key_words,
            tokens: None,
            furthest: Cell::new(0),
        }
    }
}

impl Sentence<'_> {
    fn wrong(&self, name: &str, command: &Value) -> Option<String> {
        let count = self.words.len();
        let arity = command["arity"].as_i64().unwrap_or(-1);
        let enough = match usize::try_from(arity) {
            Ok(exactly) => count == exactly,
            Err(_) => count as u64 >= arity.unsigned_abs(),
        };
        if !enough {
            return Some(format!("{count} words, and an arity of {arity}"));
        }
        let mut begin = 0;
        for word in name.split(' ') {
            if !self.is(begin, word) {
                return Some(format!("word {begin} is not {word}"));
            }
            begin += 1;
        }
        let ends = self.sequence(items(&command["arguments"]), begin);
        (!ends.contains(&count)).then(|| {
            let at = self.furthest.get();
            let word = self.words.get(at).map_or("the end".into(), |word| {
                String::from_utf8_lossy(word).into_owned()
            });
            format!("no sentence from word {at} on: {word}")
        })
    }

    /// Arguments one after another.
    fn sequence(&self, arguments: &[Value], from: usize) -> Places {
        let mut places = Places::from([from]);
        let mut rest = arguments;
        while let [argument, following @ ..] = rest {
            rest = following;
            match count_of(argument, following.first()) {
                None => places = self.each(&places, |at| self.argument(argument, at)),
                Some(Counted::Items(list)) => {
                    rest = following.get(1..).unwrap_or_default();
                    places = self.each(&places, |at| self.counted(argument, list, at));
                }
                Some(Counted::Words) => {
                    return self.each(&places, |at| self.spanned(argument, following, at));
                }
            }
        }
        places
    }

    /// A count, and then a list of as many items.
    fn counted(&self, count: &Value, list: &Value, from: usize) -> Places {
        let mut places = Places::new();
        if is(count, "optional") {
            places.extend(self.argument(list, from));
        }
        for at in self.token(count, from) {
            let Some(wanted) = self.number(at) else {
                continue;
            };
            if wanted == 0 {
                if is(list, "optional") {
                    places.insert(at + 1);
                }
                continue;
            }
            let every = is(list, "multiple_token");
            let mut ends = match every {
                true => Places::from([at + 1]),
                false => self.token(list, at + 1),
            };
            for _ in 0..wanted.min(self.words.len() as u64 + 1) {
                ends = self.each(&ends, |at| self.item(list, every, at));
            }
            places.extend(ends);
        }
        places
    }

    /// A count, and then arguments that take as many words.
    fn spanned(&self, count: &Value, following: &[Value], from: usize) -> Places {
        let mut places = Places::new();
        for at in self.token(count, from) {
            let Some(wanted) = self.number(at) else {
                continue;
            };
            let begin = at + 1;
            let ends = self.sequence(following, begin);
            places.extend(
                ends.into_iter()
                    .filter(|end| (end - begin) as u64 == wanted),
            );
        }
        places
    }

    /// One argument, with its token, as often as it may stand.
    fn argument(&self, argument: &Value, from: usize) -> Places {
        let mut places = self.required(argument, from);
        if is(argument, "optional") {
            places.insert(from);
        }
        places
    }

    /// As [`Self::argument`], whether or not the argument could be left out.
    fn required(&self, argument: &Value, from: usize) -> Places {
        let every = is(argument, "multiple_token");
        let begin = match every {
            true => Places::from([from]),
            false => self.token(argument, from),
        };
        let mut places = self.each(&begin, |at| self.item(argument, every, at));
        if is(argument, "multiple") {
            let mut new = places.clone();
            while !new.is_empty() {
                let more = self.each(&new, |at| self.item(argument, every, at));
                new = more.difference(&places).copied().collect();
                places.extend(&new);
            }
        }
        places
    }

    /// One item of an argument, behind a token of its own where each item has one.
    fn item(&self, argument: &Value, with_token: bool, from: usize) -> Places {
        let begin = match with_token {
            true => self.token(argument, from),
            false => Places::from([from]),
        };
        let parts = items(&argument["arguments"]);
        match argument["type"].as_str().unwrap_or_default() {
            "pure-token" => begin,
            "block" => self.each(&begin, |at| self.sequence(parts, at)),
            "oneof" => self.each(&begin, |at| {
                parts
                    .iter()
                    .flat_map(|part| self.required(part, at))
                    .collect()
            }),
            kind => begin
                .into_iter()
                .filter(|&at| self.fits(kind, at))
                .map(|at| at + 1)
                .collect(),
        }
    }

    /// The token of an argument, which may be of several words or of an empty one, or missing.
    fn token(&self, argument: &Value, from: usize) -> Places {
        let Some(token) = argument["token"].as_str() else {
            return Places::from([from]);
        };
        let mut at = from;
        for word in token.split(' ') {
            if !self.is(at, word) {
                return Places::new();
            }
            at += 1;
        }
        Places::from([at])
    }

    fn each(&self, places: &Places, next: impl Fn(usize) -> Places) -> Places {
        places.iter().flat_map(|&at| next(at)).collect()
    }

    /// Whether a word has the form of a type, and is a key if it is to be one.
    fn fits(&self, kind: &str, at: usize) -> bool {
        let Some(word) = self.word(at) else {
            return false;
        };
        let text = std::str::from_utf8(word).unwrap_or_default();
        let form = match kind {
            "integer" | "unix-time" => text.parse::<i64>().is_ok() || text.parse::<u64>().is_ok(),
            "double" => text.parse::<f64>().is_ok(),
            "string" | "pattern" => self.tokens.is_none_or(|tokens| !tokens.contains(text)),
            "key" | "channel" => true,
            other => panic!("the grammar has an unknown type {other}"),
        };
        form && self.keys.contains(&at) == matches!(kind, "key" | "channel")
    }

    fn number(&self, at: usize) -> Option<u64> {
        let word = self.word(at)?;
        std::str::from_utf8(word).ok()?.parse().ok()
    }

    fn is(&self, at: usize, wanted: &str) -> bool {
        self.word(at)
            .is_some_and(|word| word == wanted.as_bytes() && !self.keys.contains(&at))
    }

    fn word(&self, at: usize) -> Option<&[u8]> {
        self.furthest.set(self.furthest.get().max(at));
        self.words.get(at).map(AsRef::as_ref)
    }
}

/// What an argument counts.
enum Counted<'a> {
    /// The items of the list that follows.
    Items(&'a Value),
    /// The words of all that follows.
    Words,
}

/// What an argument counts, if it counts anything: an integer in front of a list counts it, unless
/// the spec says otherwise.
fn count_of<'a>(argument: &Value, next: Option<&'a Value>) -> Option<Counted<'a>> {
    match argument["count"].as_str() {
        Some("none") => None,
        Some("words") => Some(Counted::Words),
        Some("items") => next.map(Counted::Items),
        Some(other) => panic!("the grammar has an unknown count {other}"),
        None => {
            let integer = argument["type"] == "integer" && !is(argument, "multiple");
            next.filter(|next| integer && is(next, "multiple"))
                .map(Counted::Items)
        }
    }
}

/// Applies a correction to a command.
fn correct(command: &mut Value, correction: &Value) {
    let path = correction["path"].as_str().expect("a path");
    let (way, last) = path.rsplit_once('/').unwrap_or(("", path));
    let mut place = command;
    for segment in way.split('/').filter(|segment| !segment.is_empty()) {
        // Inside an argument, names are those of its parts.
        if place["type"].is_string() && place["name"].is_string() && segment != "arguments" {
            place = &mut place["arguments"];
        }
        place = match place {
            Value::Array(list) => {
                let at = position(list, segment).unwrap_or_else(|| panic!("{path}: no {segment}"));
                &mut list[at]
            }
            other => &mut other[segment],
        };
    }
    let argument = place["type"].is_string() && place["name"].is_string();
    if argument && !is_field(last) {
        place = &mut place["arguments"];
    }
    let is = correction["is"].clone();
    let Value::Array(list) = place else {
        match is {
            Value::Null => drop(place.as_object_mut().expect("an object").remove(last)),
            is => place[last] = is,
        }
        return;
    };
    match (position(list, last), is) {
        (Some(at), Value::Null) => drop(list.remove(at)),
        (Some(at), is) => list[at] = is,
        (None, is) => {
            let before = correction["before"].as_str();
            let at = before.and_then(|before| position(list, before));
            list.insert(at.unwrap_or(list.len()), is);
        }
    }
}

/// Where in a list the element with a name is, or the one at `#index`.
fn position(list: &[Value], segment: &str) -> Option<usize> {
    match segment.strip_prefix('#') {
        Some(index) => index.parse().ok().filter(|&index| index < list.len()),
        None => list.iter().position(|element| element["name"] == segment),
    }
}

/// Whether a name is that of a field of arguments rather than of a part.
fn is_field(name: &str) -> bool {
    matches!(
        name,
        "name"
            | "type"
            | "token"
            | "key_spec_index"
            | "optional"
            | "multiple"
            | "multiple_token"
            | "since"
            | "deprecated_since"
            | "provider"
            | "arguments"
            | "count"
            | "unit"
            | "rust"
            | "rust_type"
            | "handwritten"
            | "steps"
            | "summary"
    )
}

fn is(value: &Value, flag: &str) -> bool {
    value[flag] == true
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn json(file: &Path) -> Value {
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{file:?}: {error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{file:?}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a command of spaced words is a sentence; a `!` in front of a word makes it a key.
    #[track_caller]
    fn is_sentence(text: &str) -> bool {
        let grammar = Grammar::load();
        let words: Vec<_> = text.split(' ').collect();
        let keys: Vec<_> = (0..words.len())
            .filter(|&at| words[at].starts_with('!'))
            .collect();
        let words: Vec<_> = words
            .into_iter()
            .map(|word| Bytes::copy_from_slice(word.trim_start_matches('!').as_bytes()))
            .collect();
        let name = [2, 1].into_iter().find_map(|count| {
            let name = words.get(..count)?;
            let name: Vec<_> = name
                .iter()
                .map(|word| String::from_utf8_lossy(word))
                .collect();
            Some(name.join(" ")).filter(|name| grammar.commands.contains_key(name))
        });
        let name = name.expect("a command of the spec");
        let sentence = Sentence {
            words: &words,
            keys: &keys,
            tokens: None,
            furthest: Cell::new(0),
        };
        sentence.wrong(&name, &grammar.commands[&name]).is_none()
    }

    #[test]
    fn sentences_are_recognised() {
        for text in [
            "GET !k",
            "SET !k v",
            "SET !k v NX GET EX 10",
            "MSET !a 1 !b 2",
            "XADD !k NOMKSTREAM MAXLEN ~ 5 LIMIT 2 * f v g w",
            "XREAD COUNT 1 STREAMS !a !b 0 0",
            "ZUNION 2 !a !b WEIGHTS 1 2.5 AGGREGATE MIN",
            "EVAL script 0",
            "EVAL script 0 a b",
            "EVAL script 1 !k a",
            "SORT !k BY w GET a GET b ASC ALPHA STORE !to",
            "BITFIELD !k GET u8 0 OVERFLOW SAT SET u8 #1 5",
            "HOTKEYS START METRICS 2 CPU NET",
            "MIGRATE h 1  0 5 COPY KEYS !a !b",
            "XGROUP CREATE !k g $ MKSTREAM",
            "AUTH password",
            "AUTH user password",
            "SPUBLISH !channel m",
        ] {
            assert!(is_sentence(text), "{text}");
        }
    }

    #[test]
    fn what_is_no_sentence_is_not() {
        for text in [
            "GET k",
            "GET",
            "GET !k more",
            "SET !k !v",
            "SET !k v EX",
            "SET !k v EX ten",
            "SET !k v EX 10 NX",
            "SET !k v NX XX",
            "SET !k v nx",
            "MSET !a 1 !b",
            "XADD !k * f v MAXLEN",
            "XADD !k * MAXLEN 5 f",
            "ZUNION 3 !a !b",
            "ZUNION 1 !a !b",
            "ZUNION two !a !b",
            "EVAL script 1",
            "SORT !k GET a b",
            "SORT !k STORE to",
            "HOTKEYS START METRICS 2 CPU",
            "XGROUP CREATE !k g 0 $",
        ] {
            assert!(!is_sentence(text), "{text}");
        }
    }
}
