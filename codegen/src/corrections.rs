//! Corrections of what servers and their documentation say about commands.
//!
//! Each one names its commands, a path, what stood there, what is to stand there, and why. It is
//! applied when the spec is read. A correction whose commands, place or former content are not
//! there any more is an error: upstream changed, and somebody has to look.

use std::path::Path;

use serde_json::{Map, Value};

use crate::error::Error;
use crate::json::{self, Fields, Read};
use crate::store::Store;

/// The file in the folder of a spec that corrects what upstream says.
pub const FILE: &str = "corrections.json";

/// The files in the folder of a spec, in the order in which they apply: corrections, and facts about
/// clusters in the same form.
pub const FILES: [&str; 3] = [FILE, "routes.json", "caching.json"];

/// One correction of one or more commands.
#[derive(Clone, Debug, PartialEq)]
pub struct Correction {
    /// The commands, all of which must have the same former content at the path.
    pub commands: Vec<String>,
    /// Where: fields, names of arguments, or `#2` for the third of a list, joined by `/`.
    ///
    /// Inside an argument the last segment is one of its fields if it is called like one;
    /// `arguments` in front of it says that a part of that name is meant.
    pub path: String,
    /// What stood there. Null for nothing; of an object only the fields named here are compared.
    pub was: Value,
    /// What is to stand there. Null for nothing.
    pub is: Value,
    /// In front of which of its neighbours a new element of a list goes; the end without it.
    pub before: Option<String>,
    /// The reason, for people.
    pub why: String,
}

/// Reads the text of a file of corrections.
///
/// # Errors
/// Names the line when the text is not a list of corrections.
pub fn parse(file: &Path, text: &str) -> Result<Vec<Correction>, Error> {
    json::parse(file, text)
}

impl Read for Correction {
    fn read(value: &Value) -> Result<Self, String> {
        let mut fields = Fields::of(value)?;
        let correction = Self {
            commands: fields.required("commands")?,
            path: fields.required("path")?,
            was: fields.or_default("was")?,
            is: fields.or_default("is")?,
            before: fields.optional("before")?,
            why: fields.required("why")?,
        };
        fields.end()?;
        Ok(correction)
    }
}

/// Applies corrections in their order.
///
/// # Errors
/// Names the command, the path and the reason of the first that does not apply.
pub fn apply(corrections: &[Correction], store: &mut Store, file: &Path) -> Result<(), Error> {
    for correction in corrections {
        if correction.commands.is_empty() || correction.why.trim().is_empty() {
            let reason = "expected at least one command and a reason in each correction";
            return Err(Error::new(file, format!("{}: {reason}", correction.path)));
        }
        for name in &correction.commands {
            let fail = |reason: String| {
                Error::new(file, format!("{}: {reason}", correction.path)).in_command(name)
            };
            let entry = store
                .entries
                .get_mut(name)
                .ok_or_else(|| fail("the spec has no such command".to_owned()))?;
            apply_one(correction, &mut entry.value).map_err(fail)?;
        }
    }
    Ok(())
}

fn apply_one(correction: &Correction, command: &mut Value) -> Result<(), String> {
    if correction.was == correction.is {
        return Err("the correction changes nothing".to_owned());
    }
    let mut segments: Vec<&str> = correction.path.split('/').collect();
    let last = segments.pop().unwrap_or_default();
    let mut place = command;
    for segment in segments {
        place = step(place, segment)?;
    }
    // A list of parts that is not there yet is an empty one.
    if is_argument(place) && !FIELDS.contains(&last) {
        place = step(place, "arguments")?;
    }
    match place {
        Value::Object(fields) => change_field(fields, last, correction),
        Value::Array(list) => change_element(list, last, correction),
        _ => Err(format!("expected an object or a list above {last}")),
    }
}

fn step<'a>(place: &'a mut Value, segment: &str) -> Result<&'a mut Value, String> {
    let missing = || format!("there is no {segment}");
    if is_argument(place) && segment != "arguments" {
        return step(place.get_mut("arguments").ok_or_else(missing)?, segment);
    }
    match place {
        Value::Object(fields) => fields.get_mut(segment).ok_or_else(missing),
        Value::Array(list) => {
            let index = find(list, segment)?.ok_or_else(missing)?;
            Ok(&mut list[index])
        }
        _ => Err(format!("expected an object or a list above {segment}")),
    }
}

fn change_field(
    fields: &mut Map<String, Value>,
    field: &str,
    correction: &Correction,
) -> Result<(), String> {
    check(fields.get(field).unwrap_or(&Value::Null), &correction.was)?;
    match &correction.is {
        Value::Null => fields.remove(field),
        value => fields.insert(field.to_owned(), value.clone()),
    };
    Ok(())
}

fn change_element(
    list: &mut Vec<Value>,
    element: &str,
    correction: &Correction,
) -> Result<(), String> {
    let index = find(list, element)?;
    let now = index.map_or(Value::Null, |index| list[index].clone());
    check(&now, &correction.was)?;
    match (index, &correction.is) {
        (Some(index), Value::Null) => {
            list.remove(index);
        }
        (Some(index), value) => list[index] = value.clone(),
        (None, value) => {
            let place = match &correction.before {
                None => list.len(),
                Some(neighbour) => find(list, neighbour)?
                    .ok_or_else(|| format!("there is no {neighbour} to stand in front of"))?,
            };
            list.insert(place, value.clone());
        }
    }
    Ok(())
}

fn check(now: &Value, was: &Value) -> Result<(), String> {
    let same = match (now, was) {
        (Value::Object(now), Value::Object(was)) => was
            .iter()
            .all(|(field, value)| now.get(field) == Some(value)),
        (now, was) => now == was,
    };
    match same {
        true => Ok(()),
        false => Err(format!("expected {}, found {}", shown(was), shown(now))),
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        value => value.to_string(),
    }
}

/// The index of the element with this name, or at this `#index`.
fn find(list: &[Value], segment: &str) -> Result<Option<usize>, String> {
    let number = segment.strip_prefix('#').unwrap_or(segment);
    if let Ok(index) = number.parse::<usize>() {
        return Ok((index < list.len()).then_some(index));
    }
    let named = |value: &Value| value.get("name").and_then(Value::as_str) == Some(segment);
    let mut found = (0..list.len()).filter(|index| named(&list[*index]));
    match (found.next(), found.next()) {
        (Some(_), Some(_)) => Err(format!(
            "there is more than one {segment}, expected an index"
        )),
        (index, _) => Ok(index),
    }
}

fn is_argument(value: &Value) -> bool {
    value.get("name").is_some() && value.get("type").is_some()
}

/// The fields of an argument, which a last segment names before it names a part.
const FIELDS: [&str; 18] = [
    "name",
    "type",
    "token",
    "key_spec_index",
    "optional",
    "multiple",
    "multiple_token",
    "since",
    "deprecated_since",
    "provider",
    "arguments",
    "count",
    "unit",
    "rust",
    "rust_type",
    "handwritten",
    "steps",
    "summary",
];
