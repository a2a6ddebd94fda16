//! A call that a listener watches, from its beginning to its end.

use std::{borrow::Cow, sync::Arc, time::Instant};

use super::traced::{CallSpan, Entered};
use crate::{
    call::CallRecord,
    cluster::Calls,
    command::{Exchange, Info},
    config::Config,
    error::{Error, ErrorKind, Result},
    events::{CallOutcome, Event, Events},
};

/// A call that a listener watches. Its end is told once; if it is dropped before, it was cancelled.
pub(crate) struct WatchedCall {
    /// `None` once its end was told.
    events: Option<Events>,
    operation: Cow<'static, str>,
    batch_size: Option<usize>,
    begun: Instant,
    record: Arc<CallRecord>,
    span: CallSpan,
}

impl WatchedCall {
    /// Begins to watch a call, if a listener wants that.
    #[inline]
    pub(crate) fn begin<E: Exchange>(
        exchange: &E,
        calls: &Calls,
        config: &Config,
    ) -> Option<Box<Self>> {
        let is_watched = calls.are_watched() || CallSpan::is_wanted();
        is_watched
            .then(|| Self::watch(exchange, calls, config))
            .flatten()
    }

    #[cold]
    fn watch<E: Exchange>(exchange: &E, calls: &Calls, config: &Config) -> Option<Box<Self>> {
        let (operation, batch_size) = operation(exchange);
        let span = CallSpan::new(config, &operation, batch_size);
        let is_watched = calls.are_watched() || !span.is_none();
        is_watched.then(|| {
            Box::new(Self {
                events: Some(calls.events().clone()),
                operation,
                batch_size,
                begun: Instant::now(),
                record: Arc::default(),
                span,
            })
        })
    }

    /// Has what happens now belong to it, as long as what this returns lives.
    pub(crate) fn enter(&self) -> Entered {
        self.span.enter()
    }

    /// What is kept of it on its way.
    pub(crate) fn record(&self) -> &Arc<CallRecord> {
        &self.record
    }

    /// Tells its end, and gives the result back: that of a call that is not watched stays where it was made.
    #[cold]
    #[inline(never)]
    pub(crate) fn end<T>(mut self, result: Result<T>) -> Result<T> {
        self.tell(CallOutcome::of(&result));
        result
    }

    fn tell(&mut self, outcome: CallOutcome) {
        let Some(events) = self.events.take() else {
            return;
        };
        let server = self.record.server();
        self.span.end(&outcome, server.as_deref());
        if !events.wants_calls() {
            return;
        }
        let now = Instant::now();
        events.tell(now, || Event::CallEnded {
            operation: self.operation.clone(),
            batch_size: self.batch_size,
            server,
            took: now.saturating_duration_since(self.begun),
            outcome,
            retries: self.record.retries(),
            redirects: self.record.redirects(),
        });
    }
}

impl Drop for WatchedCall {
    fn drop(&mut self) {
        self.tell(CallOutcome::Cancelled);
    }
}

/// The name of an exchange by OpenTelemetry's conventions, and how many commands a batch has.
fn operation<E: Exchange>(exchange: &E) -> (Cow<'static, str>, Option<usize>) {
    if !exchange.is_batch() {
        // Errors have the word that a caller has written, which facts have only of known commands.
        let named = exchange.named(Error::new(ErrorKind::Refused, ""));
        let name = named.command().filter(|name| *name != exchange.name());
        let name = name.map(|name| Cow::Owned(name.to_owned()));
        return (name.unwrap_or(Cow::Borrowed(exchange.name())), None);
    }
    let (mut count, mut name) = (0, None);
    let mut is_same = true;
    // It writes nothing, and so nothing can fail.
    let _ = exchange.each_command(&mut |info, _| {
        count += 1;
        is_same &= info.name != Info::UNKNOWN.name && name.get_or_insert(info.name) == &info.name;
        Ok(())
    });
    let batch = if exchange.is_atomic() {
        "MULTI"
    } else {
        "PIPELINE"
    };
    let name = name.filter(|_| is_same);
    match (count, name) {
        (1, name) => (Cow::Borrowed(name.unwrap_or(batch)), None),
        (_, Some(name)) => (Cow::Owned(format!("{batch} {name}")), Some(count)),
        (_, None) => (Cow::Borrowed(batch), Some(count)),
    }
}
