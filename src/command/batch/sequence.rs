//! What the commands of a batch have in common: each without the type of its reply, and how all
//! replies are read.

use crate::{
    command::{
        Command, IsDetached, Patience, Untyped, View,
        exchange::{Single, missing},
        finish, named,
    },
    error::Result,
    resp::Reply,
};

/// The commands of a batch: a tuple, a `Vec` or one.
pub trait Sequence: Send {
    /// The replies of all commands.
    type Replies;
    /// The replies, or errors, of each command.
    type Results;

    /// How many commands there are.
    fn count(&self) -> usize;

    /// The command at an index below the count.
    fn get(&self, at: usize) -> Option<&dyn Untyped>;

    /// Reads one answer for each command: a reply, or why there is none.
    ///
    /// # Errors
    ///
    /// The first of the commands' errors.
    fn replies<'f>(
        &self,
        from: &mut impl Iterator<Item = Result<Reply<'f>>>,
    ) -> Result<Self::Replies>;

    /// Reads one answer for each command, and keeps the errors of each.
    fn results<'f>(&self, from: &mut impl Iterator<Item = Result<Reply<'f>>>) -> Self::Results;
}

/// The commands behind the `first` ones, in order.
#[inline]
pub(super) fn from<S: Sequence>(
    commands: &S,
    first: usize,
) -> impl Iterator<Item = &(dyn Untyped + '_)> {
    (first..commands.count()).map_while(|at| commands.get(at))
}

/// All commands, in order.
#[inline]
pub(super) fn all<S: Sequence>(commands: &S) -> impl Iterator<Item = &(dyn Untyped + '_)> {
    from(commands, 0)
}

/// Asks something of each command, in order; an error says which one it is about.
pub(super) fn each<S: Sequence>(
    commands: &S,
    mut ask: impl FnMut(&dyn Untyped) -> Result<()>,
) -> Result<()> {
    let mut commands = all(commands).enumerate();
    commands.try_for_each(|(at, command)| ask(command).map_err(|error| error.with_place(at)))
}

/// How long all commands together may be held back.
pub(super) fn patience(commands: &impl Sequence) -> Patience {
    all(commands).fold(Patience::None, |sum, command| sum.and(command.patience()))
}

/// Shows each command to `view`, as [`Exchange::each_command`](crate::command::Exchange) does.
pub(super) fn show(commands: &impl Sequence, view: &mut View<'_>) -> Result<()> {
    all(commands).try_for_each(|command| view(command.info(), &|to| command.write(to)))
}

impl<C: Command> Sequence for Single<C>
where
    C::Via: IsDetached,
{
    type Replies = C::Reply;
    type Results = Result<C::Reply>;

    fn count(&self) -> usize {
        1
    }

    fn get(&self, at: usize) -> Option<&dyn Untyped> {
        (at == 0).then_some(&self.0)
    }

    fn replies<'f>(
        &self,
        from: &mut impl Iterator<Item = Result<Reply<'f>>>,
    ) -> Result<Self::Replies> {
        read(&self.0, from)
    }

    fn results<'f>(&self, from: &mut impl Iterator<Item = Result<Reply<'f>>>) -> Self::Results {
        read(&self.0, from)
    }
}

impl<C: Command> Sequence for Vec<C>
where
    C::Via: IsDetached,
{
    type Replies = Vec<C::Reply>;
    type Results = Vec<Result<C::Reply>>;

    fn count(&self) -> usize {
        self.len()
    }

    #[inline]
    fn get(&self, at: usize) -> Option<&dyn Untyped> {
        let command = self.as_slice().get(at)?;
        Some(command)
    }

    fn replies<'f>(
        &self,
        from: &mut impl Iterator<Item = Result<Reply<'f>>>,
    ) -> Result<Self::Replies> {
        self.iter().map(|command| read(command, from)).collect()
    }

    fn results<'f>(&self, from: &mut impl Iterator<Item = Result<Reply<'f>>>) -> Self::Results {
        self.iter().map(|command| read(command, from)).collect()
    }
}

/// `impl Sequence for (A, B)`: each name with its place in the tuple.
macro_rules! tuples {
    ($($count:tt: $($name:ident $at:tt)+;)+) => {$(
        impl<$($name: Command),+> Sequence for ($($name,)+)
        where
            $($name::Via: IsDetached),+
        {
            type Replies = ($($name::Reply,)+);
            type Results = ($(Result<$name::Reply>,)+);

            fn count(&self) -> usize {
                $count
            }

            #[inline]
            fn get(&self, at: usize) -> Option<&dyn Untyped> {
                match at {
                    $($at => Some(&self.$at),)+
                    _ => None,
                }
            }

            fn replies<'f>(
                &self,
                from: &mut impl Iterator<Item = Result<Reply<'f>>>,
            ) -> Result<Self::Replies> {
                Ok(($(read(&self.$at, from)?,)+))
            }

            fn results<'f>(
                &self,
                from: &mut impl Iterator<Item = Result<Reply<'f>>>,
            ) -> Self::Results {
                ($(read(&self.$at, from),)+)
            }
        }
    )+};
}

tuples! {
    1: A 0;
    2: A 0 B 1;
    3: A 0 B 1 C 2;
    4: A 0 B 1 C 2 D 3;
    5: A 0 B 1 C 2 D 3 E 4;
    6: A 0 B 1 C 2 D 3 E 4 F 5;
    7: A 0 B 1 C 2 D 3 E 4 F 5 G 6;
    8: A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7;
    9: A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8;
    10: A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9;
    11: A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10;
    12: A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 L 11;
    13: A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 L 11 M 12;
    14: A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 L 11 M 12 N 13;
    15: A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 L 11 M 12 N 13 O 14;
    16: A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 L 11 M 12 N 13 O 14 P 15;
}

fn read<'f, C: Command>(
    command: &C,
    from: &mut impl Iterator<Item = Result<Reply<'f>>>,
) -> Result<C::Reply> {
    match from.next() {
        Some(Ok(reply)) => finish(command, reply),
        Some(Err(error)) => Err(named(command, error)),
        None => Err(named(command, missing(1, 0))),
    }
}
