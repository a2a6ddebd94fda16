//! A subscriber that keeps all lines and spans.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    fmt::{Debug, Write},
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use tracing::{
    Dispatch, Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
    span::{Attributes, Id, Record},
};

/// What was told until now.
#[derive(Clone)]
pub(crate) struct Told(Arc<Kept>);

struct Kept {
    level: Level,
    since: Instant,
    told: Mutex<(Vec<Line>, Vec<Span>)>,
}

/// One line.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// After how many seconds.
    pub(crate) at: f64,
    pub(crate) level: Level,
    pub(crate) target: String,
    pub(crate) text: String,
    pub(crate) fields: BTreeMap<String, String>,
    /// The name of the span that it belongs to.
    pub(crate) span: Option<String>,
}

/// One span.
#[derive(Clone, Debug, Default)]
pub(crate) struct Span {
    pub(crate) name: String,
    pub(crate) fields: BTreeMap<String, String>,
    /// The name of the span around it.
    pub(crate) parent: Option<String>,
    /// How often it was entered, and left.
    pub(crate) entered: usize,
    pub(crate) left: usize,
}

thread_local! {
    /// The spans in which this thread is.
    static CURRENT: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

impl Told {
    /// Keeps what is told at this level and above.
    pub(crate) fn at(level: Level) -> (Self, Dispatch) {
        LazyLock::force(&ANOTHER);
        let kept = Arc::new(Kept {
            level,
            since: Instant::now(),
            told: Mutex::default(),
        });
        (Self(Arc::clone(&kept)), Dispatch::new(Keeper(kept)))
    }

    pub(crate) fn lines(&self) -> Vec<Line> {
        self.0.told().0.clone()
    }

    /// The spans of calls.
    pub(crate) fn calls(&self) -> Vec<Span> {
        let spans = self.0.told().1.clone().into_iter();
        spans.filter(|span| span.name == "call").collect()
    }
}

impl Kept {
    fn told(&self) -> MutexGuard<'_, (Vec<Line>, Vec<Span>)> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where there is a single subscriber, `tracing` asks only the one of the thread that comes to a place
/// first, which may have none.
static ANOTHER: LazyLock<Dispatch> = LazyLock::new(|| {
    Dispatch::new(Keeper(Arc::new(Kept {
        level: Level::ERROR,
        since: Instant::now(),
        told: Mutex::default(),
    })))
});

struct Keeper(Arc<Kept>);

impl Keeper {
    /// The name of the span in which this thread is.
    fn current(&self) -> Option<String> {
        let id = CURRENT.with_borrow(|spans| spans.last().copied())?;
        Some(self.span(id, |span| span.name.clone()))
    }

    fn span<T>(&self, id: u64, look: impl FnOnce(&mut Span) -> T) -> T {
        let mut told = self.0.told();
        let at = usize::try_from(id).unwrap() - 1;
        look(&mut told.1[at])
    }
}

impl Subscriber for Keeper {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.0.level
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.0.level.into())
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let parent = self.current();
        let mut fields = Fields::default();
        span.record(&mut fields);
        let mut told = self.0.told();
        told.1.push(Span {
            name: span.metadata().name().to_owned(),
            fields: fields.0,
            parent,
            ..Span::default()
        });
        Id::from_u64(told.1.len() as u64)
    }

    fn record(&self, id: &Id, values: &Record<'_>) {
        let mut fields = Fields::default();
        values.record(&mut fields);
        self.span(id.into_u64(), |span| span.fields.extend(fields.0));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let span = self.current();
        let mut fields = Fields::default();
        event.record(&mut fields);
        let text = fields.0.remove("message").unwrap_or_default();
        self.0.told().0.push(Line {
            at: self.0.since.elapsed().as_secs_f64(),
            level: *event.metadata().level(),
            target: event.metadata().target().to_owned(),
            text,
            fields: fields.0,
            span,
        });
    }

    fn enter(&self, id: &Id) {
        self.span(id.into_u64(), |span| span.entered += 1);
        CURRENT.with_borrow_mut(|spans| spans.push(id.into_u64()));
    }

    fn exit(&self, id: &Id) {
        self.span(id.into_u64(), |span| span.left += 1);
        let last = CURRENT.with_borrow_mut(Vec::pop);
        assert_eq!(last, Some(id.into_u64()), "spans are left in order");
    }
}

/// Fields as text.
#[derive(Default)]
struct Fields(BTreeMap<String, String>);

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let mut text = String::new();
        write!(text, "{value:?}").unwrap();
        self.0.insert(field.name().to_owned(), text);
    }
}
