/// `CLIENT KILL <ID client-id | TYPE <NORMAL | MASTER | PRIMARY | SLAVE | REPLICA | PUBSUB> | USER
/// username | ADDR addr | LADDR laddr | SKIPME <YES | NO> | MAXAGE maxage | NAME name | IDLE idle |
/// FLAGS flags | LIB-NAME lib-name | LIB-VER lib-ver | DB db | CAPA capa | IP ip | NOT-TYPE <NORMAL
/// | MASTER | PRIMARY | SLAVE | REPLICA | PUBSUB> | NOT-ID not-client-id [not-client-id ...] |
/// NOT-USER not-username | NOT-ADDR not-addr | NOT-LADDR not-laddr | NOT-NAME not-name | NOT-FLAGS
/// not-flags | NOT-LIB-NAME not-lib-name | NOT-LIB-VER not-lib-ver | NOT-DB not-db | NOT-CAPA
/// not-capa | NOT-IP not-ip> [<ID client-id | TYPE <NORMAL | MASTER | PRIMARY | SLAVE | REPLICA |
/// PUBSUB> | USER username | ADDR addr | LADDR laddr | SKIPME <YES | NO> | MAXAGE maxage | NAME
/// name | IDLE idle | FLAGS flags | LIB-NAME lib-name | LIB-VER lib-ver | DB db | CAPA capa | IP ip
/// | NOT-TYPE <NORMAL | MASTER | PRIMARY | SLAVE | REPLICA | PUBSUB> | NOT-ID not-client-id
/// [not-client-id ...] | NOT-USER not-username | NOT-ADDR not-addr | NOT-LADDR not-laddr | NOT-NAME
/// not-name | NOT-FLAGS not-flags | NOT-LIB-NAME not-lib-name | NOT-LIB-VER not-lib-ver | NOT-DB
/// not-db | NOT-CAPA not-capa | NOT-IP not-ip> ...]`
///
/// Closes the client connections that match an address or a set of filters.
///
/// In a cluster it is sent to the node that the caller names.
///
/// Since 2.4.0 · O(N), N: client connections · `@admin` `@connection` `@dangerous` `@slow` · no
/// keys.
///
/// Changes by version:
/// * 2.8.12: takes filters as name and value
/// * 2.8.12: adds `ID`
/// * 3.2.0: adds `master` to the choices of `TYPE`
/// * 5.0.0: renames `TYPE` choice `slave` to `replica`; the old name still works
/// * 6.2.0: adds `LADDR`
/// * 7.4.0: adds `MAXAGE`
#[derive(Clone)]
#[must_use = "a command does nothing until it is awaited, sent or put into a pipeline"]
pub struct ClientKill<'a, X = Detached> {
    via: X,
    filter: List<ClientKillFilter<'a>>,
}

impl<'a, X> ClientKill<'a, X> {
    fn new(via: X, filter: List<ClientKillFilter<'a>>) -> Self {
        Self { via, filter }
    }
}

impl<X: Via> command::Command for ClientKill<'_, X> {
    type Via = X;
    type Reply = u64;

    fn via(&self) -> X {
        self.via
    }

    fn info(&self) -> &'static command::Info {
        &info::CLIENT_KILL
    }

    fn write(&self, to: &mut Writer<'_>) {
        info::CLIENT_KILL.write_name(to);
        self.filter.require("filter", to);
        for item in &self.filter {
            item.write_words(to);
        }
    }

    fn read(&self, reply: Reply<'_>) -> Result<Self::Reply, DecodeError> {
        Decode::decode(reply)
    }

    fn needs(&self) -> Needs {
        let mut needs = Needs::of(self.info());
        for item in &self.filter {
            item.needs(&mut needs);
        }
        needs
    }
}

impl<X: Asynchronous<Self>> IntoFuture for ClientKill<'_, X> {
    type Output = Result<<Self as command::Command>::Reply>;
    type IntoFuture = X::Pending;

    fn into_future(self) -> Self::IntoFuture {
        self.via.execute(self)
    }
}

impl<X: Via> fmt::Debug for ClientKill<'_, X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        command::debug(self, f)
    }
}

/// One of the alternatives that `CLIENT KILL` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ClientKillClientType {
    /// `NORMAL`
    Normal,
    /// `MASTER`, since 3.2.0
    Master,
    /// `PRIMARY`, Valkey only, since 8.0.0
    Primary,
    /// `SLAVE`
    Slave,
    /// `REPLICA`, since 5.0.0
    Replica,
    /// `PUBSUB`
    Pubsub,
}

impl ClientKillClientType {
    /// Writes the words that are sent for it.
    pub fn write_words(&self, to: &mut Writer<'_>) {
        match self {
            Self::Normal => to.word(b"NORMAL"),
            Self::Master => to.word(b"MASTER"),
            Self::Primary => to.word(b"PRIMARY"),
            Self::Slave => to.word(b"SLAVE"),
            Self::Replica => to.word(b"REPLICA"),
            Self::Pubsub => to.word(b"PUBSUB"),
        }
    }

    /// Adds what a server needs for it.
    pub fn needs(&self, needs: &mut Needs) {
        match self {
            Self::Master => needs.add("MASTER", Some("3.2.0"), None),
            Self::Primary => needs.add("PRIMARY", Some("8.0.0"), Some(Provider::Valkey)),
            Self::Replica => needs.add("REPLICA", Some("5.0.0"), None),
            _ => {}
        }
    }
}

impl Item for ClientKillClientType {}

/// One of the alternatives that `CLIENT KILL` takes.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ClientKillFilter<'a> {
    /// `ID client-id`, since 2.8.12
    Id(Arg<'static>),
    /// `TYPE <NORMAL | MASTER | PRIMARY | SLAVE | REPLICA | PUBSUB>`, since 2.8.12
    Type(ClientKillClientType),
    /// `USER username`
    User(Arg<'a>),
    /// `ADDR addr`
    Addr(Arg<'a>),
    /// `LADDR laddr`, since 6.2.0
    Laddr(Arg<'a>),
    /// `SKIPME <YES | NO>`
    Skipme(YesNo),
    /// `MAXAGE maxage`, since 7.4.0
    Maxage(Arg<'static>),
    /// `NAME name`, Valkey only, since 9.0.0
    Name(Arg<'a>),
    /// `IDLE idle`, Valkey only, since 9.0.0
    Idle(Arg<'static>),
    /// `FLAGS flags`, Valkey only, since 9.0.0
    Flags(Arg<'a>),
    /// `LIB-NAME lib-name`, Valkey only, since 9.0.0
    LibName(Arg<'a>),
    /// `LIB-VER lib-ver`, Valkey only, since 9.0.0
    LibVer(Arg<'a>),
    /// `DB db`, Valkey only, since 9.0.0
    Db(Arg<'static>),
    /// `CAPA capa`, Valkey only, since 9.0.0
    Capa(Arg<'a>),
    /// `IP ip`, Valkey only, since 9.0.0
    Ip(Arg<'a>),
    /// `NOT-TYPE <NORMAL | MASTER | PRIMARY | SLAVE | REPLICA | PUBSUB>`, Valkey only, since 9.0.0
    NotType(ClientKillClientType),
    /// `NOT-ID not-client-id [not-client-id ...]`, Valkey only, since 9.0.0
    NotId(List<IntegerArg>),
    /// `NOT-USER not-username`, Valkey only, since 9.0.0
    NotUser(Arg<'a>),
    /// `NOT-ADDR not-addr`, Valkey only, since 9.0.0
    NotAddr(Arg<'a>),
    /// `NOT-LADDR not-laddr`, Valkey only, since 9.0.0
    NotLaddr(Arg<'a>),
    /// `NOT-NAME not-name`, Valkey only, since 9.0.0
    NotName(Arg<'a>),
    /// `NOT-FLAGS not-flags`, Valkey only, since 9.0.0
    NotFlags(Arg<'a>),
    /// `NOT-LIB-NAME not-lib-name`, Valkey only, since 9.0.0
    NotLibName(Arg<'a>),
    /// `NOT-LIB-VER not-lib-ver`, Valkey only, since 9.0.0
    NotLibVer(Arg<'a>),
    /// `NOT-DB not-db`, Valkey only, since 9.0.0
    NotDb(Arg<'static>),
    /// `NOT-CAPA not-capa`, Valkey only, since 9.0.0
    NotCapa(Arg<'a>),
    /// `NOT-IP not-ip`, Valkey only, since 9.0.0
    NotIp(Arg<'a>),
}

impl<'a> ClientKillFilter<'a> {
    /// `ID client-id`, since 2.8.12
    #[must_use]
    pub fn id(client_id: impl Integer) -> Self {
        Self::Id(client_id.into_arg())
    }

    /// `TYPE <NORMAL | MASTER | PRIMARY | SLAVE | REPLICA | PUBSUB>`, since 2.8.12
    #[must_use]
    pub fn r#type(client_type: ClientKillClientType) -> Self {
        Self::Type(client_type)
    }

    /// `USER username`
    #[must_use]
    pub fn user(username: impl Into<Arg<'a>>) -> Self {
        Self::User(username.into())
    }

    /// `ADDR addr`
    #[must_use]
    pub fn addr(addr: impl Into<Arg<'a>>) -> Self {
        Self::Addr(addr.into())
    }

    /// `LADDR laddr`, since 6.2.0
    #[must_use]
    pub fn laddr(laddr: impl Into<Arg<'a>>) -> Self {
        Self::Laddr(laddr.into())
    }

    /// `SKIPME <YES | NO>`
    #[must_use]
    pub fn skipme(skipme: YesNo) -> Self {
        Self::Skipme(skipme)
    }

    /// `MAXAGE maxage`, since 7.4.0
    #[must_use]
    pub fn maxage(maxage: impl Seconds) -> Self {
        Self::Maxage(maxage.into_arg())
    }

    /// `NAME name`, Valkey only, since 9.0.0
    #[must_use]
    pub fn name(name: impl Into<Arg<'a>>) -> Self {
        Self::Name(name.into())
    }

    /// `IDLE idle`, Valkey only, since 9.0.0
    #[must_use]
    pub fn idle(idle: impl Seconds) -> Self {
        Self::Idle(idle.into_arg())
    }

    /// `FLAGS flags`, Valkey only, since 9.0.0
    #[must_use]
    pub fn flags(flags: impl Into<Arg<'a>>) -> Self {
        Self::Flags(flags.into())
    }

    /// `LIB-NAME lib-name`, Valkey only, since 9.0.0
    #[must_use]
    pub fn lib_name(lib_name: impl Into<Arg<'a>>) -> Self {
        Self::LibName(lib_name.into())
    }

    /// `LIB-VER lib-ver`, Valkey only, since 9.0.0
    #[must_use]
    pub fn lib_ver(lib_ver: impl Into<Arg<'a>>) -> Self {
        Self::LibVer(lib_ver.into())
    }

    /// `DB db`, Valkey only, since 9.0.0
    #[must_use]
    pub fn db(db: impl Integer) -> Self {
        Self::Db(db.into_arg())
    }

    /// `CAPA capa`, Valkey only, since 9.0.0
    #[must_use]
    pub fn capa(capa: impl Into<Arg<'a>>) -> Self {
        Self::Capa(capa.into())
    }

    /// `IP ip`, Valkey only, since 9.0.0
    #[must_use]
    pub fn ip(ip: impl Into<Arg<'a>>) -> Self {
        Self::Ip(ip.into())
    }

    /// `NOT-TYPE <NORMAL | MASTER | PRIMARY | SLAVE | REPLICA | PUBSUB>`, Valkey only, since 9.0.0
    #[must_use]
    pub fn not_type(not_client_type: ClientKillClientType) -> Self {
        Self::NotType(not_client_type)
    }

    /// `NOT-ID not-client-id [not-client-id ...]`, Valkey only, since 9.0.0
    #[must_use]
    pub fn not_id<M>(not_client_id: impl IntoList<IntegerArg, M>) -> Self {
        Self::NotId(not_client_id.into_list())
    }

    /// `NOT-USER not-username`, Valkey only, since 9.0.0
    #[must_use]
    pub fn not_user(not_username: impl Into<Arg<'a>>) -> Self {
        Self::NotUser(not_username.into())
    }

    /// `NOT-ADDR not-addr`, Valkey only, since 9.0.0
    #[must_use]
    pub fn not_addr(not_addr: impl Into<Arg<'a>>) -> Self {
        Self::NotAddr(not_addr.into())
    }

    /// `NOT-LADDR not-laddr`, Valkey only, since 9.0.0
    #[must_use]
    pub fn not_laddr(not_laddr: impl Into<Arg<'a>>) -> Self {
        Self::NotLaddr(not_laddr.into())
    }

    /// `NOT-NAME not-name`, Valkey only, since 9.0.0
    #[must_use]
    pub fn not_name(not_name: impl Into<Arg<'a>>) -> Self {
        Self::NotName(not_name.into())
    }

    /// `NOT-FLAGS not-flags`, Valkey only, since 9.0.0
    #[must_use]
    pub fn not_flags(not_flags: impl Into<Arg<'a>>) -> Self {
        Self::NotFlags(not_flags.into())
    }

    /// `NOT-LIB-NAME not-lib-name`, Valkey only, since 9.0.0
    #[must_use]
    pub fn not_lib_name(not_lib_name: impl Into<Arg<'a>>) -> Self {
        Self::NotLibName(not_lib_name.into())
    }

    /// `NOT-LIB-VER not-lib-ver`, Valkey only, since 9.0.0
    #[must_use]
    pub fn not_lib_ver(not_lib_ver: impl Into<Arg<'a>>) -> Self {
        Self::NotLibVer(not_lib_ver.into())
    }

    /// `NOT-DB not-db`, Valkey only, since 9.0.0
    #[must_use]
    pub fn not_db(not_db: impl Integer) -> Self {
        Self::NotDb(not_db.into_arg())
    }

    /// `NOT-CAPA not-capa`, Valkey only, since 9.0.0
    #[must_use]
    pub fn not_capa(not_capa: impl Into<Arg<'a>>) -> Self {
        Self::NotCapa(not_capa.into())
    }

    /// `NOT-IP not-ip`, Valkey only, since 9.0.0
    #[must_use]
    pub fn not_ip(not_ip: impl Into<Arg<'a>>) -> Self {
        Self::NotIp(not_ip.into())
    }

    /// Writes the words that are sent for it.
    pub fn write_words(&self, to: &mut Writer<'_>) {
        match self {
            Self::Id(client_id) => {
                to.word(b"ID");
                client_id.write(to);
            }
            Self::Type(client_type) => {
                to.word(b"TYPE");
                client_type.write_words(to);
            }
            Self::User(username) => {
                to.word(b"USER");
                username.write(to);
            }
            Self::Addr(addr) => {
                to.word(b"ADDR");
                addr.write(to);
            }
            Self::Laddr(laddr) => {
                to.word(b"LADDR");
                laddr.write(to);
            }
            Self::Skipme(skipme) => {
                to.word(b"SKIPME");
                skipme.write_words(to);
            }
            Self::Maxage(maxage) => {
                to.word(b"MAXAGE");
                maxage.write(to);
            }
            Self::Name(name) => {
                to.word(b"NAME");
                name.write(to);
            }
            Self::Idle(idle) => {
                to.word(b"IDLE");
                idle.write(to);
            }
            Self::Flags(flags) => {
                to.word(b"FLAGS");
                flags.write(to);
            }
            Self::LibName(lib_name) => {
                to.word(b"LIB-NAME");
                lib_name.write(to);
            }
            Self::LibVer(lib_ver) => {
                to.word(b"LIB-VER");
                lib_ver.write(to);
            }
            Self::Db(db) => {
                to.word(b"DB");
                db.write(to);
            }
            Self::Capa(capa) => {
                to.word(b"CAPA");
                capa.write(to);
            }
            Self::Ip(ip) => {
                to.word(b"IP");
                ip.write(to);
            }
            Self::NotType(not_client_type) => {
                to.word(b"NOT-TYPE");
                not_client_type.write_words(to);
            }
            Self::NotId(not_client_id) => {
                not_client_id.require("not-client-id", to);
                to.word(b"NOT-ID");
                for item in not_client_id {
                    item.write(to);
                }
            }
            Self::NotUser(not_username) => {
                to.word(b"NOT-USER");
                not_username.write(to);
            }
            Self::NotAddr(not_addr) => {
                to.word(b"NOT-ADDR");
                not_addr.write(to);
            }
            Self::NotLaddr(not_laddr) => {
                to.word(b"NOT-LADDR");
                not_laddr.write(to);
            }
            Self::NotName(not_name) => {
                to.word(b"NOT-NAME");
                not_name.write(to);
            }
            Self::NotFlags(not_flags) => {
                to.word(b"NOT-FLAGS");
                not_flags.write(to);
            }
            Self::NotLibName(not_lib_name) => {
                to.word(b"NOT-LIB-NAME");
                not_lib_name.write(to);
            }
            Self::NotLibVer(not_lib_ver) => {
                to.word(b"NOT-LIB-VER");
                not_lib_ver.write(to);
            }
            Self::NotDb(not_db) => {
                to.word(b"NOT-DB");
                not_db.write(to);
            }
            Self::NotCapa(not_capa) => {
                to.word(b"NOT-CAPA");
                not_capa.write(to);
            }
            Self::NotIp(not_ip) => {
                to.word(b"NOT-IP");
                not_ip.write(to);
            }
        }
    }

    /// Adds what a server needs for it.
    pub fn needs(&self, needs: &mut Needs) {
        match self {
            Self::Id(..) => needs.add("ID client-id", Some("2.8.12"), None),
            Self::Type(..) => {
                needs
                    .add(
                        "TYPE <NORMAL | MASTER | PRIMARY | SLAVE | REPLICA | PUBSUB>",
                        Some("2.8.12"),
                        None,
                    )
            }
            Self::Laddr(..) => needs.add("LADDR laddr", Some("6.2.0"), None),
            Self::Maxage(..) => needs.add("MAXAGE maxage", Some("7.4.0"), None),
            Self::Name(..) => {
                needs.add("NAME name", Some("9.0.0"), Some(Provider::Valkey))
            }
            Self::Idle(..) => {
                needs.add("IDLE idle", Some("9.0.0"), Some(Provider::Valkey))
            }
            Self::Flags(..) => {
                needs.add("FLAGS flags", Some("9.0.0"), Some(Provider::Valkey))
            }
            Self::LibName(..) => {
                needs.add("LIB-NAME lib-name", Some("9.0.0"), Some(Provider::Valkey))
            }
            Self::LibVer(..) => {
                needs.add("LIB-VER lib-ver", Some("9.0.0"), Some(Provider::Valkey))
            }
            Self::Db(..) => needs.add("DB db", Some("9.0.0"), Some(Provider::Valkey)),
            Self::Capa(..) => {
                needs.add("CAPA capa", Some("9.0.0"), Some(Provider::Valkey))
            }
            Self::Ip(..) => needs.add("IP ip", Some("9.0.0"), Some(Provider::Valkey)),
            Self::NotType(..) => {
                needs.add("not_type", Some("9.0.0"), Some(Provider::Valkey))
            }
            Self::NotId(..) => {
                needs
                    .add(
                        "NOT-ID not-client-id [not-client-id ...]",
                        Some("9.0.0"),
                        Some(Provider::Valkey),
                    )
            }
            Self::NotUser(..) => {
                needs.add("NOT-USER not-username", Some("9.0.0"), Some(Provider::Valkey))
            }
            Self::NotAddr(..) => {
                needs.add("NOT-ADDR not-addr", Some("9.0.0"), Some(Provider::Valkey))
            }
            Self::NotLaddr(..) => {
                needs.add("NOT-LADDR not-laddr", Some("9.0.0"), Some(Provider::Valkey))
            }
            Self::NotName(..) => {
                needs.add("NOT-NAME not-name", Some("9.0.0"), Some(Provider::Valkey))
            }
            Self::NotFlags(..) => {
                needs.add("NOT-FLAGS not-flags", Some("9.0.0"), Some(Provider::Valkey))
            }
            Self::NotLibName(..) => {
                needs
                    .add(
                        "NOT-LIB-NAME not-lib-name",
                        Some("9.0.0"),
                        Some(Provider::Valkey),
                    )
            }
            Self::NotLibVer(..) => {
                needs
                    .add(
                        "NOT-LIB-VER not-lib-ver",
                        Some("9.0.0"),
                        Some(Provider::Valkey),
                    )
            }
            Self::NotDb(..) => {
                needs.add("NOT-DB not-db", Some("9.0.0"), Some(Provider::Valkey))
            }
            Self::NotCapa(..) => {
                needs.add("NOT-CAPA not-capa", Some("9.0.0"), Some(Provider::Valkey))
            }
            Self::NotIp(..) => {
                needs.add("NOT-IP not-ip", Some("9.0.0"), Some(Provider::Valkey))
            }
            _ => {}
        }
        if let Self::Type(client_type) = self {
            client_type.needs(needs);
        }
        if let Self::NotType(not_client_type) = self {
            not_client_type.needs(needs);
        }
    }
}

impl Item for ClientKillFilter<'_> {}

/// Yes or no.
///
/// An argument of `CLIENT CACHING`, `CLIENT KILL`, `CLIENT LIST`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum YesNo {
    /// `YES`
    Yes,
    /// `NO`
    No,
}

impl YesNo {
    /// Writes the words that are sent for it.
    pub fn write_words(&self, to: &mut Writer<'_>) {
        match self {
            Self::Yes => to.word(b"YES"),
            Self::No => to.word(b"NO"),
        }
    }
}

impl Item for YesNo {}

/// The connection commands as methods; every client has them.
pub trait ConnectionCommands: Commands {
    /// `CLIENT KILL <ID client-id | TYPE <NORMAL | MASTER | PRIMARY | SLAVE | REPLICA | PUBSUB> |
    /// USER username | ADDR addr | LADDR laddr | SKIPME <YES | NO> | MAXAGE maxage | NAME name |
    /// IDLE idle | FLAGS flags | LIB-NAME lib-name | LIB-VER lib-ver | DB db | CAPA capa | IP ip |
    /// NOT-TYPE <NORMAL | MASTER | PRIMARY | SLAVE | REPLICA | PUBSUB> | NOT-ID not-client-id
    /// [not-client-id ...] | NOT-USER not-username | NOT-ADDR not-addr | NOT-LADDR not-laddr |
    /// NOT-NAME not-name | NOT-FLAGS not-flags | NOT-LIB-NAME not-lib-name | NOT-LIB-VER
    /// not-lib-ver | NOT-DB not-db | NOT-CAPA not-capa | NOT-IP not-ip> [<ID client-id | TYPE
    /// <NORMAL | MASTER | PRIMARY | SLAVE | REPLICA | PUBSUB> | USER username | ADDR addr | LADDR
    /// laddr | SKIPME <YES | NO> | MAXAGE maxage | NAME name | IDLE idle | FLAGS flags | LIB-NAME
    /// lib-name | LIB-VER lib-ver | DB db | CAPA capa | IP ip | NOT-TYPE <NORMAL | MASTER | PRIMARY
    /// | SLAVE | REPLICA | PUBSUB> | NOT-ID not-client-id [not-client-id ...] | NOT-USER
    /// not-username | NOT-ADDR not-addr | NOT-LADDR not-laddr | NOT-NAME not-name | NOT-FLAGS
    /// not-flags | NOT-LIB-NAME not-lib-name | NOT-LIB-VER not-lib-ver | NOT-DB not-db | NOT-CAPA
    /// not-capa | NOT-IP not-ip> ...]`
    ///
    /// Closes the client connections that match an address or a set of filters. See [`ClientKill`].
    fn client_kill<'a, M>(
        &self,
        filter: impl IntoList<ClientKillFilter<'a>, M>,
    ) -> ClientKill<'a, &Self> {
        ClientKill::new(self, filter.into_list())
    }
}

impl<T: Commands + ?Sized> ConnectionCommands for T {}

/// The connection commands as values that belong to no client yet.
pub(crate) mod cmd {
    use super::*;
    use crate::command::{Detached, IntoList};

    /// `CLIENT KILL <ID client-id | TYPE <NORMAL | MASTER | PRIMARY | SLAVE | REPLICA | PUBSUB> |
    /// USER username | ADDR addr | LADDR laddr | SKIPME <YES | NO> | MAXAGE maxage | NAME name |
    /// IDLE idle | FLAGS flags | LIB-NAME lib-name | LIB-VER lib-ver | DB db | CAPA capa | IP ip |
    /// NOT-TYPE <NORMAL | MASTER | PRIMARY | SLAVE | REPLICA | PUBSUB> | NOT-ID not-client-id
    /// [not-client-id ...] | NOT-USER not-username | NOT-ADDR not-addr | NOT-LADDR not-laddr |
    /// NOT-NAME not-name | NOT-FLAGS not-flags | NOT-LIB-NAME not-lib-name | NOT-LIB-VER
    /// not-lib-ver | NOT-DB not-db | NOT-CAPA not-capa | NOT-IP not-ip> [<ID client-id | TYPE
    /// <NORMAL | MASTER | PRIMARY | SLAVE | REPLICA | PUBSUB> | USER username | ADDR addr | LADDR
    /// laddr | SKIPME <YES | NO> | MAXAGE maxage | NAME name | IDLE idle | FLAGS flags | LIB-NAME
    /// lib-name | LIB-VER lib-ver | DB db | CAPA capa | IP ip | NOT-TYPE <NORMAL | MASTER | PRIMARY
    /// | SLAVE | REPLICA | PUBSUB> | NOT-ID not-client-id [not-client-id ...] | NOT-USER
    /// not-username | NOT-ADDR not-addr | NOT-LADDR not-laddr | NOT-NAME not-name | NOT-FLAGS
    /// not-flags | NOT-LIB-NAME not-lib-name | NOT-LIB-VER not-lib-ver | NOT-DB not-db | NOT-CAPA
    /// not-capa | NOT-IP not-ip> ...]`
    ///
    /// Closes the client connections that match an address or a set of filters. See [`ClientKill`].
    pub fn client_kill<'a, M>(
        filter: impl IntoList<ClientKillFilter<'a>, M>,
    ) -> ClientKill<'a> {
        ClientKill::new(Detached, filter.into_list())
    }
}
