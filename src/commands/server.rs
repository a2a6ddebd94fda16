//! Looking after a server.

include!(concat!(env!("OUT_DIR"), "/commands/server.rs"));
