//! Positions on the earth.

include!(concat!(env!("OUT_DIR"), "/commands/geo.rs"));
