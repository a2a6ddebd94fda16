//! Commands and arguments as a reader of the Redis pages knows them: `key [NX | XX] [COUNT count]`.

use std::fmt::{self, Display, Write as _};

use crate::spec::{Argument, ArgumentType};

/// The grammar of a list of arguments on one line.
pub fn syntax(arguments: &[Argument]) -> String {
    join(arguments, " ")
}

impl Display for Argument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.optional {
            return f.write_str(&repeated(self));
        }
        // Square brackets alone are enough around alternatives: `[NX | XX]`.
        if self.kind == ArgumentType::Oneof && !self.multiple && self.token.is_none() {
            return write!(f, "[{}]", alternatives(self));
        }
        write!(f, "[{}]", repeated(self))
    }
}

fn repeated(argument: &Argument) -> String {
    let once = once(argument);
    match (argument.multiple, argument.multiple_token, &argument.token) {
        (false, _, _) => with_token(argument, &once),
        (true, true, Some(_)) => {
            let each = with_token(argument, &once);
            format!("{each} [{each} ...]")
        }
        (true, _, _) => with_token(argument, &format!("{once} [{once} ...]")),
    }
}

fn once(argument: &Argument) -> String {
    match argument.kind {
        ArgumentType::PureToken => String::new(),
        ArgumentType::Oneof if argument.arguments.len() == 1 => alternatives(argument),
        ArgumentType::Oneof => format!("<{}>", alternatives(argument)),
        ArgumentType::Block => join(&argument.arguments, " "),
        _ => argument.name.replace(' ', "-"),
    }
}

/// The alternatives of a choice; one of them is there, so that none is optional, whatever it says.
fn alternatives(argument: &Argument) -> String {
    let alternatives = argument.arguments.iter().map(|alternative| Argument {
        optional: false,
        ..alternative.clone()
    });
    join(&alternatives.collect::<Vec<_>>(), " | ")
}

fn with_token(argument: &Argument, rest: &str) -> String {
    match argument.token.as_deref() {
        None => rest.to_owned(),
        Some("") if rest.is_empty() => "\"\"".to_owned(),
        Some(token) if rest.is_empty() => token.to_owned(),
        Some(token) => format!("{token} {rest}"),
    }
}

fn join(arguments: &[Argument], separator: &str) -> String {
    let mut out = String::new();
    for (index, argument) in arguments.iter().enumerate() {
        let separator = if index == 0 { "" } else { separator };
        write!(out, "{separator}{argument}").expect("a string takes any text");
    }
    out
}
