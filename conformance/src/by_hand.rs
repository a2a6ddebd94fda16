//! Sample calls of commands with arguments that are written by hand, and some that need values no
//! rule can spell.

use respec::{
    cmd,
    command::Provider,
    commands::search::{
        DistanceMetric, Field, Flat, IndexAll, IndexDataType, QueryType, QueryWords, RadiusType,
        Reducer, SortKey, VectorAlgorithm, VectorCompression, VectorType,
    },
};

use crate::{
    catalogue::{Filling, Need},
    data::NO_TEXT,
};

pub(crate) const COMMANDS: &[fn(&mut Filling)] = &[
    payloads, limits, polygons, full, channels, indexes, schemas, searches, steps, hybrids, texts,
];

/// What servers have dumped: that of version 7.0 is read by newer ones as well.
fn payloads(to: &mut Filling) {
    const TEN: &[u8] = b"\x00\xc0\n\n\x00n\x9fWE\x0e\xaec\xbb";
    const LIBRARY: &[u8] = b"\xf5@F#!lua name=dumped\n\
        redis.register_function('h',function() return 1 end)\n\
        \x00\x9e\xece:\xea0\x99\x1f";
    const BLOOM: &[u8] = b"\x01\0\0\0\0\0\0\0\x01\0\0\0\x05\0\0\0\x02\0\0\0\x10\0\0\0\0\0\0\0\
        \x80\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0{\x14\xaeG\xe1zt?\xe9\x86/\xb25\x0e&@\
        \x08\0\0\0\n\0\0\0\0\0\0\0\0";
    const CUCKOO: &[u8] = b"\x01\0\0\0\0\0\0\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
        \x01\0\0\0\0\0\0\0\x02\0\x14\0\x01\0";
    to.add("payload", &[], cmd::bf_loadchunk("bloom:new", 1, BLOOM));
    to.add("payload", &[], cmd::cf_loadchunk("bloom:new", 1, CUCKOO));
    let restore = || cmd::restore("generic:new", 0, TEN);
    to.add("payload", &[], restore());
    to.add("payload/replace", &[], restore().replace());
    to.add("payload/absttl", &[], restore().absttl());
    to.add("payload/idletime", &[], restore().idletime(100));
    to.add("payload/freq", &[], restore().freq(1));
    to.add(
        "payload/replace",
        &[],
        cmd::function_restore(LIBRARY).replace(),
    );
    to.add("payload/flush", &[], cmd::function_restore(LIBRARY).flush());
}

/// Limits of ranges by lexical order, which have a form of their own.
fn limits(to: &mut Filling) {
    let range = || cmd::zrange("sorted-set:1", "[a", "(c").bylex();
    to.add("bylex/limits", &[], range());
    to.add("bylex/limits/limit", &[], range().limit(0, 1));
    let store = || cmd::zrangestore("sorted-set:to", "sorted-set:1", "-", "+").bylex();
    to.add("bylex/limits", &[], store());
    to.add("bylex/limits/limit", &[], store().limit(0, 1));
}

/// Filters that have no room, which say so in as many ways as there are commands.
fn full(to: &mut Filling) {
    let items = || ["item1", "item5", "item6"];
    to.add("full", &[], cmd::bf_add("bloom:full", "item5"));
    to.add("full", &[], cmd::bf_madd("bloom:full", items()));
    to.add("full", &[], cmd::bf_insert("bloom:full", items()));
    to.add("full", &[], cmd::cf_add("bloom:full", "item5"));
    to.add("full", &[], cmd::cf_addnx("bloom:full", "item5"));
    to.add("full", &[], cmd::cf_insert("bloom:full", items()));
    to.add("full", &[], cmd::cf_insertnx("bloom:full", items()));
}

/// Channels that a subscriber listens to, among them one whose name is no text.
fn channels(to: &mut Filling) {
    let names = || [&b"channel"[..], NO_TEXT, b"nobody"];
    to.add("channels", &[], cmd::pubsub_numsub().channel(names()));
    let shards = cmd::pubsub_shardnumsub().shardchannel(names());
    to.add("channels", &[], shards);
}

/// Areas with as many vertices as they need.
fn polygons(to: &mut Filling) {
    let needs = [Need::new(Some("9.0.0"), Some(Provider::Valkey))];
    let triangle = [(12, 36), (16, 36), (16, 39)];
    let search = cmd::geosearch_bypolygon(to.text("key", "geo:1"), triangle);
    to.add("polygon", &needs, search.clone());
    to.add("polygon/all", &needs, search.asc().count(5).withdist());
    let store = cmd::geosearchstore_bypolygon("geo:to", to.text("source", "geo:1"), triangle);
    to.add("polygon", &needs, store.clone());
    to.add("polygon/storedist", &needs, store.storedist());
}

/// The calls of two commands that are the same but for their names, each of which has a grammar; and an
/// index that they succeed with.
macro_rules! create {
    ($to:ident, $create:path, $index:literal) => {
        let create = || $create($index, Field::text("title"));
        $to.add("minimal", &[], create());
        $to.add("hash", &[], create().on(IndexDataType::Hash));
        let json = create().on(IndexDataType::Json).prefix("json:");
        $to.add("json", &[], json);
        $to.add("indexall/enable", &[], create().indexall(IndexAll::Enable));
        let disable = create().indexall(IndexAll::Disable);
        $to.add("indexall/disable", &[], disable);
        $to.add("prefix", &[], create().prefix(["doc:", "book:"]));
        $to.add("stopwords", &[], create().stopwords(["the", "a"]));
        $to.add("no stopwords", &[], create().stopwords([""; 0]));
        $to.add("temporary", &[], create().temporary(60));
        $to.add("language", &[], create().language("german").score(0.5));
        $to.add(
            "all",
            &[],
            create()
                .filter("@n > 1")
                .language_field("l")
                .score_field("s")
                .payload_field("p")
                .maxtextfields()
                .nooffsets()
                .nohl()
                .nofields()
                .nofreqs()
                .skipinitialscan(),
        );
    };
}

macro_rules! alter {
    ($to:ident, $alter:path) => {
        let alter = || $alter("idx", Field::tag("more"));
        $to.add("minimal", &[], alter());
        $to.add("skipinitialscan", &[], alter().skipinitialscan());
    };
}

fn indexes(to: &mut Filling) {
    create!(to, cmd::ft_create, "new");
    create!(to, cmd::ft_createifnx, "idx");
    alter!(to, cmd::ft_alter);
    alter!(to, cmd::ft_alterifnx);
}

/// Every type of field with each of its options.
fn schemas(to: &mut Filling) {
    let fields = [("field", fields()), ("newer", newer_fields())];
    for (label, nth, field) in fields.iter().flat_map(|(label, fields)| {
        fields
            .iter()
            .enumerate()
            .map(move |(nth, field)| (label, nth, field))
    }) {
        let label = format!("{label} {nth}");
        to.add(&label, &[], cmd::ft_create("new", field.clone()));
        to.add(&label, &[], cmd::ft_createifnx("new", field.clone()));
        to.add(&label, &[], cmd::ft_alter("idx", field.clone()));
        to.add(&label, &[], cmd::ft_alterifnx("idx", field.clone()));
    }
    let several = || {
        (
            Field::text("t").weight(2).nostem().sortable(),
            Field::tag("g").separator(';').casesensitive(),
            Field::numeric("m").sortable().noindex(),
            Field::geo("p"),
            Field::geoshape("s").flat(),
            Field::vector("v", vector()),
        )
    };
    to.add("fields", &[], cmd::ft_create("new", several()));
    to.add("fields", &[], cmd::ft_createifnx("new", several()));
}

fn vector() -> Flat {
    VectorAlgorithm::flat(VectorType::Float32, 2, DistanceMetric::L2)
}

fn fields() -> Vec<Field<'static>> {
    let hnsw = VectorAlgorithm::hnsw(VectorType::Float64, 2, DistanceMetric::L2)
        .initial_cap(10)
        .m(4)
        .ef_construction(10)
        .ef_runtime(10)
        .epsilon(0.1);
    let mut fields = vec![
        Field::text("t").into(),
        Field::text("t").alias("other").nostem().into(),
        Field::text("t").weight(2).sortable().into(),
        Field::text("t").phonetic("dm:en").sortable().unf().into(),
        Field::text("t").withsuffixtrie().into(),
        Field::text("t").indexempty().indexmissing().into(),
        Field::text("t").sortable().noindex().into(),
        Field::tag("g").into(),
        Field::tag("g").separator(';').casesensitive().into(),
        Field::tag("g").withsuffixtrie().indexempty().into(),
        Field::numeric("m").sortable().noindex().into(),
        Field::geo("p").into(),
        Field::geoshape("s").into(),
        Field::geoshape("s").flat().into(),
        Field::geoshape("s").spherical().into(),
        Field::vector("v", vector().initial_cap(10).block_size(10)).into(),
        Field::vector("v", hnsw).into(),
    ];
    for (ty, metric) in VECTORS {
        fields.push(Field::vector("v", VectorAlgorithm::flat(ty, 2, metric)).into());
        fields.push(Field::vector("v", VectorAlgorithm::hnsw(ty, 2, metric)).into());
    }
    fields
}

/// Every type and every metric.
const VECTORS: [(VectorType, DistanceMetric); 4] = [
    (VectorType::Float32, DistanceMetric::L2),
    (VectorType::Float64, DistanceMetric::Ip),
    (VectorType::Float16, DistanceMetric::Cosine),
    (VectorType::Bfloat16, DistanceMetric::L2),
];
const NEWER_VECTORS: [(VectorType, DistanceMetric); 2] = [
    (VectorType::Int8, DistanceMetric::Ip),
    (VectorType::Uint8, DistanceMetric::Cosine),
];

/// What search 2.10 does not have yet.
fn newer_fields() -> Vec<Field<'static>> {
    let svs = || VectorAlgorithm::svs_vamana(VectorType::Float32, 2, DistanceMetric::L2);
    let all = svs()
        .construction_window_size(10)
        .graph_max_degree(4)
        .search_window_size(10)
        .epsilon(0.1)
        .training_threshold(2048)
        .reduce(1);
    let mut algorithms = vec![all.into()];
    for (ty, metric) in NEWER_VECTORS {
        algorithms.push(VectorAlgorithm::flat(ty, 2, metric).into());
        algorithms.push(VectorAlgorithm::hnsw(ty, 2, metric).into());
    }
    for (ty, metric) in VECTORS.into_iter().chain(NEWER_VECTORS) {
        algorithms.push(VectorAlgorithm::svs_vamana(ty, 2, metric).into());
    }
    for compression in [
        VectorCompression::Lvq8,
        VectorCompression::Lvq4,
        VectorCompression::Lvq4x4,
        VectorCompression::Lvq4x8,
        VectorCompression::LeanVec4x8,
        VectorCompression::LeanVec8x8,
    ] {
        algorithms.push(svs().compression(compression).into());
    }
    algorithms
        .into_iter()
        .map(|algorithm: VectorAlgorithm| Field::vector("v", algorithm).into())
        .collect()
}

/// Queries that use what their options give, and lists that are empty.
fn searches(to: &mut Filling) {
    let search = || cmd::ft_search("idx", "hello");
    let bounds = search().filter([("n", "-inf", "(9")]);
    to.add("bounds", &[], bounds);
    let near = ("place", 13, 38, 100, RadiusType::Km);
    to.add("place", &[], cmd::ft_search("idx", "*").geofilter(near));
    to.add("return nothing", &[], search().r#return([""; 0]));
    let explained = search().withscores().explainscore();
    to.add("explained", &[], explained);
    let asked = cmd::ft_search("idx", "@tag:{$x}").params([("x", "y"), ("z", "y")]);
    to.add("asked", &[], asked.dialect(2));
    to.add("search", &[], cmd::ft_profile(search()));
    to.add("limited", &[], cmd::ft_profile(search()).limited());
    let words = QueryWords::new(QueryType::Search, "idx", ["hello"]);
    to.add("words", &[], cmd::ft_profile(words));
}

/// The steps of a pipeline, several times and in several orders.
fn steps(to: &mut Filling) {
    let aggregate = || cmd::ft_aggregate("idx", "hello");
    let asked = cmd::ft_aggregate("idx", "@tag:{$x}").params([("x", "y"), ("z", "y")]);
    to.add("asked", &[], asked.dialect(2));
    to.add("aggregate", &[], cmd::ft_profile(aggregate()));
    let counted = || aggregate().groupby("@tag", Reducer::count().alias("count"));
    to.add("groupby twice", &[], counted().groupby("@count", NONE));
    let pair = aggregate().groupby(["@tag", "@title"], [Reducer::count(), Reducer::sum("@n")]);
    to.add("groupby two", &[], pair);
    to.add(
        "groupby none",
        &[],
        aggregate().groupby([""; 0], Reducer::count()),
    );
    let keys = [SortKey::new("@tag").desc(), SortKey::new("@count").asc()];
    to.add("sortby two", &[], counted().sortby(keys.clone()));
    to.add("sortby two/max", &[], counted().sortby_max(keys, 2));
    let applied = || aggregate().load("@n").apply("@n + 1", "m");
    to.add("applied", &[], applied().filter("@m > 1").limit(0, 1));
    to.add("apply twice", &[], applied().apply("@m + 1", "o"));
    let late = applied().limit(0, 2).sortby("@m").filter("@m > 1");
    to.add("any order", &[], late.groupby("@m", NONE));
}

/// A group without a reducer.
const NONE: [Reducer<'static>; 0] = [];

fn hybrids(to: &mut Filling) {
    let hybrid = || cmd::ft_hybrid("idx", "hello", ("@v", "$x"));
    let counted = || hybrid().groupby("@tag", Reducer::count().alias("count"));
    to.add("groupby twice", &[], counted().groupby("@count", NONE));
    to.add(
        "groupby none",
        &[],
        hybrid().groupby([""; 0], Reducer::count()),
    );
    let applied = hybrid().apply("@n + 1", "m").apply("@m + 1", "o");
    to.add("apply twice", &[], applied.filter("@m > 1"));
    to.add("hybrid", &[], cmd::ft_profile(hybrid()));
}

/// Texts in all places that commands with arguments written by hand have for them.
fn texts(to: &mut Filling) {
    to.add(
        "texts",
        &[],
        cmd::ft_create(
            to.text("index", "new"),
            Field::text(to.text("field", "title")).alias(to.text("alias", "t")),
        )
        .prefix([to.text("prefix", "doc:")])
        .filter(to.text("filter", "@t == 'a'"))
        .stopwords([to.text("stopword", "the")]),
    );
    to.add(
        "texts",
        &[],
        cmd::ft_createifnx(to.text("index", "new"), Field::tag(to.text("field", "tag"))),
    );
    to.add(
        "texts",
        &[],
        cmd::ft_alter(
            to.text("index", "idx"),
            Field::tag(to.text("field", "more")),
        ),
    );
    to.add(
        "texts",
        &[],
        cmd::ft_alterifnx(
            to.text("index", "idx"),
            Field::tag(to.text("field", "more")),
        ),
    );
    to.add(
        "texts",
        &[],
        cmd::ft_profile(cmd::ft_search(
            to.text("index", "idx"),
            to.text("query", "hello"),
        )),
    );
}
