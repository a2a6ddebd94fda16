//! HyperLogLogs: counting distinct elements approximately.

include!(concat!(env!("OUT_DIR"), "/commands/hyperloglog.rs"));
