//! The commands, one module for each group of the spec.

/// The facts of every command.
pub(crate) mod info {
    use crate::command::Info;
    pub(crate) static ALL: &[&Info] = &[];
}
