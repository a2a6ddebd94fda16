//! Descriptions of commands of any form, the folder of a spec included.

use std::path::Path;

use respec_codegen::{
    error::Error,
    source::{Form, Source},
    spec::{Argument, Command, Commands, Provider},
    store::{self, Store},
};

/// Reads a file or folder of any form.
///
/// # Errors
///
/// Names the file, the command and the reason when something is missing or not understood, or when
/// the file describes replies and not commands.
pub fn read(path: &Path, provider: Provider) -> Result<Source, Error> {
    if !path.join(store::COMMANDS).is_dir() {
        return Source::read(path, provider);
    }
    let mut commands = Store::read(path)?.commands()?;
    let summary = |(name, command): (&String, &Command)| {
        (!command.summary.is_empty()).then(|| (name.clone(), command.summary.clone()))
    };
    let summaries = commands.iter().filter_map(summary).collect();
    keep_family(&mut commands, provider);
    Ok(Source {
        origin: path.to_path_buf(),
        form: Form::Ours,
        provider,
        version: None,
        summaries,
        commands,
    })
}

/// Leaves of a spec of several families what one of them has.
fn keep_family(commands: &mut Commands, family: Provider) {
    fn keep(arguments: &mut Vec<Argument>, family: Provider) {
        arguments.retain(|argument| argument.provider.is_none_or(|other| other == family));
        for argument in arguments {
            argument.provider = None;
            keep(&mut argument.arguments, family);
        }
    }
    commands.retain(|_, command| command.provider.is_none_or(|other| other == family));
    for command in commands.values_mut() {
        command.provider = None;
        keep(&mut command.arguments, family);
    }
}
