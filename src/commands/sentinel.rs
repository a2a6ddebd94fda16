//! What a Sentinel knows of the primaries that it watches, and how it is told what to do.
//!
//! A Sentinel is a server of its own that only runs these and a few others, such as `PING`, `INFO` and
//! `SUBSCRIBE`: connect to its address as to any single server.

include!(concat!(env!("OUT_DIR"), "/commands/sentinel.rs"));
