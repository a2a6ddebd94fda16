//! What belongs to a connection or a client.

include!(concat!(env!("OUT_DIR"), "/commands/connection.rs"));
