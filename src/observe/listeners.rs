//! Who listens to a client.

use std::{
    any::Any,
    sync::{Arc, Weak},
    time::Instant,
};

use super::{
    feed::{Feed, Listener},
    metered::meters,
    stats::Source,
    traced::log,
};
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
        listeners.push(Box::new(Observing(observer.share())));
    }
    listeners.extend(log());
    listeners.extend(meters(config));
    let calls = listeners.iter().any(|listener| listener.wants_calls());
    let feed = (!listeners.is_empty()).then(|| Feed::new(listeners));
    Events::of_client(feed.map(|feed| feed as Arc<dyn Sink>), calls)
}

/// Lets those who listen to a client look at what it is doing, from time to time.
pub(crate) fn sample(events: &Events, source: Weak<dyn Source>) {
    let sink = events
        .sink()
        .map(|sink| Arc::clone(sink) as Arc<dyn Any + Send + Sync>);
    if let Some(Ok(feed)) = sink.map(Arc::downcast::<Feed>) {
        feed.sample(source);
    }
}

/// The observer that a user has given.
struct Observing(Arc<dyn Observer>);

impl Listener for Observing {
    fn wants_calls(&self) -> bool {
        true
    }

    fn told(&mut self, _: Instant, event: &Event) {
        self.0.observe(event);
    }
}
