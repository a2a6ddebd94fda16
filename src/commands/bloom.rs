//! Probabilistic structures: Bloom and cuckoo filters, count-min sketches, t-digests and top-k lists.

include!(concat!(env!("OUT_DIR"), "/commands/bloom.rs"));
