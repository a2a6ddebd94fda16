//! Scans from their beginning to their end.

use std::{fmt, sync::Arc, time::Instant, vec};

use super::{
    client::{Client, Target},
    cluster::Cluster,
    nodes::Nodes,
};
use crate::{
    call::{CallOptions, ClusterScan, ScanStep},
    cluster::gone,
    command::{Command, IsDetached, Single},
    error::Result,
    reply::{ScanPage, Scanned},
};

/// What a scan returns, page by page; made by [`Client::iterate`].
pub struct Iterate<'c, F, T> {
    client: &'c Client,
    page: F,
    /// What is left of the last page.
    items: vec::IntoIter<T>,
    position: Position,
}

/// Where the next page comes from.
enum Position {
    Start,
    /// Wherever the command goes, from this cursor on.
    At(u64),
    /// From all nodes of a cluster.
    ClusterIteration(Box<ClusterIteration>),
    End,
}

/// A scan over all nodes of a cluster.
struct ClusterIteration {
    cluster: Arc<Cluster>,
    scan: ClusterScan,
}

impl<'c, F, C, T> Iterate<'c, F, T>
where
    F: FnMut(u64) -> C,
    C: Command<Via: IsDetached, Reply = ScanPage<Vec<T>>>,
    T: Scanned,
{
    pub(super) fn new(client: &'c Client, page: F) -> Self {
        Self {
            client,
            page,
            items: Vec::new().into_iter(),
            position: Position::Start,
        }
    }

    /// The next page; `None` at the end.
    fn page(&mut self) -> Result<Option<Vec<T>>> {
        if let Position::Start = self.position {
            self.position = self.beginning();
        }
        let page = match &mut self.position {
            Position::At(cursor) => {
                let page = self.client.send((self.page)(*cursor))?;
                *cursor = page.cursor;
                if page.cursor == 0 {
                    self.position = Position::End;
                }
                Some(page.items)
            }
            Position::ClusterIteration(iteration) => {
                iteration.page(&mut self.page, self.client.options())?
            }
            Position::Start | Position::End => None,
        };
        if page.is_none() {
            self.position = Position::End;
        }
        Ok(page)
    }

    fn beginning(&mut self) -> Position {
        if !self.client.options().names_node()
            && let Target::Cluster(cluster) = self.client.target()
            && let Some(scan) = ClusterScan::of((self.page)(0).info(), cluster.config())
        {
            let cluster = Arc::clone(cluster);
            return Position::ClusterIteration(Box::new(ClusterIteration { cluster, scan }));
        }
        Position::At(0)
    }
}

impl<F, C, T> Iterator for Iterate<'_, F, T>
where
    F: FnMut(u64) -> C,
    C: Command<Via: IsDetached, Reply = ScanPage<Vec<T>>>,
    T: Scanned,
{
    type Item = Result<T>;

    /// The next item; `None` at the end.
    ///
    /// After an error it goes on from where it was, if it is asked again.
    fn next(&mut self) -> Option<Result<T>> {
        loop {
            if let Some(item) = self.items.next() {
                return Some(Ok(item));
            }
            match self.page() {
                Ok(page) => self.items = page?.into_iter(),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

impl ClusterIteration {
    /// The next page; `None` says that every slot was seen.
    fn page<C, T>(
        &mut self,
        page: &mut impl FnMut(u64) -> C,
        options: &CallOptions,
    ) -> Result<Option<Vec<T>>>
    where
        C: Command<Via: IsDetached, Reply = ScanPage<Vec<T>>>,
        T: Scanned,
    {
        let Self { cluster, scan } = self;
        loop {
            cluster.ready(scan.deadline(Instant::now()))?;
            let found = match scan.next(|| cluster.owners()) {
                ScanStep::End => return Ok(None),
                ScanStep::Refresh => {
                    cluster.refresh(scan.deadline(Instant::now()))?;
                    scan.refreshed();
                    continue;
                }
                ScanStep::Page(node, cursor) => match cluster.server_of(node) {
                    Some(server) => {
                        let command = page(cursor);
                        let name = command.info().name;
                        let found = Nodes::One(&server).call(&Single(command), options);
                        found.map_err(|error| error.with_command(name))
                    }
                    None => Err(gone()),
                },
            };
            match found {
                Ok(ScanPage { cursor, mut items }) => {
                    scan.page(cursor, &mut items, &cluster.owners());
                    return Ok(Some(items));
                }
                Err(error) => scan.failed(error, Instant::now())?,
            }
        }
    }
}

impl<F, T> fmt::Debug for Iterate<'_, F, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.position {
            Position::Start => "a scan that has not begun",
            Position::At(_) | Position::ClusterIteration(_) => "a scan",
            Position::End => "a scan at its end",
        })
    }
}
