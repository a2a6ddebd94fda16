//! The facts of every command as constants.

use heck::ToUpperCamelCase;
use proc_macro2::{Literal, TokenStream};
use quote::{format_ident, quote};

use crate::{
    load::Spec,
    model::{
        feature,
        routing::{Routing, on_replicas},
        waits::{self, OptionPlace, Place, option_place},
    },
    spec::{
        Argument, BeginSearch, Caching, Command, ConnectionUse, FindKeys, Join, KeySpec, Nodes,
        Provider, ReplyCount, Retry, Skip, Unit,
    },
};

use super::{
    Root,
    tokens::{bytes, doc, ident, optional, provider},
};

/// The constant of a command: `XGROUP_CREATE`.
pub(super) fn constant(name: &str) -> String {
    name.replace(['.', ' ', '-'], "_")
        .to_uppercase()
        .trim_start_matches('_')
        .to_owned()
}

/// `info.rs`: a constant for each command, and the list of all, sorted by name.
///
/// ```text
/// use crate::command::*;
///
/// /// The facts of every command, sorted by name.
/// pub static ALL: &[&Info] = &[&ACL_CAT, …];
/// ```
pub(super) fn file(spec: &Spec, root: Root) -> TokenStream {
    let root = format_ident!("{}", root.path());
    let constants = spec.commands.keys().map(|name| ident(&constant(name)));
    let internal = internal(spec);
    let runs_script = runs_script(spec);
    let newest = newest(spec);
    let items = spec
        .commands
        .iter()
        .map(|(name, command)| item(name, command));
    quote! {
        use #root::command::*;

        /// The facts of every command, sorted by name.
        pub static ALL: &[&Info] = &[#(&#constants),*];

        #internal

        #runs_script

        #newest

        #(#items)*
    }
}

/// ```text
/// /// The names of internal commands, sorted, each with whether it is always answered.
/// pub static INTERNAL: &[(&str, bool)] = &[("PFDEBUG", true), ("REPLCONF", false)];
/// ```
fn internal(spec: &Spec) -> TokenStream {
    let names = spec
        .skipped
        .iter()
        .filter_map(|(name, reason)| match reason {
            Skip::Internal => Some(quote!((#name, true))),
            Skip::Silent => Some(quote!((#name, false))),
            Skip::Container | Skip::Undocumented => None,
        });
    quote! {
        /// The names of internal commands, sorted, each with whether it is always answered.
        pub static INTERNAL: &[(&str, bool)] = &[#(#names),*];
    }
}

/// ```text
/// /// The names of the commands that run code of users.
/// pub static RUNS_SCRIPT: &[&str] = &["EVAL", "FCALL"];
/// ```
fn runs_script(spec: &Spec) -> TokenStream {
    let names = spec
        .commands
        .iter()
        .filter(|(_, command)| command.runs_script)
        .map(|(name, _)| name);
    quote! {
        /// The names of the commands that run code of users.
        pub static RUNS_SCRIPT: &[&str] = &[#(#names),*];
    }
}

/// ```text
/// /// The newest version of a server family that the commands and their options name.
/// #[must_use]
/// pub fn newest(provider: Provider) -> Option<&'static str> {
///     match provider {
///         Provider::Redis => Some("8.10.0"),
///         Provider::Valkey => Some("9.1.0"),
///     }
/// }
/// ```
fn newest(spec: &Spec) -> TokenStream {
    let mut known: [Vec<&str>; 2] = Default::default();
    for command in spec
        .commands
        .values()
        .filter(|command| command.module.is_none())
    {
        versions(command.provider, command.since.as_deref(), &mut known);
        in_arguments(&command.arguments, command.provider, &mut known);
    }
    let [redis, valkey] = known.map(|versions| {
        let parts = |version: &&str| {
            let parts = version
                .split('.')
                .map(|part| part.parse::<u32>().unwrap_or(0));
            parts.collect::<Vec<_>>()
        };
        optional(versions.into_iter().max_by_key(parts))
    });
    quote! {
        /// The newest version of a server family that the commands and their options name.
        #[must_use]
        pub fn newest(provider: Provider) -> Option<&'static str> {
            match provider {
                Provider::Redis => #redis,
                Provider::Valkey => #valkey,
            }
        }
    }
}

fn in_arguments<'s>(
    arguments: &'s [Argument],
    provider: Option<Provider>,
    known: &mut [Vec<&'s str>; 2],
) {
    for argument in arguments {
        let provider = argument.provider.or(provider);
        versions(provider, argument.since.as_deref(), known);
        in_arguments(&argument.arguments, provider, known);
    }
}

/// Without a provider, a version is that of Redis.
fn versions<'s>(
    provider: Option<Provider>,
    since: Option<&'s str>,
    [redis, valkey]: &mut [Vec<&'s str>; 2],
) {
    match provider {
        Some(Provider::Valkey) => valkey.extend(since),
        _ => redis.extend(since),
    }
}

/// ```text
/// /// `GET`
/// pub static GET: Info = Info {
///     name: "GET",
///     encoded: b"$3\r\nGET\r\n",
///     …
///     ..*Info::UNKNOWN
/// };
/// ```
fn item(name: &str, command: &Command) -> TokenStream {
    let docs = doc(&format!("`{name}`"));
    let constant = ident(&constant(name));
    let encoded: String = name
        .split(' ')
        .map(|word| format!("${}\r\n{word}\r\n", word.len()))
        .collect();
    let encoded = bytes(&encoded);
    let words = Literal::usize_unsuffixed(name.split(' ').count());
    let group = feature(command);
    let arity = Literal::i64_unsuffixed(command.arity);
    let facts = facts(name, command).map(|(name, value)| {
        let (name, value) = (ident(name), value?);
        Some(quote!(#name: #value,))
    });
    let facts = facts.into_iter().flatten();
    quote! {
        #docs
        pub static #constant: Info = Info {
            name: #name,
            encoded: #encoded,
            words: #words,
            group: #group,
            arity: #arity,
            #(#facts)*
            ..*Info::UNKNOWN
        };
    }
}

/// The facts that a command may have, by field, each unless it is what is assumed of a command that
/// the spec does not know.
fn facts(name: &str, command: &Command) -> [(&'static str, Option<TokenStream>); 21] {
    let text = |text: &Option<String>| text.as_deref().map(|text| optional(Some(text)));
    let flags = &command.command_flags;
    let categories = &command.acl_categories;
    let keys = command.key_specs.iter().map(key_spec);
    let [has_flags, has_categories, has_keys] = [
        !flags.is_empty(),
        !categories.is_empty(),
        !command.key_specs.is_empty(),
    ];
    [
        ("module", text(&command.module)),
        ("provider", command.provider.map(|it| provider(Some(it)))),
        ("since", text(&command.since)),
        ("deprecated", deprecated(command)),
        (
            "flags",
            has_flags.then(|| quote!(Flags::named(&[#(#flags),*]))),
        ),
        (
            "acl_categories",
            has_categories.then(|| quote!(&[#(#categories),*])),
        ),
        ("keys", has_keys.then(|| quote!(&[#(#keys),*]))),
        (
            "request_policy",
            policy(command, "request_policy", "RequestPolicy"),
        ),
        (
            "response_policy",
            policy(command, "response_policy", "ResponsePolicy"),
        ),
        ("routing", routing(command)),
        ("one_node_with", one_node_with(command)),
        ("replicas", on_replicas(command).then(|| quote!(true))),
        ("blocking", blocking(name, command)),
        ("connection", connection(command)),
        ("retry", retry(command)),
        ("safe_with", safe_with(name, command)),
        ("replies", replies(command)),
        ("caching", Some(caching(command))),
        (
            "empty_is_missing",
            command.empty_is_missing.then(|| quote!(true)),
        ),
        ("urgent", command.urgent.then(|| quote!(true))),
        ("runs_script", command.runs_script.then(|| quote!(true))),
    ]
}

/// `Some(Deprecated { since: "4.0.0", replaced_by: "`SET` with the `NX` argument" })`
fn deprecated(command: &Command) -> Option<TokenStream> {
    let since = command.deprecated_since.as_ref()?;
    let replaced_by = command.replaced_by.as_deref().unwrap_or_default();
    Some(quote!(Some(Deprecated { since: #since, replaced_by: #replaced_by })))
}

/// `Some(Blocking { timeout: "timeout", unit: Unit::Seconds, only_if_given: false, place: … })`
fn blocking(name: &str, command: &Command) -> Option<TokenStream> {
    let blocking = command.blocking.as_ref()?;
    let timeout = &blocking.timeout;
    let unit = match blocking.unit {
        Unit::Milliseconds => quote!(Milliseconds),
        Unit::Seconds | Unit::None => quote!(Seconds),
    };
    let only_if_given = blocking.only_if_given;
    let place = place(waits::place(name, command, timeout));
    Some(quote!(Some(Blocking {
        timeout: #timeout,
        unit: Unit::#unit,
        only_if_given: #only_if_given,
        place: #place
    })))
}

/// `WordPlace::At(-1)`
fn place(place: Option<Place>) -> TokenStream {
    match place {
        None => quote!(WordPlace::Unknown),
        Some(Place::At(at)) => {
            let at = Literal::i64_unsuffixed(at);
            quote!(WordPlace::At(#at))
        }
        Some(Place::After {
            keyword,
            from,
            skip,
        }) => {
            let from = Literal::usize_unsuffixed(from);
            let skip = skip.iter().map(|(option, values)| {
                let values = Literal::u8_unsuffixed(*values);
                quote!((#option, #values))
            });
            quote!(WordPlace::After { keyword: #keyword, from: #from, skip: &[#(#skip),*] })
        }
    }
}

/// `Some(SafeWith { options: &["IDMP", "IDMPAUTO"], from: 2, skip: &[("NOMKSTREAM", 0)] })`
fn safe_with(name: &str, command: &Command) -> Option<TokenStream> {
    let options = &command.safe_with;
    let OptionPlace { from, skip } = option_place(name, command, options)?;
    let from = Literal::usize_unsuffixed(from);
    let skip = skip.iter().map(|(option, values)| {
        let values = Literal::u8_unsuffixed(*values);
        quote!((#option, #values))
    });
    Some(quote! {
        Some(SafeWith { options: &[#(#options),*], from: #from, skip: &[#(#skip),*] })
    })
}

/// `Caching::Unless(&["LATEST"])`
fn caching(command: &Command) -> TokenStream {
    match &command.cacheable {
        Some(Caching::Unless(words)) => quote!(Caching::Unless(&[#(#words),*])),
        Some(Caching::Not(reason)) => quote!(Caching::Not(#reason)),
        None if command.key_specs.is_empty() => quote!(Caching::Not("it has no key")),
        None => quote!(Caching::Not("it does more than read")),
    }
}

/// `Some(ConnectionUse::State)`
fn connection(command: &Command) -> Option<TokenStream> {
    let how = match command.connection? {
        ConnectionUse::State => quote!(State),
        ConnectionUse::Transaction => quote!(Transaction),
        ConnectionUse::Subscription => quote!(Subscription),
        ConnectionUse::Takeover => quote!(Takeover),
    };
    Some(quote!(Some(ConnectionUse::#how)))
}

/// `Retry::Safe`, which is what a command is that only reads.
fn retry(command: &Command) -> Option<TokenStream> {
    let readonly = command.command_flags.iter().any(|flag| flag == "readonly");
    match command.retry {
        Some(Retry::Safe) => Some(quote!(Retry::Safe)),
        Some(Retry::State) => Some(quote!(Retry::State)),
        Some(Retry::Options) => Some(quote!(Retry::Options)),
        None if readonly => Some(quote!(Retry::Safe)),
        Some(Retry::No) | None => None,
    }
}

/// `Replies::PerArgument`
fn replies(command: &Command) -> Option<TokenStream> {
    Some(match command.replies? {
        ReplyCount::None => quote!(Replies::None),
        ReplyCount::End => quote!(Replies::End),
        ReplyCount::PerArgument => quote!(Replies::PerArgument),
        ReplyCount::Stream => quote!(Replies::Stream),
    })
}

/// `KeySpec::at(1).range(0, 1, 0).read_write()`
fn key_spec(spec: &KeySpec) -> TokenStream {
    let number = Literal::i64_unsuffixed;
    let begin = match &spec.begin_search {
        BeginSearch::Index { index } => {
            let index = number(*index);
            quote!(at(#index))
        }
        BeginSearch::Keyword { keyword, startfrom } => {
            let startfrom = number(*startfrom);
            quote!(after(#keyword, #startfrom))
        }
        BeginSearch::Unknown => quote!(unknown()),
    };
    let skip = (!spec.skip.is_empty()).then(|| {
        let options = spec.skip.iter().map(|(option, values)| {
            let values = Literal::u8_unsuffixed(*values);
            quote!((#option, #values))
        });
        quote!(.skip(&[#(#options),*]))
    });
    let find = match &spec.find_keys {
        FindKeys::Range {
            lastkey,
            keystep,
            limit,
        } => {
            let numbers = [lastkey, keystep, limit].map(|it| number(*it));
            quote!(.range(#(#numbers),*))
        }
        FindKeys::Keynum {
            keynumidx,
            firstkey,
            keystep,
        } => {
            let numbers = [keynumidx, firstkey, keystep].map(|it| number(*it));
            quote!(.counted(#(#numbers),*))
        }
        FindKeys::Unknown => TokenStream::new(),
    };
    let notes = [
        ("RW", quote!(.read_write())),
        ("RO", quote!(.read_only())),
        ("OW", quote!(.overwrite())),
        ("RM", quote!(.remove())),
        ("incomplete", quote!(.incomplete())),
        ("not_key", quote!(.not_key())),
        ("unless_empty", quote!(.unless_empty())),
    ];
    let notes = notes
        .into_iter()
        .filter(|(flag, _)| spec.flags.get(*flag).copied().unwrap_or_default())
        .map(|(_, call)| call);
    quote!(KeySpec::#begin #skip #find #(#notes)*)
}

/// `Routing::AllPrimaries(Join::Sum)`, where it is not the node of the keys.
fn routing(command: &Command) -> Option<TokenStream> {
    let (nodes, joined, unless) = match Routing::of(command) {
        Routing::Keys => return None,
        Routing::Connection => return Some(quote!(Routing::Connection)),
        // What is wrong on the node that was asked is redirected, or answered with an error.
        Routing::Undecided => return Some(quote!(Routing::AnyNode)),
        Routing::Nodes(nodes, join, unless) => (nodes, join.unwrap_or(Join::First), unless),
    };
    let join = join(joined, command);
    Some(match nodes {
        Nodes::AnyNode => quote!(Routing::AnyNode),
        Nodes::SameNode => quote!(Routing::SameNode),
        Nodes::NodeOfArgument => quote!(Routing::NodeOfArgument),
        Nodes::OneNode => quote!(Routing::OneNode),
        Nodes::NodeByNode => quote!(Routing::NodeByNode),
        Nodes::Slot => quote!(Routing::Slot),
        Nodes::AllNodes => quote!(Routing::AllNodes(#join)),
        Nodes::AllPrimaries => quote!(Routing::AllPrimaries(#join)),
        Nodes::Parts => quote!(Routing::Parts { join: #join, unless: &[#(#unless),*] }),
    })
}

/// `&["ID"]`: options with which a command of several nodes is about one of them.
fn one_node_with(command: &Command) -> Option<TokenStream> {
    let Routing::Nodes(Nodes::AllNodes | Nodes::AllPrimaries, _, unless) = Routing::of(command)
    else {
        return None;
    };
    (!unless.is_empty()).then(|| quote!(&[#(#unless),*]))
}

/// `Join::Sum`, or `Join::Any(b"*1\r\n$6\r\nDBSIZE\r\n")`
fn join(join: Join, command: &Command) -> TokenStream {
    match join {
        Join::First => quote!(Join::First),
        Join::OneSucceeded => quote!(Join::OneSucceeded),
        Join::And => quote!(Join::And),
        Join::Or => quote!(Join::Or),
        Join::Min => quote!(Join::Min),
        Join::Max => quote!(Join::Max),
        Join::Sum => quote!(Join::Sum),
        Join::Concatenate => quote!(Join::Concatenate),
        Join::Union => quote!(Join::Union),
        Join::InOrder => quote!(Join::InOrder),
        Join::Any => {
            let route = command.route.as_ref();
            let weight = route.and_then(|route| route.weight.as_deref());
            let weight = weight.unwrap_or_default();
            let words: Vec<_> = weight.split(' ').collect();
            let mut encoded = format!("*{}\r\n", words.len());
            for word in words {
                encoded += &format!("${}\r\n{word}\r\n", word.len());
            }
            let encoded = Literal::byte_string(encoded.as_bytes());
            quote!(Join::Any(#encoded))
        }
        Join::PerNode => quote!(Join::PerNode),
    }
}

/// `Some(RequestPolicy::AllShards)`
fn policy(command: &Command, tip: &str, ty: &str) -> Option<TokenStream> {
    let value = command
        .hints
        .iter()
        .find_map(|hint| hint.strip_prefix(tip)?.strip_prefix(':'))?;
    let (ty, value) = (ident(ty), ident(&value.to_upper_camel_case()));
    Some(quote!(Some(#ty::#value)))
}
