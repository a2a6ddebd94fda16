//! Publish and subscribe.

include!(concat!(env!("OUT_DIR"), "/commands/pubsub.rs"));
