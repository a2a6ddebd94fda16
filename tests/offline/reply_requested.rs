//! The types of the spec's replies, as types that callers ask for.

use std::{collections::BTreeSet, fmt::Debug, path::Path};

use bytes::Bytes;
use respec::{
    reply::{self, Decode, FromReply},
    resp::Kind,
};
use respec_codegen::{load::Spec, structs::Shape};
use serde::Deserialize;

use crate::support::frame;

/// A line of `CLIENT LIST`.
const CLIENT: &str = "id=3 addr=127.0.0.1:1 laddr=127.0.0.1:2 fd=8 name= age=0 idle=0 flags=N db=0 \
    sub=0 psub=0 ssub=0 multi=-1 qbuf=26 qbuf-free=20448 argv-mem=10 multi-mem=0 rbs=1024 rbp=0 \
    obl=0 oll=0 omem=0 tot-mem=22298 events=r cmd=client|list user=default redir=-1 resp=2\n";

/// A text as a bulk string.
fn bulk(text: &str) -> String {
    format!("${}\r\n{text}\r\n", text.len())
}

/// The type can be asked for, alone and in lists, and is then what it is otherwise.
fn same<T: Decode + FromReply + Debug>(form: &str)
where
    Vec<T>: FromReply,
    Option<T>: FromReply,
{
    let frame = frame(form);
    let shown = |value: Result<T, reply::DecodeError>| match value {
        Ok(value) => format!("{value:?}"),
        Err(error) => error.to_string(),
    };
    let native = shown(T::decode(frame.reply()));
    assert_eq!(shown(T::from_reply(frame.reply())), native, "{form:?}");
    let list = |list: Result<Vec<T>, reply::DecodeError>| match list {
        Ok(list) => format!("{list:?}"),
        Err(error) => error.to_string(),
    };
    // Serde reads a list from a map as well.
    if frame.reply().kind() != Kind::Map {
        let native = list(Decode::decode(frame.reply()));
        let asked = list(FromReply::from_reply(frame.reply()));
        // An error in a list may be found on another way.
        if !native.starts_with("expected") {
            assert_eq!(asked, native, "{form:?}");
        } else {
            assert!(asked.starts_with("expected"), "{form:?}: {asked}");
        }
    }
}

macro_rules! all {
    ($($name:ident $(<$argument:ty>)?),+ $(,)?) => {
        /// Each of them on a form, and their names.
        fn try_all(form: &str) -> BTreeSet<String> {
            $(same::<reply::$name $(<$argument>)?>(form);)+
            [$(stringify!($name)),+].map(str::to_owned).into()
        }
    };
}

all! {
    AggregateResult, BloomInfoValue, ClusterNode, CuckooInsert, Expiration,
    GeoHit, IndexAttribute, JsonNumber, JsonNumbers, JsonTypes, MonitorLine, OneOrMany<u64>, Role,
    ScanPage<Vec<Bytes>>, SearchParameter, SearchResult, SearchScore, ServerInfo, ServerTime,
    SpellCheck, SpellCheckTerm, StreamEntry, Suggestions, TsLastList, TsRules, TsSeriesList,
    VsimHits,
    AclLogEntry, AclSelector, AclUser, AggregateRow, ArInfo, BackupStatus, ClientInfo, ClusterInfo, ClusterLink, CommandArgument, CommandDoc, CommandInfo, CommandStats, Confirmation, ConsumerInfo, DatabaseMemory, DebugObject, EngineStats, FunctionInfo, FunctionStats, GeoPos, GroupInfo, Hello, Histogram, Hotkeys, HybridResult, IndexDefinition, IndexErrors, IndexFieldStatistics, IndexInfo, KeySearch, KeySearchArguments, KeySearchStart, KeySearchStartSpec, KeySpec, Keyspace, LatencyEvent, LcsMatch, LcsMatches, Library, MemoryStats, MigrationTask, Module, PendingEntry, PendingSummary, ReplicaState, RoleReplica, RunningScript, SearchHit, SentinelInfo, SentinelPeer, SentinelPrimary, SentinelReplica, SentinelScript, SentinelVote, Shard, ShardNode, SlotMigration, SlotNode, SlotRange, SlowlogEntry, StreamConsumer, StreamConsumerPending, StreamGroup, StreamGroupPending, StreamInfo, StreamInfoFull, Suggestion, TopkInfo, TrackingInfo, TsChunk, TsInfo, TsLast, TsRule, TsSeries, VInfo, VembRaw, VsimHit,
}

#[test]
fn every_type_of_a_reply_can_be_asked_for() {
    let entry = format!("*2\r\n{}*2\r\n{}{}", bulk("1-1"), bulk("f"), bulk("v"));
    let forms = [
        bulk(""),
        bulk("id=1 addr=:1 name=\nid=2 addr=:2 name=x\n"),
        bulk(CLIENT),
        bulk("cluster_state:ok\r\ncluster_slots_assigned:0\r\n"),
        ":1\r\n".into(),
        "$-1\r\n".into(),
        "*0\r\n".into(),
        "%0\r\n".into(),
        format!("*1\r\n{entry}"),
        entry.clone(),
        format!("%1\r\n{}{}", bulk("flags"), entry),
        format!("*2\r\n{}*1\r\n{}", bulk("0"), bulk("k")),
    ];
    let mut known = BTreeSet::new();
    for form in &forms {
        known = try_all(form);
    }
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("commands-spec");
    let spec = Spec::load(&dir).unwrap();
    // What is part of a text alone is no reply.
    let parts = ["ClientFlags"];
    let missing: Vec<_> = spec
        .structs
        .iter()
        .filter(|(name, item)| item.shape != Shape::Custom || !parts.contains(&&***name))
        .map(|(name, _)| name.to_string())
        .filter(|name| !known.contains(name))
        .collect();
    assert!(missing.is_empty(), "these cannot be asked for: {missing:?}");
}

#[test]
fn they_are_parts_of_types_of_ones_own() {
    #[derive(Debug, Deserialize)]
    struct Both {
        clients: Vec<reply::ClientInfo>,
        entries: Vec<reply::StreamEntry>,
        none: Option<reply::Role>,
    }
    let clients = bulk(&CLIENT.repeat(2));
    let entry = format!("*2\r\n{}*2\r\n{}{}", bulk("1-1"), bulk("f"), bulk("v"));
    let form = format!(
        "*4\r\n{}{clients}{}*1\r\n{entry}",
        bulk("clients"),
        bulk("entries")
    );
    let form = frame(&form);
    match Both::from_reply(form.reply()) {
        Ok(both) => {
            assert_eq!(both.clients.len(), 2);
            assert_eq!(both.entries[0].fields[0], ("f".into(), "v".into()));
            assert!(both.none.is_none());
        }
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn an_error_says_what_decode_says_and_where() {
    let form = format!("*2\r\n{}:7\r\n", bulk("id=1 addr=a"));
    let error = Vec::<reply::ClientInfo>::from_reply(frame(&form).reply()).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("a field `") && text.contains("element 0"),
        "{text}"
    );
    // Errors of other readers stay what they are.
    let error = serde_json::from_str::<reply::ClientInfo>("7").unwrap_err();
    assert!(error.to_string().contains("a reply of a server"), "{error}");
    let error = bool::from_reply(frame("$3\r\nabc\r\n").reply()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "expected a boolean, found a text of 3 bytes that is none"
    );
}
