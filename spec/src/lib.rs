//! Looks after a command spec: reads other descriptions of commands, merges and compares them, counts
//! what is generated, and makes sample calls of it. The program of this crate is what people use;
//! nothing here is part of a build of the client.

pub mod coverage;
pub mod diff;
pub mod live;
pub mod merge;
pub mod pull;
pub mod samples;
pub mod source;
pub mod versions;
pub mod words;
pub mod write;
