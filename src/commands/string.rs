//! Strings, numbers and bytes.

include!(concat!(env!("OUT_DIR"), "/commands/string.rs"));
