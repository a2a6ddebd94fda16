//! Lua scripts and functions.

include!(concat!(env!("OUT_DIR"), "/commands/scripting.rs"));
