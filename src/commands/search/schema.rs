//! Schemas: the fields of an index, each kind with the options that it has.

use std::fmt;

use crate::command::{Arg, Double, Integer, Item};
use crate::error::Error;
use crate::resp::Writer;

/// A field of an index: where the value lies, how it is called in queries and how it is indexed.
///
/// The constructors return the kind that they name, which has the options of that kind and no
/// others. Every kind converts into `Field` without parameters, and into a [`Schema`].
///
/// ```
/// use respec::commands::search::{DistanceMetric, Field, VectorAlgorithm, VectorType};
///
/// let schema = (
///     Field::text("$.title").alias("title").weight(2.0).sortable(),
///     Field::tag("$.tags").alias("tags").separator('|'),
///     Field::numeric("$.price").alias("price").sortable(),
///     Field::vector(
///         "$.embedding",
///         VectorAlgorithm::hnsw(VectorType::Float32, 384, DistanceMetric::Cosine).m(16),
///     )
///     .alias("embedding"),
/// );
/// let create = respec::cmd::ft_create("books", schema);
/// ```
#[derive(Clone, Debug)]
#[must_use = "a field does nothing until it is in the schema of an index"]
pub struct Field<'a, K = AnyKind<'a>> {
    name: Arg<'a>,
    alias: Option<Arg<'a>>,
    kind: K,
    indexmissing: bool,
    sortable: Option<Sortable>,
    noindex: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sortable {
    Normalized,
    Unnormalized,
}

impl<'a> Field<'a> {
    /// `name TEXT`: text that is searched by its words.
    pub fn text(name: impl Into<Arg<'a>>) -> Field<'a, Text<'a>> {
        Field::of(name, Text::default())
    }

    /// `name TAG`: labels that are matched as a whole.
    pub fn tag(name: impl Into<Arg<'a>>) -> Field<'a, Tag> {
        Field::of(name, Tag::default())
    }

    /// `name NUMERIC`: numbers that are searched by range.
    pub fn numeric(name: impl Into<Arg<'a>>) -> Field<'a, Numeric> {
        Field::of(name, Numeric)
    }

    /// `name GEO`: points, as `longitude,latitude`, that are searched by distance.
    pub fn geo(name: impl Into<Arg<'a>>) -> Field<'a, Geo> {
        Field::of(name, Geo)
    }

    /// `name GEOSHAPE`: points and polygons in well-known text.
    pub fn geoshape(name: impl Into<Arg<'a>>) -> Field<'a, Geoshape> {
        Field::of(name, Geoshape::default())
    }

    /// `name VECTOR algorithm count attributes`: vectors that are searched by likeness.
    pub fn vector(
        name: impl Into<Arg<'a>>,
        algorithm: impl Into<VectorAlgorithm>,
    ) -> Field<'a, Vector> {
        Field::of(
            name,
            Vector {
                algorithm: algorithm.into(),
            },
        )
    }
}

impl<'a, K> Field<'a, K> {
    fn of(name: impl Into<Arg<'a>>, kind: K) -> Self {
        Self {
            name: name.into(),
            alias: None,
            kind,
            indexmissing: false,
            sortable: None,
            noindex: false,
        }
    }

    /// `AS alias`: the name of the field in queries and results.
    pub fn alias(mut self, alias: impl Into<Arg<'a>>) -> Self {
        self.alias = Some(alias.into());
        self
    }

    /// `INDEXMISSING`: documents without the field are found by `ismissing(@field)`.
    pub fn indexmissing(mut self) -> Self {
        self.indexmissing = true;
        self
    }
}

impl<K: SortableKind> Field<'_, K> {
    /// `SORTABLE`: results can be sorted by the field quickly, at the cost of memory.
    pub fn sortable(mut self) -> Self {
        self.sortable.get_or_insert(Sortable::Normalized);
        self
    }

    /// `SORTABLE UNF`: sortable by the value as it is, not in lower case or without diacritics.
    pub fn unf(mut self) -> Self {
        self.sortable = Some(Sortable::Unnormalized);
        self
    }

    /// `NOINDEX`: the field is not searched; together with `SORTABLE` it can be sorted by.
    pub fn noindex(mut self) -> Self {
        self.noindex = true;
        self
    }
}

impl<'a> Field<'a, Text<'a>> {
    /// `WEIGHT weight`: how much the field counts in scores; 1 if not given.
    pub fn weight(mut self, weight: impl Double) -> Self {
        self.kind.weight = Some(weight.into_arg());
        self
    }

    /// `NOSTEM`: words are not reduced to their stems.
    pub fn nostem(mut self) -> Self {
        self.kind.nostem = true;
        self
    }

    /// `PHONETIC matcher`: words that sound alike are found too; `dm:en` for English.
    pub fn phonetic(mut self, matcher: impl Into<Arg<'a>>) -> Self {
        self.kind.phonetic = Some(matcher.into());
        self
    }

    /// `WITHSUFFIXTRIE`: makes queries for parts and ends of words fast.
    pub fn withsuffixtrie(mut self) -> Self {
        self.kind.withsuffixtrie = true;
        self
    }

    /// `INDEXEMPTY`: empty values can be searched for.
    pub fn indexempty(mut self) -> Self {
        self.kind.indexempty = true;
        self
    }
}

impl Field<'_, Tag> {
    /// `SEPARATOR separator`: what stands between the tags of a hash field; a comma if not given.
    ///
    /// The server takes one byte, so an ASCII character.
    pub fn separator(mut self, separator: char) -> Self {
        self.kind.separator = Some(separator);
        self
    }

    /// `CASESENSITIVE`: tags are kept in the case that they have.
    pub fn casesensitive(mut self) -> Self {
        self.kind.casesensitive = true;
        self
    }

    /// `WITHSUFFIXTRIE`: makes queries for parts and ends of tags fast.
    pub fn withsuffixtrie(mut self) -> Self {
        self.kind.withsuffixtrie = true;
        self
    }

    /// `INDEXEMPTY`: empty values can be searched for.
    pub fn indexempty(mut self) -> Self {
        self.kind.indexempty = true;
        self
    }
}

impl Field<'_, Geoshape> {
    /// `FLAT`: coordinates are those of a plane.
    pub fn flat(mut self) -> Self {
        self.kind.system = Some(CoordinateSystem::Flat);
        self
    }

    /// `SPHERICAL`: coordinates are longitude and latitude; the default.
    pub fn spherical(mut self) -> Self {
        self.kind.system = Some(CoordinateSystem::Spherical);
        self
    }
}

impl Field<'_> {
    pub(super) fn write_words(&self, to: &mut Writer<'_>) {
        self.name.write(to);
        if let Some(alias) = &self.alias {
            to.word(b"AS");
            alias.write(to);
        }
        match &self.kind.0 {
            Kind::Text(kind) => kind.write_words(to),
            Kind::Tag(kind) => kind.write_words(to),
            Kind::Numeric => to.word(b"NUMERIC"),
            Kind::Geo => to.word(b"GEO"),
            Kind::Geoshape(kind) => kind.write_words(to),
            Kind::Vector(kind) => kind.write_words(to),
        }
        if self.indexmissing {
            to.word(b"INDEXMISSING");
        }
        if let Some(sortable) = self.sortable {
            to.word(b"SORTABLE");
            if sortable == Sortable::Unnormalized {
                to.word(b"UNF");
            }
        }
        if self.noindex {
            to.word(b"NOINDEX");
        }
    }
}

impl<'a, K: FieldKind<'a>> From<Field<'a, K>> for Field<'a> {
    fn from(field: Field<'a, K>) -> Self {
        Self {
            name: field.name,
            alias: field.alias,
            kind: field.kind.into_any(),
            indexmissing: field.indexmissing,
            sortable: field.sortable,
            noindex: field.noindex,
        }
    }
}

impl<K> Item for Field<'_, K> {}

/// The fields of an index.
///
/// One field, a tuple of up to sixteen fields of any kinds, or an array, a `Vec` or an iterator's
/// `collect` of fields converts into it.
#[derive(Clone, Debug, Default)]
pub struct Schema<'a>(Vec<Field<'a>>);

impl<'a> Schema<'a> {
    /// A schema without fields yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same schema with one more field.
    #[must_use]
    pub fn field(mut self, field: impl Into<Field<'a>>) -> Self {
        self.0.push(field.into());
        self
    }

    /// Writes the words that are sent for it.
    pub(super) fn write_words(&self, to: &mut Writer<'_>) {
        if self.0.is_empty() {
            to.fail(Error::argument(
                "expected at least one field, got an empty schema",
            ));
        }
        for field in &self.0 {
            field.write_words(to);
        }
    }
}

impl<'a, F: Into<Field<'a>>> From<F> for Schema<'a> {
    fn from(field: F) -> Self {
        Self(vec![field.into()])
    }
}

impl<'a, F: Into<Field<'a>>> From<Vec<F>> for Schema<'a> {
    fn from(fields: Vec<F>) -> Self {
        fields.into_iter().collect()
    }
}

impl<'a, F: Into<Field<'a>>, const N: usize> From<[F; N]> for Schema<'a> {
    fn from(fields: [F; N]) -> Self {
        fields.into_iter().collect()
    }
}

impl<'a, F: Into<Field<'a>>> FromIterator<F> for Schema<'a> {
    fn from_iter<I: IntoIterator<Item = F>>(fields: I) -> Self {
        Self(fields.into_iter().map(Into::into).collect())
    }
}

/// Fields of different kinds have different types, so that only a tuple can hold them as they are.
macro_rules! from_tuples {
    ($($($name:ident)+;)+) => {$(
        impl<'a, $($name: Into<Field<'a>>),+> From<($($name,)+)> for Schema<'a> {
            #[expect(non_snake_case, reason = "a variable is named as its type is")]
            fn from(($($name,)+): ($($name,)+)) -> Self {
                Self(vec![$($name.into()),+])
            }
        }
    )+};
}

from_tuples! {
    A;
    A B;
    A B C;
    A B C D;
    A B C D E;
    A B C D E F;
    A B C D E F G;
    A B C D E F G H;
    A B C D E F G H I;
    A B C D E F G H I J;
    A B C D E F G H I J K;
    A B C D E F G H I J K L;
    A B C D E F G H I J K L M;
    A B C D E F G H I J K L M N;
    A B C D E F G H I J K L M N O;
    A B C D E F G H I J K L M N O P;
}

/// The kind of a field whose kind is not known by type.
#[derive(Clone, Debug)]
pub struct AnyKind<'a>(Kind<'a>);

#[derive(Clone, Debug)]
enum Kind<'a> {
    Text(Text<'a>),
    Tag(Tag),
    Numeric,
    Geo,
    Geoshape(Geoshape),
    /// Much larger than the others.
    Vector(Box<Vector>),
}

/// A kind of field that has the options of [`Field::text`] and its like.
///
/// It is sealed: the kinds are those of the server.
pub trait FieldKind<'a>: fmt::Debug + sealed::Sealed {
    /// The same kind, not known by type any longer.
    fn into_any(self) -> AnyKind<'a>;
}

/// A kind of field whose values have an order.
pub trait SortableKind: sealed::Sealed {}

/// `TEXT`, the kind of [`Field::text`].
#[derive(Clone, Debug, Default)]
pub struct Text<'a> {
    weight: Option<Arg<'static>>,
    nostem: bool,
    phonetic: Option<Arg<'a>>,
    withsuffixtrie: bool,
    indexempty: bool,
}

impl Text<'_> {
    fn write_words(&self, to: &mut Writer<'_>) {
        to.word(b"TEXT");
        if self.nostem {
            to.word(b"NOSTEM");
        }
        if let Some(weight) = &self.weight {
            to.word(b"WEIGHT");
            weight.write(to);
        }
        if let Some(phonetic) = &self.phonetic {
            to.word(b"PHONETIC");
            phonetic.write(to);
        }
        if self.withsuffixtrie {
            to.word(b"WITHSUFFIXTRIE");
        }
        if self.indexempty {
            to.word(b"INDEXEMPTY");
        }
    }
}

/// `TAG`, the kind of [`Field::tag`].
#[derive(Clone, Debug, Default)]
pub struct Tag {
    separator: Option<char>,
    casesensitive: bool,
    withsuffixtrie: bool,
    indexempty: bool,
}

impl Tag {
    fn write_words(&self, to: &mut Writer<'_>) {
        to.word(b"TAG");
        if let Some(separator) = self.separator {
            to.word(b"SEPARATOR");
            to.word(separator.encode_utf8(&mut [0; 4]).as_bytes());
        }
        if self.casesensitive {
            to.word(b"CASESENSITIVE");
        }
        if self.withsuffixtrie {
            to.word(b"WITHSUFFIXTRIE");
        }
        if self.indexempty {
            to.word(b"INDEXEMPTY");
        }
    }
}

/// `NUMERIC`, the kind of [`Field::numeric`].
#[derive(Clone, Copy, Debug)]
pub struct Numeric;

/// `GEO`, the kind of [`Field::geo`].
#[derive(Clone, Copy, Debug)]
pub struct Geo;

/// `GEOSHAPE`, the kind of [`Field::geoshape`].
#[derive(Clone, Debug, Default)]
pub struct Geoshape {
    system: Option<CoordinateSystem>,
}

#[derive(Clone, Copy, Debug)]
enum CoordinateSystem {
    Flat,
    Spherical,
}

impl Geoshape {
    fn write_words(&self, to: &mut Writer<'_>) {
        to.word(b"GEOSHAPE");
        match self.system {
            Some(CoordinateSystem::Flat) => to.word(b"FLAT"),
            Some(CoordinateSystem::Spherical) => to.word(b"SPHERICAL"),
            None => {}
        }
    }
}

/// `VECTOR`, the kind of [`Field::vector`].
#[derive(Clone, Debug)]
pub struct Vector {
    algorithm: VectorAlgorithm,
}

impl Vector {
    fn write_words(&self, to: &mut Writer<'_>) {
        to.word(b"VECTOR");
        self.algorithm.write_words(to);
    }
}

impl<'a> FieldKind<'a> for Text<'a> {
    fn into_any(self) -> AnyKind<'a> {
        AnyKind(Kind::Text(self))
    }
}

impl<'a> FieldKind<'a> for Tag {
    fn into_any(self) -> AnyKind<'a> {
        AnyKind(Kind::Tag(self))
    }
}

impl<'a> FieldKind<'a> for Numeric {
    fn into_any(self) -> AnyKind<'a> {
        AnyKind(Kind::Numeric)
    }
}

impl<'a> FieldKind<'a> for Geo {
    fn into_any(self) -> AnyKind<'a> {
        AnyKind(Kind::Geo)
    }
}

impl<'a> FieldKind<'a> for Geoshape {
    fn into_any(self) -> AnyKind<'a> {
        AnyKind(Kind::Geoshape(self))
    }
}

impl<'a> FieldKind<'a> for Vector {
    fn into_any(self) -> AnyKind<'a> {
        AnyKind(Kind::Vector(Box::new(self)))
    }
}

impl SortableKind for Text<'_> {}
impl SortableKind for Tag {}
impl SortableKind for Numeric {}
impl SortableKind for Geo {}

mod sealed {
    /// Keeps the kinds of fields those of the server.
    pub trait Sealed {}

    impl Sealed for super::Text<'_> {}
    impl Sealed for super::Tag {}
    impl Sealed for super::Numeric {}
    impl Sealed for super::Geo {}
    impl Sealed for super::Geoshape {}
    impl Sealed for super::Vector {}
}

/// How vectors are indexed: `FLAT`, `HNSW` or `SVS-VAMANA` with their attributes.
#[derive(Clone, Debug)]
#[must_use = "an algorithm does nothing until a field of vectors has it"]
pub struct VectorAlgorithm(Algorithm);

#[derive(Clone, Debug)]
enum Algorithm {
    Flat(Flat),
    Hnsw(Hnsw),
    SvsVamana(SvsVamana),
}

impl VectorAlgorithm {
    /// `FLAT`: compares with every vector, exact.
    pub fn flat(ty: VectorType, dim: impl Integer, metric: DistanceMetric) -> Flat {
        Flat {
            vectors: Vectors::new(ty, dim, metric),
            initial_cap: None,
            block_size: None,
        }
    }

    /// `HNSW`: walks a graph of neighbours, fast and nearly exact.
    pub fn hnsw(ty: VectorType, dim: impl Integer, metric: DistanceMetric) -> Hnsw {
        Hnsw {
            vectors: Vectors::new(ty, dim, metric),
            initial_cap: None,
            m: None,
            ef_construction: None,
            ef_runtime: None,
            epsilon: None,
        }
    }

    /// `SVS-VAMANA`: a graph over vectors that may be compressed, since Redis 8.2.
    pub fn svs_vamana(ty: VectorType, dim: impl Integer, metric: DistanceMetric) -> SvsVamana {
        SvsVamana {
            vectors: Vectors::new(ty, dim, metric),
            compression: None,
            construction_window_size: None,
            graph_max_degree: None,
            search_window_size: None,
            epsilon: None,
            training_threshold: None,
            reduce: None,
        }
    }

    fn write_words(&self, to: &mut Writer<'_>) {
        match &self.0 {
            Algorithm::Flat(algorithm) => algorithm.write_words(to),
            Algorithm::Hnsw(algorithm) => algorithm.write_words(to),
            Algorithm::SvsVamana(algorithm) => algorithm.write_words(to),
        }
    }
}

impl From<Flat> for VectorAlgorithm {
    fn from(algorithm: Flat) -> Self {
        Self(Algorithm::Flat(algorithm))
    }
}

impl From<Hnsw> for VectorAlgorithm {
    fn from(algorithm: Hnsw) -> Self {
        Self(Algorithm::Hnsw(algorithm))
    }
}

impl From<SvsVamana> for VectorAlgorithm {
    fn from(algorithm: SvsVamana) -> Self {
        Self(Algorithm::SvsVamana(algorithm))
    }
}

/// The type of a vector's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum VectorType {
    /// `FLOAT32`
    Float32,
    /// `FLOAT64`
    Float64,
    /// `FLOAT16`
    Float16,
    /// `BFLOAT16`
    Bfloat16,
    /// `INT8`
    Int8,
    /// `UINT8`
    Uint8,
}

impl VectorType {
    fn name(self) -> &'static str {
        match self {
            Self::Float32 => "FLOAT32",
            Self::Float64 => "FLOAT64",
            Self::Float16 => "FLOAT16",
            Self::Bfloat16 => "BFLOAT16",
            Self::Int8 => "INT8",
            Self::Uint8 => "UINT8",
        }
    }
}

/// How the distance of two vectors is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DistanceMetric {
    /// `L2`: the Euclidean distance.
    L2,
    /// `IP`: the inner product.
    Ip,
    /// `COSINE`: the cosine of the angle.
    Cosine,
}

impl DistanceMetric {
    fn name(self) -> &'static str {
        match self {
            Self::L2 => "L2",
            Self::Ip => "IP",
            Self::Cosine => "COSINE",
        }
    }
}

/// What every algorithm has to know of the vectors.
#[derive(Clone, Debug)]
struct Vectors {
    ty: VectorType,
    dim: Arg<'static>,
    metric: DistanceMetric,
}

impl Vectors {
    fn new(ty: VectorType, dim: impl Integer, metric: DistanceMetric) -> Self {
        Self {
            ty,
            dim: dim.into_arg(),
            metric,
        }
    }

    /// Writes the algorithm, the count of words that follow, and all attributes.
    fn write_words(
        &self,
        algorithm: &[u8],
        attributes: &[(&[u8], &Option<Arg<'static>>)],
        to: &mut Writer<'_>,
    ) {
        let given = attributes
            .iter()
            .filter(|(_, value)| value.is_some())
            .count();
        to.word(algorithm);
        to.unsigned((3 + given as u64) * 2);
        to.word(b"TYPE");
        to.word(self.ty.name().as_bytes());
        to.word(b"DIM");
        self.dim.write(to);
        to.word(b"DISTANCE_METRIC");
        to.word(self.metric.name().as_bytes());
        for (name, value) in attributes {
            if let Some(value) = value {
                to.word(name);
                value.write(to);
            }
        }
    }
}

/// `FLAT`, made by [`VectorAlgorithm::flat`].
#[derive(Clone, Debug)]
#[must_use = "an algorithm does nothing until a field of vectors has it"]
pub struct Flat {
    vectors: Vectors,
    initial_cap: Option<Arg<'static>>,
    block_size: Option<Arg<'static>>,
}

impl Flat {
    /// `INITIAL_CAP vectors`: for how many vectors room is made at first.
    pub fn initial_cap(mut self, vectors: impl Integer) -> Self {
        self.initial_cap = Some(vectors.into_arg());
        self
    }

    /// `BLOCK_SIZE vectors`: how many vectors lie together in memory.
    pub fn block_size(mut self, vectors: impl Integer) -> Self {
        self.block_size = Some(vectors.into_arg());
        self
    }

    fn write_words(&self, to: &mut Writer<'_>) {
        let attributes: [(&[u8], _); 2] = [
            (b"INITIAL_CAP", &self.initial_cap),
            (b"BLOCK_SIZE", &self.block_size),
        ];
        self.vectors.write_words(b"FLAT", &attributes, to);
    }
}

/// `HNSW`, made by [`VectorAlgorithm::hnsw`].
#[derive(Clone, Debug)]
#[must_use = "an algorithm does nothing until a field of vectors has it"]
pub struct Hnsw {
    vectors: Vectors,
    initial_cap: Option<Arg<'static>>,
    m: Option<Arg<'static>>,
    ef_construction: Option<Arg<'static>>,
    ef_runtime: Option<Arg<'static>>,
    epsilon: Option<Arg<'static>>,
}

impl Hnsw {
    /// `INITIAL_CAP vectors`: for how many vectors room is made at first.
    pub fn initial_cap(mut self, vectors: impl Integer) -> Self {
        self.initial_cap = Some(vectors.into_arg());
        self
    }

    /// `M edges`: how many neighbours a vector has in each layer.
    pub fn m(mut self, edges: impl Integer) -> Self {
        self.m = Some(edges.into_arg());
        self
    }

    /// `EF_CONSTRUCTION candidates`: how many neighbours are looked at to add a vector.
    pub fn ef_construction(mut self, candidates: impl Integer) -> Self {
        self.ef_construction = Some(candidates.into_arg());
        self
    }

    /// `EF_RUNTIME candidates`: how many neighbours are looked at to answer a query.
    pub fn ef_runtime(mut self, candidates: impl Integer) -> Self {
        self.ef_runtime = Some(candidates.into_arg());
        self
    }

    /// `EPSILON factor`: how far beyond its radius a range query looks.
    pub fn epsilon(mut self, factor: impl Double) -> Self {
        self.epsilon = Some(factor.into_arg());
        self
    }

    fn write_words(&self, to: &mut Writer<'_>) {
        let attributes: [(&[u8], _); 5] = [
            (b"INITIAL_CAP", &self.initial_cap),
            (b"M", &self.m),
            (b"EF_CONSTRUCTION", &self.ef_construction),
            (b"EF_RUNTIME", &self.ef_runtime),
            (b"EPSILON", &self.epsilon),
        ];
        self.vectors.write_words(b"HNSW", &attributes, to);
    }
}

/// `SVS-VAMANA`, made by [`VectorAlgorithm::svs_vamana`].
#[derive(Clone, Debug)]
#[must_use = "an algorithm does nothing until a field of vectors has it"]
pub struct SvsVamana {
    vectors: Vectors,
    compression: Option<Arg<'static>>,
    construction_window_size: Option<Arg<'static>>,
    graph_max_degree: Option<Arg<'static>>,
    search_window_size: Option<Arg<'static>>,
    epsilon: Option<Arg<'static>>,
    training_threshold: Option<Arg<'static>>,
    reduce: Option<Arg<'static>>,
}

impl SvsVamana {
    /// `COMPRESSION compression`: how vectors are compressed.
    pub fn compression(mut self, compression: VectorCompression) -> Self {
        self.compression = Some(compression.name().into());
        self
    }

    /// `CONSTRUCTION_WINDOW_SIZE candidates`: how many neighbours are looked at to add a vector.
    pub fn construction_window_size(mut self, candidates: impl Integer) -> Self {
        self.construction_window_size = Some(candidates.into_arg());
        self
    }

    /// `GRAPH_MAX_DEGREE edges`: how many neighbours a vector has at most.
    pub fn graph_max_degree(mut self, edges: impl Integer) -> Self {
        self.graph_max_degree = Some(edges.into_arg());
        self
    }

    /// `SEARCH_WINDOW_SIZE candidates`: how many neighbours are looked at to answer a query.
    pub fn search_window_size(mut self, candidates: impl Integer) -> Self {
        self.search_window_size = Some(candidates.into_arg());
        self
    }

    /// `EPSILON factor`: how far beyond its radius a range query looks.
    pub fn epsilon(mut self, factor: impl Double) -> Self {
        self.epsilon = Some(factor.into_arg());
        self
    }

    /// `TRAINING_THRESHOLD vectors`: after how many vectors compression is learnt.
    pub fn training_threshold(mut self, vectors: impl Integer) -> Self {
        self.training_threshold = Some(vectors.into_arg());
        self
    }

    /// `REDUCE dim`: to how many dimensions the compressions named `LeanVec` go down.
    pub fn reduce(mut self, dim: impl Integer) -> Self {
        self.reduce = Some(dim.into_arg());
        self
    }

    fn write_words(&self, to: &mut Writer<'_>) {
        let attributes: [(&[u8], _); 7] = [
            (b"COMPRESSION", &self.compression),
            (b"CONSTRUCTION_WINDOW_SIZE", &self.construction_window_size),
            (b"GRAPH_MAX_DEGREE", &self.graph_max_degree),
            (b"SEARCH_WINDOW_SIZE", &self.search_window_size),
            (b"EPSILON", &self.epsilon),
            (b"TRAINING_THRESHOLD", &self.training_threshold),
            (b"REDUCE", &self.reduce),
        ];
        self.vectors.write_words(b"SVS-VAMANA", &attributes, to);
    }
}

/// How [`SvsVamana`] compresses vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum VectorCompression {
    /// `LVQ8`
    Lvq8,
    /// `LVQ4`
    Lvq4,
    /// `LVQ4x4`
    Lvq4x4,
    /// `LVQ4x8`
    Lvq4x8,
    /// `LeanVec4x8`
    LeanVec4x8,
    /// `LeanVec8x8`
    LeanVec8x8,
}

impl VectorCompression {
    fn name(self) -> &'static str {
        match self {
            Self::Lvq8 => "LVQ8",
            Self::Lvq4 => "LVQ4",
            Self::Lvq4x4 => "LVQ4x4",
            Self::Lvq4x8 => "LVQ4x8",
            Self::LeanVec4x8 => "LeanVec4x8",
            Self::LeanVec8x8 => "LeanVec8x8",
        }
    }
}
