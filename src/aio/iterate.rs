//! Scans from their beginning to their end.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
    vec,
};

use tokio::time;

use super::{
    client::{Client, Target},
    cluster::Cluster,
    pending::{Carrier, Pending},
    server::Server,
};
use crate::{
    cluster::{self, Coverage},
    command::{Command, Routing, Single},
    error::{Error, Result},
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
    Everywhere(Box<Everywhere>),
    End,
}

/// A scan over all nodes of a cluster.
struct Everywhere {
    cluster: Arc<Cluster>,
    coverage: Coverage,
    /// The node of the pass that is under way, and the cursor there.
    pass: Option<(Arc<Server>, u64)>,
    /// The topology was asked for since a pass came to its end.
    fresh: bool,
    /// Since when there was nothing but trouble.
    failing: Option<Instant>,
}

impl<'c, F, C, T> Iterate<'c, F, T>
where
    F: FnMut(u64) -> C,
    C: Command<Reply = ScanPage<Vec<T>>>,
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

    /// The next item; `None` at the end.
    ///
    /// After an error it goes on from where it was, if it is asked again.
    pub async fn next(&mut self) -> Option<Result<T>> {
        loop {
            if let Some(item) = self.items.next() {
                return Some(Ok(item));
            }
            let page = match &mut self.position {
                Position::Start => {
                    self.position = self.beginning();
                    continue;
                }
                Position::At(cursor) => match self.client.send((self.page)(*cursor)).await {
                    Ok(page) => {
                        if page.cursor == 0 {
                            self.position = Position::End;
                        } else {
                            *cursor = page.cursor;
                        }
                        page.items
                    }
                    Err(error) => return Some(Err(error)),
                },
                Position::Everywhere(everywhere) => match everywhere.page(&mut self.page).await {
                    Ok(Some(items)) => items,
                    Ok(None) => {
                        self.position = Position::End;
                        Vec::new()
                    }
                    Err(error) => return Some(Err(error)),
                },
                Position::End => return None,
            };
            self.items = page.into_iter();
        }
    }

    fn beginning(&mut self) -> Position {
        match self.client.target() {
            // Without a key it is a matter of each node.
            Target::Cluster(cluster) if (self.page)(0).info().routing == Routing::OneNode => {
                Position::Everywhere(Box::new(Everywhere {
                    cluster: Arc::clone(cluster),
                    coverage: Coverage::new(),
                    pass: None,
                    fresh: false,
                    failing: None,
                }))
            }
            _ => Position::At(0),
        }
    }
}

impl Everywhere {
    /// The next page; `None` says that every slot was seen.
    async fn page<C, T>(&mut self, page: &mut impl FnMut(u64) -> C) -> Result<Option<Vec<T>>>
    where
        C: Command<Reply = ScanPage<Vec<T>>>,
        T: Scanned,
    {
        loop {
            let Some((server, cursor)) = &mut self.pass else {
                if !self.begin().await? {
                    return Ok(None);
                }
                continue;
            };
            let command = Single(page(*cursor));
            let found = match Pending::new(Carrier::Server(server), command).await {
                Ok(found) => found,
                Err(error) => {
                    // Its successor knows nothing of the cursor.
                    self.pass = None;
                    self.coverage.abandon();
                    self.endure(error)?;
                    continue;
                }
            };
            self.failing = None;
            *cursor = found.cursor;
            let mut items = found.items;
            items.retain(|item| item.key().is_none_or(|key| self.coverage.is_new(key)));
            let owners = self.cluster.owners();
            if found.cursor == 0 {
                self.pass = None;
                self.fresh = false;
                self.coverage.end(&owners);
            } else {
                self.coverage.check(&owners);
            }
            return Ok(Some(items));
        }
    }

    /// Begins with the next node; `false` says that every slot was seen where it is now.
    async fn begin(&mut self) -> Result<bool> {
        if self.failing.is_some() {
            self.ask().await?;
        }
        loop {
            self.cluster.ready(self.deadline()).await?;
            if let Some(id) = self.coverage.begin(&self.cluster.owners()) {
                let server = self.cluster.server_of(id);
                self.pass = server.map(|server| (server, 0));
                return Ok(true);
            }
            if self.fresh {
                return Ok(false);
            }
            self.ask().await?;
        }
    }

    /// Learns who has which slot now.
    async fn ask(&mut self) -> Result<()> {
        self.cluster.refresh(self.deadline()).await?;
        self.fresh = true;
        Ok(())
    }

    /// Lets trouble with a node pass that may be over soon.
    fn endure(&mut self, error: Error) -> Result<()> {
        let passing = error.is_connection()
            || error.is_timeout()
            || error
                .server_message()
                .is_some_and(|text| !cluster::is_answer(text.as_bytes()));
        let since = *self.failing.get_or_insert_with(now);
        if !passing || now().saturating_duration_since(since) >= self.patience() {
            self.failing = None;
            return Err(error);
        }
        Ok(())
    }

    fn deadline(&self) -> Option<Instant> {
        now().checked_add(self.patience())
    }

    fn patience(&self) -> Duration {
        let config = self.cluster.config();
        config.response_timeout.unwrap_or(config.connect_timeout)
    }
}

impl<F, T> fmt::Debug for Iterate<'_, F, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.position {
            Position::Start => "a scan that has not begun",
            Position::At(_) | Position::Everywhere(_) => "a scan",
            Position::End => "a scan at its end",
        })
    }
}

fn now() -> Instant {
    time::Instant::now().into_std()
}
