//! Samples whose keys lie where the caller wants them.

use bytes::Bytes;
use respec::{
    command::{Command, Detached, Info, Patience, Raw, raw},
    reply::{Decode, DecodeError, Value},
    resp::{Reply, Writer},
};

use crate::catalogue::Sample;

/// A sample with other keys, as a command.
pub struct Placed<'s> {
    /// The sample.
    pub sample: &'s Sample,
    /// Its words, in which the keys are others.
    pub words: Vec<Bytes>,
    /// Which of the words the keys are.
    pub key_words: Vec<usize>,
}

impl Sample {
    /// The same call with a prefix in front of each key, whose number among the keys is given.
    #[must_use]
    pub fn placed(&self, prefix: impl Fn(usize) -> String) -> Placed<'_> {
        let mut words = self.words.clone();
        for (nth, &at) in self.key_words.iter().enumerate() {
            let key = [prefix(nth).as_bytes(), &words[at]].concat();
            words[at] = Bytes::from(key);
        }
        Placed {
            sample: self,
            words,
            key_words: self.key_words.clone(),
        }
    }
}

impl Placed<'_> {
    /// The same words as a raw command, whose keys follow from the key specs.
    pub fn raw(&self) -> Raw<'_> {
        let words = self.words.iter().map(|word| &word[..]);
        words.skip(1).fold(raw(&self.words[0][..]), Raw::arg)
    }
}

/// A command with the facts of the sample, whose keys are where the sample has written some.
impl Command for Placed<'_> {
    type Via = Detached;
    /// The reply as it arrived, and as the command of the sample reads it.
    type Reply = (Value, String);

    fn via(&self) -> Detached {
        Detached
    }

    fn info(&self) -> &'static Info {
        self.sample.info
    }

    fn write(&self, to: &mut Writer<'_>) {
        for (at, word) in self.words.iter().enumerate() {
            if self.key_words.contains(&at) {
                to.key(word);
            } else {
                to.word(word);
            }
        }
    }

    fn read(&self, reply: Reply<'_>) -> Result<(Value, String), DecodeError> {
        Ok((Value::decode(reply)?, self.sample.read(reply)?))
    }

    fn patience(&self) -> Patience {
        self.sample.patience()
    }
}
