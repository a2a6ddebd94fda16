/// `EVAL script numkeys [key [key ...]] [arg [arg ...]]`
///
/// Runs a Lua script, sent as source, with the given keys and arguments.
///
/// `Value`: the script decides.
///
/// Since 2.6.0 · that of the script run · `@scripting` `@slow` · keys: counted at word 2.
#[derive(Clone)]
#[must_use = "a command does nothing until it is awaited, sent or put into a pipeline"]
pub struct Eval<'a, X = Detached> {
    via: X,
    script: Arg<'a>,
    key: Option<List<Arg<'a>>>,
    arg: Option<List<Arg<'a>>>,
}

impl<'a, X> Eval<'a, X> {
    fn new(via: X, script: Arg<'a>) -> Self {
        Self {
            via,
            script,
            key: None,
            arg: None,
        }
    }
}

impl<'a, X> Eval<'a, X> {
    /// `key [key ...]`
    pub fn key<M>(mut self, key: impl IntoList<Arg<'a>, M>) -> Self {
        self.key = key.into_list().after(self.key.take());
        self
    }

    /// `arg [arg ...]`
    pub fn arg<M>(mut self, arg: impl IntoList<Arg<'a>, M>) -> Self {
        self.arg = arg.into_list().after(self.arg.take());
        self
    }
}

impl<X: Via> command::Command for Eval<'_, X> {
    type Via = X;
    type Reply = Value;

    fn via(&self) -> X {
        self.via
    }

    fn info(&self) -> &'static command::Info {
        &info::EVAL
    }

    fn write(&self, to: &mut Writer<'_>) {
        info::EVAL.write_name(to);
        self.script.write(to);
        to.part("script");
        if let Some(key) = &self.key {
            to.unsigned(key.len() as u64);
            for item in key {
                item.write_key(to);
            }
        }
        if self.key.is_none() {
            to.word(b"0");
        }
        if let Some(arg) = &self.arg {
            for item in arg {
                item.write(to);
            }
        }
    }

    fn read(&self, reply: Reply<'_>) -> Result<Self::Reply, DecodeError> {
        Decode::decode(reply)
    }
}

impl<X: Asynchronous<Self>> IntoFuture for Eval<'_, X> {
    type Output = Result<<Self as command::Command>::Reply>;
    type IntoFuture = X::Pending;

    fn into_future(self) -> Self::IntoFuture {
        self.via.execute(self)
    }
}

impl<X: Via> fmt::Debug for Eval<'_, X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        command::debug(self, f)
    }
}

/// The scripting commands as methods; every client has them.
pub trait ScriptingCommands: Commands {
    /// `EVAL script numkeys [key [key ...]] [arg [arg ...]]`
    ///
    /// Runs a Lua script, sent as source, with the given keys and arguments. See [`Eval`].
    fn eval<'a>(&self, script: impl Into<Arg<'a>>) -> Eval<'a, &Self> {
        Eval::new(self, script.into())
    }
}

impl<T: Commands + ?Sized> ScriptingCommands for T {}

/// The scripting commands as values that belong to no client yet.
pub(crate) mod cmd {
    use super::*;
    use crate::command::{Arg, Detached};

    /// `EVAL script numkeys [key [key ...]] [arg [arg ...]]`
    ///
    /// Runs a Lua script, sent as source, with the given keys and arguments. See [`Eval`].
    pub fn eval<'a>(script: impl Into<Arg<'a>>) -> Eval<'a> {
        Eval::new(Detached, script.into())
    }
}
