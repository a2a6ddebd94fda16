/// `GEOSEARCH key <FROMMEMBER member | FROMLONLAT longitude latitude> <BYRADIUS radius <M | KM | FT
/// | MI> | BYBOX width height <M | KM | FT | MI>> [ASC | DESC] [COUNT count [ANY]] [WITHCOORD]
/// [WITHDIST] [WITHHASH]`
///
/// Returns the members of a geospatial index that lie within a radius, rectangle or other area.
///
/// Since 6.2.0 · O(N+log(M)), N: members in the grid-aligned box around the shape, M: members
/// inside the shape · reads only · `@geo` `@read` `@slow` · keys: word 1.
///
/// Changes by version:
/// * 7.0.0: accepts units in upper case
#[derive(Clone)]
#[must_use = "a command does nothing until it is awaited, sent or put into a pipeline"]
pub struct Geosearch<'a, X = Detached, S = (Open, Open, Open, Open, Open)> {
    via: X,
    key: Arg<'a>,
    from: GeoOrigin<'a>,
    by: GeoShape,
    order: Option<Order>,
    count: Option<Arg<'static>>,
    any: bool,
    withcoord: bool,
    withdist: bool,
    withhash: bool,
    state: PhantomData<fn() -> S>,
}

impl<'a, X> Geosearch<'a, X> {
    fn new(via: X, key: Arg<'a>, from: GeoOrigin<'a>, by: GeoShape) -> Self {
        Self {
            via,
            key,
            from,
            by,
            order: None,
            count: None,
            any: false,
            withcoord: false,
            withdist: false,
            withhash: false,
            state: PhantomData,
        }
    }
}

impl<'a, X, S> Geosearch<'a, X, S> {
    fn enter<N>(self) -> Geosearch<'a, X, N> {
        Geosearch {
            via: self.via,
            key: self.key,
            from: self.from,
            by: self.by,
            order: self.order,
            count: self.count,
            any: self.any,
            withcoord: self.withcoord,
            withdist: self.withdist,
            withhash: self.withhash,
            state: PhantomData,
        }
    }
}

impl<'a, X, A, B, C, D, E> Geosearch<'a, X, (A, B, C, D, E)> {
    /// `ASC`
    pub fn asc(self) -> Geosearch<'a, X, (Given, B, C, D, E)>
    where
        A: NotGiven,
    {
        let mut next = self.enter();
        next.order = Some(Order::Asc);
        next
    }

    /// `DESC`
    pub fn desc(self) -> Geosearch<'a, X, (Given, B, C, D, E)>
    where
        A: NotGiven,
    {
        let mut next = self.enter();
        next.order = Some(Order::Desc);
        next
    }

    /// `<ASC | DESC>`, chosen at run time; `None` leaves it out.
    pub fn order(
        self,
        order: impl Into<Option<Order>>,
    ) -> Geosearch<'a, X, (Given, B, C, D, E)>
    where
        A: NotGiven,
    {
        let mut next = self.enter();
        next.order = order.into();
        next
    }
}

impl<'a, X, A, B, C, D, E> Geosearch<'a, X, (A, B, C, D, E)> {
    /// `COUNT count [ANY]`; `None` leaves it out.
    pub fn count(
        self,
        count: impl Maybe<dyn Integer>,
    ) -> Geosearch<'a, X, (A, Given, C, D, E)>
    where
        B: NotGiven,
    {
        let mut next = self.enter();
        next.count = count.or_none();
        next
    }
}

impl<'a, X, A, C, D, E> Geosearch<'a, X, (A, Given, C, D, E)> {
    /// `ANY`
    pub fn any(mut self) -> Self {
        self.any = true;
        self
    }
}

impl<'a, X, A, B, C, D, E> Geosearch<'a, X, (A, B, C, D, E)> {
    /// `WITHCOORD`
    pub fn withcoord(self) -> Geosearch<'a, X, (A, B, Given, D, E)>
    where
        C: NotGiven,
    {
        let mut next = self.enter();
        next.withcoord = true;
        next
    }
}

impl<'a, X, A, B, C, D, E> Geosearch<'a, X, (A, B, C, D, E)> {
    /// `WITHDIST`
    pub fn withdist(self) -> Geosearch<'a, X, (A, B, C, Given, E)>
    where
        D: NotGiven,
    {
        let mut next = self.enter();
        next.withdist = true;
        next
    }
}

impl<'a, X, A, B, C, D, E> Geosearch<'a, X, (A, B, C, D, E)> {
    /// `WITHHASH`
    pub fn withhash(self) -> Geosearch<'a, X, (A, B, C, D, Given)>
    where
        E: NotGiven,
    {
        let mut next = self.enter();
        next.withhash = true;
        next
    }
}

/// The reply of [`Geosearch`], which follows from the options given: order, count, withcoord,
/// withdist, withhash.
pub trait GeosearchReply {
    /// The type of the reply.
    type Reply;

    /// Reads it.
    ///
    /// # Errors
    ///
    /// Where the reply has another form.
    fn read(reply: Reply<'_>) -> Result<Self::Reply, DecodeError>;
}

impl<A, B> GeosearchReply for (A, B, Open, Open, Open) {
    type Reply = Vec<Bytes>;

    fn read(reply: Reply<'_>) -> Result<Self::Reply, DecodeError> {
        Decode::decode(reply)
    }
}

impl<A, B> GeosearchReply for (A, B, Open, Open, Given) {
    type Reply = Vec<reply::GeoHit>;

    fn read(reply: Reply<'_>) -> Result<Self::Reply, DecodeError> {
        Decode::decode(reply)
    }
}

impl<A, B, E> GeosearchReply for (A, B, Open, Given, E) {
    type Reply = Vec<reply::GeoHit>;

    fn read(reply: Reply<'_>) -> Result<Self::Reply, DecodeError> {
        Decode::decode(reply)
    }
}

impl<A, B, D, E> GeosearchReply for (A, B, Given, D, E) {
    type Reply = Vec<reply::GeoHit>;

    fn read(reply: Reply<'_>) -> Result<Self::Reply, DecodeError> {
        Decode::decode(reply)
    }
}

impl<X: Via, S: GeosearchReply> command::Command for Geosearch<'_, X, S> {
    type Via = X;
    type Reply = S::Reply;

    fn via(&self) -> X {
        self.via
    }

    fn info(&self) -> &'static command::Info {
        &info::GEOSEARCH
    }

    fn write(&self, to: &mut Writer<'_>) {
        info::GEOSEARCH.write_name(to);
        self.key.write_key(to);
        to.part("key");
        self.from.write_words(to);
        to.part("from");
        self.by.write_words(to);
        if let Some(order) = &self.order {
            order.write_words(to);
        }
        if let Some(count) = &self.count {
            to.word(b"COUNT");
            count.write(to);
            if self.any {
                to.word(b"ANY");
            }
        }
        if self.withcoord {
            to.word(b"WITHCOORD");
        }
        if self.withdist {
            to.word(b"WITHDIST");
        }
        if self.withhash {
            to.word(b"WITHHASH");
        }
    }

    fn read(&self, reply: Reply<'_>) -> Result<Self::Reply, DecodeError> {
        S::read(reply)
    }
}

impl<X: Asynchronous<Self>, S: GeosearchReply> IntoFuture for Geosearch<'_, X, S> {
    type Output = Result<<Self as command::Command>::Reply>;
    type IntoFuture = X::Pending;

    fn into_future(self) -> Self::IntoFuture {
        self.via.execute(self)
    }
}

impl<X: Via, S: GeosearchReply> fmt::Debug for Geosearch<'_, X, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        command::debug(self, f)
    }
}

/// `GEOSEARCH key BYPOLYGON num-vertices longitude latitude [longitude latitude ...] [ASC | DESC]
/// [COUNT count [ANY]] [WITHCOORD] [WITHDIST] [WITHHASH]`
///
/// Returns the members of a geospatial index that lie within a radius, rectangle or other area.
///
/// Since Valkey 9.0.0 · O(N+log(M)), N: members in the grid-aligned box around the shape, M:
/// members inside the shape · reads only · `@geo` `@read` `@slow` · keys: word 1.
///
/// Changes by version:
/// * 7.0.0: accepts units in upper case
#[derive(Clone)]
#[must_use = "a command does nothing until it is awaited, sent or put into a pipeline"]
pub struct GeosearchBypolygon<'a, X = Detached, S = (Open, Open, Open, Open, Open)> {
    via: X,
    key: Arg<'a>,
    vertices: List<LongitudeLatitude>,
    order: Option<Order>,
    count: Option<Arg<'static>>,
    any: bool,
    withcoord: bool,
    withdist: bool,
    withhash: bool,
    state: PhantomData<fn() -> S>,
}

impl<'a, X> GeosearchBypolygon<'a, X> {
    fn new(via: X, key: Arg<'a>, vertices: List<LongitudeLatitude>) -> Self {
        Self {
            via,
            key,
            vertices,
            order: None,
            count: None,
            any: false,
            withcoord: false,
            withdist: false,
            withhash: false,
            state: PhantomData,
        }
    }
}

impl<'a, X, S> GeosearchBypolygon<'a, X, S> {
    fn enter<N>(self) -> GeosearchBypolygon<'a, X, N> {
        GeosearchBypolygon {
            via: self.via,
            key: self.key,
            vertices: self.vertices,
            order: self.order,
            count: self.count,
            any: self.any,
            withcoord: self.withcoord,
            withdist: self.withdist,
            withhash: self.withhash,
            state: PhantomData,
        }
    }
}

impl<'a, X, A, B, C, D, E> GeosearchBypolygon<'a, X, (A, B, C, D, E)> {
    /// `ASC`
    pub fn asc(self) -> GeosearchBypolygon<'a, X, (Given, B, C, D, E)>
    where
        A: NotGiven,
    {
        let mut next = self.enter();
        next.order = Some(Order::Asc);
        next
    }

    /// `DESC`
    pub fn desc(self) -> GeosearchBypolygon<'a, X, (Given, B, C, D, E)>
    where
        A: NotGiven,
    {
        let mut next = self.enter();
        next.order = Some(Order::Desc);
        next
    }

    /// `<ASC | DESC>`, chosen at run time; `None` leaves it out.
    pub fn order(
        self,
        order: impl Into<Option<Order>>,
    ) -> GeosearchBypolygon<'a, X, (Given, B, C, D, E)>
    where
        A: NotGiven,
    {
        let mut next = self.enter();
        next.order = order.into();
        next
    }
}

impl<'a, X, A, B, C, D, E> GeosearchBypolygon<'a, X, (A, B, C, D, E)> {
    /// `COUNT count [ANY]`; `None` leaves it out.
    pub fn count(
        self,
        count: impl Maybe<dyn Integer>,
    ) -> GeosearchBypolygon<'a, X, (A, Given, C, D, E)>
    where
        B: NotGiven,
    {
        let mut next = self.enter();
        next.count = count.or_none();
        next
    }
}

impl<'a, X, A, C, D, E> GeosearchBypolygon<'a, X, (A, Given, C, D, E)> {
    /// `ANY`
    pub fn any(mut self) -> Self {
        self.any = true;
        self
    }
}

impl<'a, X, A, B, C, D, E> GeosearchBypolygon<'a, X, (A, B, C, D, E)> {
    /// `WITHCOORD`
    pub fn withcoord(self) -> GeosearchBypolygon<'a, X, (A, B, Given, D, E)>
    where
        C: NotGiven,
    {
        let mut next = self.enter();
        next.withcoord = true;
        next
    }
}

impl<'a, X, A, B, C, D, E> GeosearchBypolygon<'a, X, (A, B, C, D, E)> {
    /// `WITHDIST`
    pub fn withdist(self) -> GeosearchBypolygon<'a, X, (A, B, C, Given, E)>
    where
        D: NotGiven,
    {
        let mut next = self.enter();
        next.withdist = true;
        next
    }
}

impl<'a, X, A, B, C, D, E> GeosearchBypolygon<'a, X, (A, B, C, D, E)> {
    /// `WITHHASH`
    pub fn withhash(self) -> GeosearchBypolygon<'a, X, (A, B, C, D, Given)>
    where
        E: NotGiven,
    {
        let mut next = self.enter();
        next.withhash = true;
        next
    }
}

/// The reply of [`GeosearchBypolygon`], which follows from the options given: order, count,
/// withcoord, withdist, withhash.
pub trait GeosearchBypolygonReply {
    /// The type of the reply.
    type Reply;

    /// Reads it.
    ///
    /// # Errors
    ///
    /// Where the reply has another form.
    fn read(reply: Reply<'_>) -> Result<Self::Reply, DecodeError>;
}

impl<A, B> GeosearchBypolygonReply for (A, B, Open, Open, Open) {
    type Reply = Vec<Bytes>;

    fn read(reply: Reply<'_>) -> Result<Self::Reply, DecodeError> {
        Decode::decode(reply)
    }
}

impl<A, B> GeosearchBypolygonReply for (A, B, Open, Open, Given) {
    type Reply = Vec<reply::GeoHit>;

    fn read(reply: Reply<'_>) -> Result<Self::Reply, DecodeError> {
        Decode::decode(reply)
    }
}

impl<A, B, E> GeosearchBypolygonReply for (A, B, Open, Given, E) {
    type Reply = Vec<reply::GeoHit>;

    fn read(reply: Reply<'_>) -> Result<Self::Reply, DecodeError> {
        Decode::decode(reply)
    }
}

impl<A, B, D, E> GeosearchBypolygonReply for (A, B, Given, D, E) {
    type Reply = Vec<reply::GeoHit>;

    fn read(reply: Reply<'_>) -> Result<Self::Reply, DecodeError> {
        Decode::decode(reply)
    }
}

impl<X: Via, S: GeosearchBypolygonReply> command::Command

for GeosearchBypolygon<'_, X, S> {
    type Via = X;
    type Reply = S::Reply;
    fn via(&self) -> X {
        self.via
    }
    fn info(&self) -> &'static command::Info {
        &info::GEOSEARCH
    }
    fn write(&self, to: &mut Writer<'_>) {
        info::GEOSEARCH.write_name(to);
        self.key.write_key(to);
        to.part("key");
        to.word(b"BYPOLYGON");
        self.vertices.require("vertice", to);
        to.unsigned(self.vertices.len() as u64);
        for item in &self.vertices {
            item.write_words(to);
        }
        if let Some(order) = &self.order {
            order.write_words(to);
        }
        if let Some(count) = &self.count {
            to.word(b"COUNT");
            count.write(to);
            if self.any {
                to.word(b"ANY");
            }
        }
        if self.withcoord {
            to.word(b"WITHCOORD");
        }
        if self.withdist {
            to.word(b"WITHDIST");
        }
        if self.withhash {
            to.word(b"WITHHASH");
        }
    }
    fn read(&self, reply: Reply<'_>) -> Result<Self::Reply, DecodeError> {
        S::read(reply)
    }
    fn needs(&self) -> Needs {
        let mut needs = Needs::of(self.info());
        needs.add("geosearch_bypolygon", Some("9.0.0"), Some(Provider::Valkey));
        needs
    }
}

impl<X: Asynchronous<Self>, S: GeosearchBypolygonReply> IntoFuture

for GeosearchBypolygon<'_, X, S> {
    type Output = Result<<Self as command::Command>::Reply>;
    type IntoFuture = X::Pending;
    fn into_future(self) -> Self::IntoFuture {
        self.via.execute(self)
    }
}

impl<X: Via, S: GeosearchBypolygonReply> fmt::Debug for GeosearchBypolygon<'_, X, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        command::debug(self, f)
    }
}

/// A unit of distance: feet, kilometres, metres, miles.
///
/// An argument of `GEODIST`, `GEORADIUS`, `GEORADIUSBYMEMBER` and 4 more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DistanceUnit {
    /// `M`
    M,
    /// `KM`
    Km,
    /// `FT`
    Ft,
    /// `MI`
    Mi,
}

impl DistanceUnit {
    /// Writes the words that are sent for it.
    pub fn write_words(&self, to: &mut Writer<'_>) {
        match self {
            Self::M => to.word(b"M"),
            Self::Km => to.word(b"KM"),
            Self::Ft => to.word(b"FT"),
            Self::Mi => to.word(b"MI"),
        }
    }
}

impl Item for DistanceUnit {}

/// The centre of a geo search.
///
/// An argument of `GEOSEARCH`, `GEOSEARCHSTORE`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum GeoOrigin<'a> {
    /// `FROMMEMBER member`
    Frommember(Arg<'a>),
    /// `FROMLONLAT longitude latitude`
    Fromlonlat {
        /// The `longitude`.
        longitude: Arg<'static>,
        /// The `latitude`.
        latitude: Arg<'static>,
    },
}

impl<'a> GeoOrigin<'a> {
    /// `FROMMEMBER member`
    #[must_use]
    pub fn frommember(member: impl Into<Arg<'a>>) -> Self {
        Self::Frommember(member.into())
    }

    /// `FROMLONLAT longitude latitude`
    #[must_use]
    pub fn fromlonlat(longitude: impl Double, latitude: impl Double) -> Self {
        Self::Fromlonlat {
            longitude: longitude.into_arg(),
            latitude: latitude.into_arg(),
        }
    }

    /// Writes the words that are sent for it.
    pub fn write_words(&self, to: &mut Writer<'_>) {
        match self {
            Self::Frommember(member) => {
                to.word(b"FROMMEMBER");
                member.write(to);
            }
            Self::Fromlonlat { longitude, latitude } => {
                to.word(b"FROMLONLAT");
                longitude.write(to);
                latitude.write(to);
            }
        }
    }
}

impl Item for GeoOrigin<'_> {}

/// The area of a geo search.
///
/// An argument of `GEOSEARCH`, `GEOSEARCHSTORE`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum GeoShape {
    /// `BYRADIUS radius <M | KM | FT | MI>`
    Byradius {
        /// The `radius`.
        radius: Arg<'static>,
        /// The `unit`.
        unit: DistanceUnit,
    },
    /// `BYBOX width height <M | KM | FT | MI>`
    Bybox {
        /// The `width`.
        width: Arg<'static>,
        /// The `height`.
        height: Arg<'static>,
        /// The `unit`.
        unit: DistanceUnit,
    },
}

impl GeoShape {
    /// `BYRADIUS radius <M | KM | FT | MI>`
    #[must_use]
    pub fn byradius(radius: impl Double, unit: DistanceUnit) -> Self {
        Self::Byradius {
            radius: radius.into_arg(),
            unit,
        }
    }

    /// `BYBOX width height <M | KM | FT | MI>`
    #[must_use]
    pub fn bybox(width: impl Double, height: impl Double, unit: DistanceUnit) -> Self {
        Self::Bybox {
            width: width.into_arg(),
            height: height.into_arg(),
            unit,
        }
    }

    /// Writes the words that are sent for it.
    pub fn write_words(&self, to: &mut Writer<'_>) {
        match self {
            Self::Byradius { radius, unit } => {
                to.word(b"BYRADIUS");
                radius.write(to);
                unit.write_words(to);
            }
            Self::Bybox { width, height, unit } => {
                to.word(b"BYBOX");
                width.write(to);
                height.write(to);
                unit.write_words(to);
            }
        }
    }
}

impl Item for GeoShape {}

/// `longitude latitude`, a part of `GEOSEARCH`, `GEOSEARCHSTORE`.
///
/// A tuple `(longitude, latitude)` converts into it.
#[derive(Clone, Debug)]
pub struct LongitudeLatitude {
    pub(crate) longitude: Arg<'static>,
    pub(crate) latitude: Arg<'static>,
}

impl LongitudeLatitude {
    /// `longitude latitude`
    #[must_use]
    pub fn new(longitude: impl Double, latitude: impl Double) -> Self {
        Self {
            longitude: longitude.into_arg(),
            latitude: latitude.into_arg(),
        }
    }

    /// Writes the words that are sent for it.
    pub fn write_words(&self, to: &mut Writer<'_>) {
        self.longitude.write(to);
        self.latitude.write(to);
    }
}

impl Item for LongitudeLatitude {}

impl<A, B> From<(A, B)> for LongitudeLatitude
where
    A: Double,
    B: Double,
{
    fn from((longitude, latitude): (A, B)) -> Self {
        Self::new(longitude, latitude)
    }
}

impl<'b, A, B> From<&'b (A, B)> for LongitudeLatitude
where
    &'b A: Double,
    &'b B: Double,
{
    fn from((longitude, latitude): &'b (A, B)) -> Self {
        Self::new(longitude, latitude)
    }
}

/// Which end of the order comes first.
///
/// An argument of `CLUSTER SLOT-STATS`, `FT.AGGREGATE`, `FT.HYBRID` and 9 more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Order {
    /// `ASC`
    Asc,
    /// `DESC`
    Desc,
}

impl Order {
    /// Writes the words that are sent for it.
    pub fn write_words(&self, to: &mut Writer<'_>) {
        match self {
            Self::Asc => to.word(b"ASC"),
            Self::Desc => to.word(b"DESC"),
        }
    }
}

impl Item for Order {}

/// The geo commands as methods; every client has them.
pub trait GeoCommands: Commands {
    /// `GEOSEARCH key <FROMMEMBER member | FROMLONLAT longitude latitude> <BYRADIUS radius <M | KM
    /// | FT | MI> | BYBOX width height <M | KM | FT | MI>> [ASC | DESC] [COUNT count [ANY]]
    /// [WITHCOORD] [WITHDIST] [WITHHASH]`
    ///
    /// Returns the members of a geospatial index that lie within a radius, rectangle or other area.
    /// See [`Geosearch`].
    fn geosearch<'a>(
        &self,
        key: impl Into<Arg<'a>>,
        from: impl Into<GeoOrigin<'a>>,
        by: impl Into<GeoShape>,
    ) -> Geosearch<'a, &Self> {
        Geosearch::new(self, key.into(), from.into(), by.into())
    }

    /// `GEOSEARCH key BYPOLYGON num-vertices longitude latitude [longitude latitude ...] [ASC |
    /// DESC] [COUNT count [ANY]] [WITHCOORD] [WITHDIST] [WITHHASH]`
    ///
    /// Returns the members of a geospatial index that lie within a radius, rectangle or other area.
    /// See [`GeosearchBypolygon`].
    fn geosearch_bypolygon<'a, M>(
        &self,
        key: impl Into<Arg<'a>>,
        vertices: impl IntoList<LongitudeLatitude, M>,
    ) -> GeosearchBypolygon<'a, &Self> {
        GeosearchBypolygon::new(self, key.into(), vertices.into_list())
    }
}

impl<T: Commands + ?Sized> GeoCommands for T {}

/// The geo commands as values that belong to no client yet.
pub(crate) mod cmd {
    use super::*;
    use crate::command::{Arg, Detached, IntoList};

    /// `GEOSEARCH key <FROMMEMBER member | FROMLONLAT longitude latitude> <BYRADIUS radius <M | KM
    /// | FT | MI> | BYBOX width height <M | KM | FT | MI>> [ASC | DESC] [COUNT count [ANY]]
    /// [WITHCOORD] [WITHDIST] [WITHHASH]`
    ///
    /// Returns the members of a geospatial index that lie within a radius, rectangle or other area.
    /// See [`Geosearch`].
    pub fn geosearch<'a>(
        key: impl Into<Arg<'a>>,
        from: impl Into<GeoOrigin<'a>>,
        by: impl Into<GeoShape>,
    ) -> Geosearch<'a> {
        Geosearch::new(Detached, key.into(), from.into(), by.into())
    }

    /// `GEOSEARCH key BYPOLYGON num-vertices longitude latitude [longitude latitude ...] [ASC |
    /// DESC] [COUNT count [ANY]] [WITHCOORD] [WITHDIST] [WITHHASH]`
    ///
    /// Returns the members of a geospatial index that lie within a radius, rectangle or other area.
    /// See [`GeosearchBypolygon`].
    pub fn geosearch_bypolygon<'a, M>(
        key: impl Into<Arg<'a>>,
        vertices: impl IntoList<LongitudeLatitude, M>,
    ) -> GeosearchBypolygon<'a> {
        GeosearchBypolygon::new(Detached, key.into(), vertices.into_list())
    }
}
