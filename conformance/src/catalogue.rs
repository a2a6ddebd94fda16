//! The sample calls.

use std::{fmt::Debug, ops::Range, sync::OnceLock};

use bytes::{Bytes, BytesMut};
use respec::{
    cmd,
    command::{Command, Info, Provider},
    commands,
    reply::DecodeError,
    resp::{Frame, Reply, Writer},
};

use crate::by_hand;

/// Sample calls of all commands.
#[derive(Default)]
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
    const fn new(since: Option<&'static str>, provider: Option<Provider>) -> Self {
        Self { since, provider }
    }
}

/// A command whose type is forgotten.
trait Call: Send + Sync {
    fn read(&self, reply: Reply<'_>) -> Result<String, DecodeError>;
}

impl<C: Command + Send + Sync> Call for C
where
    C::Reply: Debug,
{
    fn read(&self, reply: Reply<'_>) -> Result<String, DecodeError> {
        Command::read(self, reply).map(|reply| format!("{reply:?}"))
    }
}

impl Sample {
    /// All that does not depend on the type of the command.
    fn new(
        info: &'static Info,
        label: &str,
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
            label: label.to_owned(),
            needs: needs.to_vec(),
            keys: keys.iter().cloned().map(|key| request.slice(key)).collect(),
            key_words,
            words,
            request,
            call,
        }
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
            let mut catalogue = Self::default();
            fill(&mut catalogue);
            by_hand::fill(&mut catalogue);
            catalogue
        })
    }

    /// The calls.
    #[must_use]
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }

    /// Adds a call.
    ///
    /// # Panics
    ///
    /// Where the call cannot be written: samples are made of values that can.
    pub fn add<C>(&mut self, label: &str, needs: &[Need], command: C)
    where
        C: Command + Send + Sync + 'static,
        C::Reply: Debug,
    {
        let info = command.info();
        let mut out = BytesMut::new();
        let mut ranges = Vec::new();
        let written = Writer::command_with_keys(&mut out, &mut ranges, |to| command.write(to));
        let name = || format!("{} ({label})", info.name);
        written.unwrap_or_else(|error| panic!("{}: {error}", name()));
        let (request, call) = (out.freeze(), Box::new(command));
        self.samples
            .push(Sample::new(info, label, needs, request, &ranges, call));
    }
}

include!(concat!(env!("OUT_DIR"), "/samples.rs"));

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_command_has_a_sample() {
        let sampled: BTreeSet<_> = Catalogue::all()
            .samples()
            .iter()
            .map(|sample| sample.info.name)
            .collect();
        let missing: Vec<_> = Info::all()
            .iter()
            .map(|info| info.name)
            .filter(|name| !sampled.contains(name))
            .collect();
        assert_eq!(missing, [""; 0]);
    }

    #[test]
    fn labels_tell_the_samples_of_a_command_apart() {
        let mut seen = BTreeSet::new();
        let mut twice = Vec::new();
        for sample in Catalogue::all().samples() {
            if !seen.insert((sample.info.name, sample.label.as_str())) {
                twice.push(sample.name());
            }
        }
        assert_eq!(twice, [""; 0]);
    }
}
