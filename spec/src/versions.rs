//! Versions of servers and modules, and the newest that a description mentions.

use std::collections::BTreeMap;

use respec_codegen::spec::{Argument, Commands, Provider};

/// A newest version by module, with the empty name for the server itself.
pub type Versions = BTreeMap<String, Vec<u64>>;

/// The newest version that commands and arguments with one of these providers mention.
pub fn newest(commands: &Commands, providers: &[Option<Provider>]) -> Versions {
    let mut versions = Versions::new();
    for command in commands.values() {
        let newest = versions
            .entry(command.module.clone().unwrap_or_default())
            .or_default();
        if providers.contains(&command.provider) {
            raise(newest, command.since.as_deref());
            for (version, _) in &command.history {
                raise(newest, Some(version));
            }
        }
        raise_by_arguments(newest, &command.arguments, command.provider, providers);
    }
    versions
}

fn raise_by_arguments(
    newest: &mut Vec<u64>,
    arguments: &[Argument],
    parent: Option<Provider>,
    providers: &[Option<Provider>],
) {
    for argument in arguments {
        let provider = argument.provider.or(parent);
        if providers.contains(&provider) {
            raise(newest, argument.since.as_deref());
        }
        raise_by_arguments(newest, &argument.arguments, provider, providers);
    }
}

/// A version as numbers; what is not a number counts as zero.
pub fn numbers(version: &str) -> Vec<u64> {
    version
        .split('.')
        .map(|part| part.parse().unwrap_or(0))
        .collect()
}

fn raise(newest: &mut Vec<u64>, version: Option<&str>) {
    if let Some(version) = version.map(numbers)
        && version > *newest
    {
        *newest = version;
    }
}
