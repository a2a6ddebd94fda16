//! Who listens to a client.

use std::sync::Arc;

use super::feed::{Feed, Listener};
use crate::{
    config::Config,
    events::{Event, Events, Observer, Sink},
};

/// Where what happens to a client is told that is made now.
pub(crate) fn events_of_client(config: &Config) -> Events {
    #[cfg(test)]
    if let Some(sink) = crate::events::tests::of_client() {
        return Events::of_client(Some(sink), false);
    }
    let mut listeners: Vec<Box<dyn Listener>> = Vec::new();
    if let Some(observer) = &config.observer {
        listeners.push(Box::new(Observing(Arc::clone(&observer.0))));
    }
    let calls = listeners.iter().any(|listener| listener.wants_calls());
    let feed = (!listeners.is_empty()).then(|| Feed::new(listeners));
    Events::of_client(feed.map(|feed| feed as Arc<dyn Sink>), calls)
}

/// The observer that a user has given.
struct Observing(Arc<dyn Observer>);

impl Listener for Observing {
    fn wants_calls(&self) -> bool {
        true
    }

    fn told(&mut self, event: &Event) {
        self.0.observe(event);
    }
}
