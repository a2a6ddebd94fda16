//! How the JSON of a spec is read.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::json::{Fields, Read, Word};

use super::{
    Argument, ArgumentType, BeginSearch, Blocking, Caching, Command, ConnectionUse, Count,
    FindKeys, Join, KeySpec, Nodes, Provider, ReplyCount, Retry, Route, Skip, Unit,
};

impl Read for Command {
    fn read(value: &Value) -> Result<Self, String> {
        let mut fields = Fields::of(value)?;
        let command = Self {
            summary: fields.or_default("summary")?,
            since: fields.optional("since")?,
            group: fields.required("group")?,
            module: fields.optional("module")?,
            provider: fields.optional("provider")?,
            complexity: fields.optional("complexity")?,
            deprecated_since: fields.optional("deprecated_since")?,
            replaced_by: fields.optional("replaced_by")?,
            doc_flags: fields.or_default("doc_flags")?,
            history: fields.or_default("history")?,
            acl_categories: fields.or_default("acl_categories")?,
            arity: fields.or_default("arity")?,
            command_flags: fields.or_default("command_flags")?,
            hints: fields.or_default("hints")?,
            key_specs: fields.or_default("key_specs")?,
            arguments: fields.or_default("arguments")?,
            retry: fields.optional("retry")?,
            safe_with: fields.or_default("safe_with")?,
            connection: fields.optional("connection")?,
            blocking: fields.optional("blocking")?,
            urgent: fields.or_default("urgent")?,
            runs_script: fields.or_default("runs_script")?,
            replies: fields.optional("replies")?,
            handwritten: fields.optional("handwritten")?,
            split: fields.optional("split")?,
            route: fields.optional("route")?,
            cacheable: fields.optional("cacheable")?,
            names: fields.optional("names")?,
            empty_is_missing: fields.or_default("empty_is_missing")?,
            replicas: fields.optional("replicas")?,
        };
        fields.end()?;
        Ok(command)
    }
}

impl Read for Argument {
    fn read(value: &Value) -> Result<Self, String> {
        let mut fields = Fields::of(value)?;
        let name: String = fields.required("name")?;
        let within = |reason| format!("`{name}`: {reason}");
        let argument = Self::fields(&mut fields, &name).map_err(within)?;
        fields.end().map_err(within)?;
        Ok(argument)
    }
}

impl Argument {
    fn fields(fields: &mut Fields<'_>, name: &str) -> Result<Self, String> {
        Ok(Self {
            name: name.to_owned(),
            kind: fields.required("type")?,
            token: fields.optional("token")?,
            key_spec_index: fields.optional("key_spec_index")?,
            optional: fields.or_default("optional")?,
            multiple: fields.or_default("multiple")?,
            multiple_token: fields.or_default("multiple_token")?,
            since: fields.optional("since")?,
            deprecated_since: fields.optional("deprecated_since")?,
            provider: fields.optional("provider")?,
            arguments: fields.or_default("arguments")?,
            count: fields.optional("count")?,
            unit: fields.optional("unit")?,
            rust: fields.optional("rust")?,
            rust_type: fields.optional("rust_type")?,
            handwritten: fields.optional("handwritten")?,
            steps: fields.or_default("steps")?,
        })
    }
}

impl Read for Route {
    fn read(value: &Value) -> Result<Self, String> {
        let mut fields = Fields::of(value)?;
        let route = Self {
            to: fields.required("to")?,
            join: fields.optional("join")?,
            unless: fields.or_default("unless")?,
            weight: fields.optional("weight")?,
        };
        fields.end()?;
        if route.weight.is_some() != (route.join == Some(Join::Any)) {
            return Err("expected a `weight` where `any` joins, and nowhere else".to_owned());
        }
        Ok(route)
    }
}

impl Read for Caching {
    fn read(value: &Value) -> Result<Self, String> {
        let mut fields = Fields::of(value)?;
        let unless = fields.optional("unless")?.map(Self::Unless);
        let not = fields.optional("not")?.map(Self::Not);
        fields.end()?;
        match (unless, not) {
            (Some(how), None) | (None, Some(how)) => Ok(how),
            _ => Err("expected either `unless` or `not`".to_owned()),
        }
    }
}

impl Read for Blocking {
    fn read(value: &Value) -> Result<Self, String> {
        let mut fields = Fields::of(value)?;
        let blocking = Self {
            timeout: fields.required("timeout")?,
            unit: fields.required("unit")?,
            only_if_given: fields.or_default("only_if_given")?,
        };
        fields.end()?;
        Ok(blocking)
    }
}

impl Read for KeySpec {
    fn read(value: &Value) -> Result<Self, String> {
        let mut fields = Fields::of(value)?;
        let mut spec = Self {
            notes: fields.optional("notes")?,
            begin_search: fields.required("begin_search")?,
            find_keys: fields.required("find_keys")?,
            skip: fields.or_default("skip")?,
            flags: BTreeMap::new(),
        };
        for (flag, value) in fields.rest() {
            let set = bool::read(value).map_err(|reason| format!("{flag}: {reason}"))?;
            spec.flags.insert(flag.to_owned(), set);
        }
        Ok(spec)
    }
}

impl Read for BeginSearch {
    fn read(value: &Value) -> Result<Self, String> {
        let (kind, spec) = half(value)?;
        match &*kind {
            "index" => Ok(Self::Index {
                index: Fields::of(&spec)?.required("index")?,
            }),
            "keyword" => {
                let mut fields = Fields::of(&spec)?;
                Ok(Self::Keyword {
                    keyword: fields.required("keyword")?,
                    startfrom: fields.required("startfrom")?,
                })
            }
            "unknown" => Ok(Self::Unknown),
            other => Err(format!(
                "expected index, keyword or unknown, found `{other}`"
            )),
        }
    }
}

impl Read for FindKeys {
    fn read(value: &Value) -> Result<Self, String> {
        let (kind, spec) = half(value)?;
        match &*kind {
            "range" => {
                let mut fields = Fields::of(&spec)?;
                Ok(Self::Range {
                    lastkey: fields.required("lastkey")?,
                    keystep: fields.required("keystep")?,
                    limit: fields.required("limit")?,
                })
            }
            "keynum" => {
                let mut fields = Fields::of(&spec)?;
                Ok(Self::Keynum {
                    keynumidx: fields.required("keynumidx")?,
                    firstkey: fields.required("firstkey")?,
                    keystep: fields.required("keystep")?,
                })
            }
            "unknown" => Ok(Self::Unknown),
            other => Err(format!(
                "expected range, keynum or unknown, found `{other}`"
            )),
        }
    }
}

/// `{ "type": …, "spec": … }`
fn half(value: &Value) -> Result<(String, Value), String> {
    let mut fields = Fields::of(value)?;
    Ok((fields.required("type")?, fields.or_default("spec")?))
}

impl Word for Skip {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("container", Self::Container),
        ("internal", Self::Internal),
        ("silent", Self::Silent),
        ("undocumented", Self::Undocumented),
    ];
}

impl Word for Provider {
    const WORDS: &'static [(&'static str, Self)] =
        &[("redis", Self::Redis), ("valkey", Self::Valkey)];
}

impl Word for ArgumentType {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("key", Self::Key),
        ("string", Self::String),
        ("integer", Self::Integer),
        ("double", Self::Double),
        ("unix-time", Self::UnixTime),
        ("pattern", Self::Pattern),
        ("pure-token", Self::PureToken),
        ("oneof", Self::Oneof),
        ("block", Self::Block),
        ("channel", Self::Channel),
    ];
}

impl Word for Count {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("none", Self::None),
        ("items", Self::Items),
        ("words", Self::Words),
    ];
}

impl Word for Unit {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("seconds", Self::Seconds),
        ("milliseconds", Self::Milliseconds),
        ("none", Self::None),
    ];
}

impl Word for Retry {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("safe", Self::Safe),
        ("state", Self::State),
        ("no", Self::No),
        ("options", Self::Options),
    ];
}

impl Word for ConnectionUse {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("state", Self::State),
        ("transaction", Self::Transaction),
        ("subscription", Self::Subscription),
        ("takeover", Self::Takeover),
    ];
}

impl Word for ReplyCount {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("none", Self::None),
        ("end", Self::End),
        ("per_argument", Self::PerArgument),
        ("stream", Self::Stream),
    ];
}

impl Word for Nodes {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("any_node", Self::AnyNode),
        ("same_node", Self::SameNode),
        ("node_of_argument", Self::NodeOfArgument),
        ("node_by_node", Self::NodeByNode),
        ("one_node", Self::OneNode),
        ("all_nodes", Self::AllNodes),
        ("all_primaries", Self::AllPrimaries),
        ("slot", Self::Slot),
        ("parts", Self::Parts),
    ];
}

impl Word for Join {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("first", Self::First),
        ("one_succeeded", Self::OneSucceeded),
        ("and", Self::And),
        ("or", Self::Or),
        ("min", Self::Min),
        ("max", Self::Max),
        ("sum", Self::Sum),
        ("concatenate", Self::Concatenate),
        ("union", Self::Union),
        ("in_order", Self::InOrder),
        ("any", Self::Any),
        ("per_node", Self::PerNode),
    ];
}
