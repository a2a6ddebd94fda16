//! The sample calls.

use std::{cell::Cell, collections::BTreeSet, fmt::Debug, ops::Range, sync::OnceLock};

use bytes::{Bytes, BytesMut};
use respec::{
    cmd,
    command::{Command, Info, Patience, Provider},
    commands,
    reply::DecodeError,
    resp::{Frame, Reply, Writer},
};

use crate::by_hand;

/// Sample calls of all commands.
pub struct Catalogue {
    samples: Vec<Sample>,
}

/// One call.
pub struct Sample {
    /// What is known about the command.
    pub info: &'static Info,
    /// Which options and alternatives it has.
    pub label: String,
    /// What a server must have for it.
    pub needs: Vec<Need>,
    /// The request as bytes.
    pub request: Bytes,
    /// The words of the request.
    pub words: Vec<Bytes>,
    /// The keys among them.
    pub keys: Vec<Bytes>,
    /// Which of the words the keys are.
    pub key_words: Vec<usize>,
    call: Box<dyn Call>,
}

/// What a server must have for a call beside the command itself.
#[derive(Clone, Copy, Debug)]
pub struct Need {
    /// First version that has it.
    pub since: Option<&'static str>,
    /// The only server family that has it.
    pub provider: Option<Provider>,
}

impl Need {
    pub(crate) const fn new(since: Option<&'static str>, provider: Option<Provider>) -> Self {
        Self { since, provider }
    }
}

/// A command whose type is forgotten.
trait Call: Send + Sync {
    fn patience(&self) -> Patience;

    fn read(&self, reply: Reply<'_>) -> Result<String, DecodeError>;
}

impl<C: Command + Send + Sync> Call for C
where
    C::Reply: Debug,
{
    fn patience(&self) -> Patience {
        Command::patience(self)
    }

    fn read(&self, reply: Reply<'_>) -> Result<String, DecodeError> {
        Command::read(self, reply).map(|reply| format!("{reply:?}"))
    }
}

impl Sample {
    /// All that does not depend on the type of the command.
    fn new(
        info: &'static Info,
        label: String,
        needs: &[Need],
        request: Bytes,
        keys: &[Range<usize>],
        call: Box<dyn Call>,
    ) -> Self {
        let frame = Frame::parse(request.clone())
            .unwrap_or_else(|error| panic!("{} ({label}): {error}", info.name));
        let words: Vec<_> = frame
            .reply()
            .elements()
            .into_iter()
            .flatten()
            .filter_map(|word| word.take_bytes())
            .collect();
        // `*2`, then `$3` and `GET`: a word begins where its length and a line end lie behind.
        let mut end = format!("*{}\r\n", words.len()).len();
        let mut key_words = Vec::new();
        for (at, word) in words.iter().enumerate() {
            let begin = end + format!("${}\r\n", word.len()).len();
            end = begin + word.len() + 2;
            if keys.iter().any(|key| key.start == begin) {
                key_words.push(at);
            }
        }
        Self {
            info,
            label,
            needs: needs.to_vec(),
            keys: keys.iter().cloned().map(|key| request.slice(key)).collect(),
            key_words,
            words,
            request,
            call,
        }
    }

    /// How long the server may hold the reply back.
    #[must_use]
    pub fn patience(&self) -> Patience {
        self.call.patience()
    }

    /// Reads a reply as the command does, and shows what was read.
    ///
    /// # Errors
    ///
    /// Where the reply is not of the declared type.
    pub fn read(&self, reply: Reply<'_>) -> Result<String, DecodeError> {
        self.call.read(reply)
    }

    /// The command and the label.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{} ({})", self.info.name, self.label)
    }

    /// The words with spaces between them.
    #[must_use]
    pub fn text(&self) -> String {
        text(&self.words)
    }
}

/// Words with spaces between them.
#[must_use]
pub fn text(words: &[Bytes]) -> String {
    let words: Vec<_> = words
        .iter()
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect();
    words.join(" ")
}

impl Catalogue {
    /// All calls, made once.
    pub fn all() -> &'static Self {
        static ALL: OnceLock<Catalogue> = OnceLock::new();
        ALL.get_or_init(|| {
            let mut filling = Filling::default();
            for fill in COMMANDS.iter().chain(by_hand::COMMANDS).chain(DRAWN) {
                fill(&mut filling);
            }
            Self {
                samples: filling.samples,
            }
        })
    }

    /// One call alone.
    pub fn of<C>(label: &str, command: C) -> Self
    where
        C: Command + Send + Sync + 'static,
        C::Reply: Debug,
    {
        let mut filling = Filling::default();
        filling.add(label, &[], command);
        Self {
            samples: filling.samples,
        }
    }

    /// The calls.
    #[must_use]
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }
}

/// Runs something on calls in which one text was replaced by a hostile one, command by command.
///
/// Every text of every call is replaced in turn where `every` asks for it, and otherwise every place
/// that a command has for a text, in the first call that has it. Calls that are drawn by lot are
/// left out: they have no more places.
pub fn with_hostile_texts(every: bool, mut run: impl FnMut(&Sample, &Bytes)) {
    let hostile: Vec<_> = hostile_texts().collect();
    for fill in COMMANDS.iter().chain(by_hand::COMMANDS) {
        let mut seen = BTreeSet::new();
        for nth in 0.. {
            let mut any = false;
            for (name, text) in &hostile {
                let mut filling = Filling {
                    replacement: Some(Replacement {
                        nth,
                        name,
                        text: text.clone(),
                    }),
                    ..Filling::default()
                };
                fill(&mut filling);
                any |= !filling.samples.is_empty();
                for sample in &filling.samples {
                    let place = sample.label.rsplit(": ").next().unwrap_or_default();
                    if every || seen.insert((sample.info.name, place.to_owned())) {
                        run(sample, text);
                    }
                }
            }
            if !any {
                break;
            }
        }
    }
}

/// Texts that a careless client or server could take for something else.
fn hostile_texts() -> impl Iterator<Item = (&'static str, Bytes)> {
    [
        ("empty", Bytes::new()),
        (
            "lines",
            Bytes::from_static(b"a\r\n+INJECTED\r\n$-1\r\n*0\r\n"),
        ),
        ("nul", Bytes::from_static(b"\0\0")),
        ("no text", Bytes::from_static(b"\xff\xfe\x80")),
        ("64 KiB", Bytes::from(vec![b'x'; 64 << 10])),
    ]
    .into_iter()
}

/// Calls while they are being made.
#[derive(Default)]
pub(crate) struct Filling {
    samples: Vec<Sample>,
    /// How many texts the call at hand has so far.
    texts: Cell<usize>,
    replacement: Option<Replacement>,
    /// What the text is for that was replaced.
    replaced: Cell<Option<&'static str>>,
}

/// One text of every call that is replaced.
struct Replacement {
    /// Which one, the first being 0.
    nth: usize,
    name: &'static str,
    text: Bytes,
}

impl Filling {
    /// A text, or the one that replaces it.
    pub(crate) fn text(&self, place: &'static str, text: &'static str) -> Bytes {
        let at = self.texts.replace(self.texts.get() + 1);
        match &self.replacement {
            Some(replacement) if replacement.nth == at => {
                self.replaced.set(Some(place));
                replacement.text.clone()
            }
            _ => Bytes::from_static(text.as_bytes()),
        }
    }

    /// Adds a call, unless it lacks the text that is to be replaced.
    ///
    /// # Panics
    ///
    /// Where the call cannot be written: samples are made of values that can.
    pub(crate) fn add<C>(&mut self, label: &str, needs: &[Need], command: C)
    where
        C: Command + Send + Sync + 'static,
        C::Reply: Debug,
    {
        let Some(label) = self.next(label) else {
            return;
        };
        let info = command.info();
        let mut out = BytesMut::new();
        let mut keys = Vec::new();
        Writer::command_with_keys(&mut out, &mut keys, |to| command.write(to))
            .unwrap_or_else(|error| panic!("{} ({label}): {error}", info.name));
        self.samples.push(Sample::new(
            info,
            label,
            needs,
            out.freeze(),
            &keys,
            Box::new(command),
        ));
    }

    /// The label of the call at hand, which ends with what was replaced.
    fn next(&mut self, label: &str) -> Option<String> {
        self.texts.set(0);
        match (&self.replacement, self.replaced.take()) {
            (None, _) => Some(label.to_owned()),
            (Some(replacement), Some(place)) => {
                Some(format!("{label}: {} in {place}", replacement.name))
            }
            (Some(_), None) => None,
        }
    }
}

include!(concat!(env!("OUT_DIR"), "/samples.rs"));
