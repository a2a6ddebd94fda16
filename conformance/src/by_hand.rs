//! Sample calls of the commands that are written by hand, and some that need values no rule can
//! spell.

use bytes::Bytes;
use respec::{
    cmd,
    command::Provider,
    commands::{
        search::{
            Collect, DistanceMetric, Field, Flat, FtAlter, FtCreate, FtSearch, Highlight,
            HybridCombine, HybridCursor, HybridFilter, HybridPolicy, HybridSearch, HybridSorting,
            HybridVsim, IndexAll, IndexDataType, Knn, QueryType, QueryWords, RadiusType, Reducer,
            SortKey, Summarize, VectorAlgorithm, VectorCompression, VectorRange, VectorType,
        },
        shared::Order,
    },
};

use crate::{
    catalogue::{Filling, Need},
    data::NO_TEXT,
};

pub(crate) const COMMANDS: &[fn(&mut Filling)] = &[
    payloads, limits, polygons, full, channels, indexes, schemas, searches, aggregates, steps,
    hybrids, texts,
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

type Create = fn(Bytes, Field<'static>) -> FtCreate<'static>;
type Alter = fn(Bytes, Field<'static>) -> FtAlter<'static>;

/// Commands that are the same but for their names, each of which has a grammar; and an index that they
/// succeed with.
const CREATE: [(Create, &str); 2] = [(cmd::ft_create, "new"), (cmd::ft_createifnx, "idx")];
const ALTER: [Alter; 2] = [cmd::ft_alter, cmd::ft_alterifnx];

fn indexes(to: &mut Filling) {
    for (create, index) in CREATE {
        let create = || create(index.into(), Field::text("title").into());
        to.add("minimal", &[], create());
        to.add("hash", &[], create().on(IndexDataType::Hash));
        let json = create().on(IndexDataType::Json).prefix("json:");
        to.add("json", &[], json);
        to.add("indexall/enable", &[], create().indexall(IndexAll::Enable));
        let disable = create().indexall(IndexAll::Disable);
        to.add("indexall/disable", &[], disable);
        to.add("prefix", &[], create().prefix(["doc:", "book:"]));
        to.add("stopwords", &[], create().stopwords(["the", "a"]));
        to.add("no stopwords", &[], create().stopwords([""; 0]));
        to.add("temporary", &[], create().temporary(60));
        to.add("language", &[], create().language("german").score(0.5));
        to.add(
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
    }
    for alter in ALTER {
        let alter = || alter("idx".into(), Field::tag("more").into());
        to.add("minimal", &[], alter());
        to.add("skipinitialscan", &[], alter().skipinitialscan());
    }
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
        for (create, _) in CREATE {
            to.add(&label, &[], create("new".into(), field.clone()));
        }
        for alter in ALTER {
            to.add(&label, &[], alter("idx".into(), field.clone()));
        }
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

fn searches(to: &mut Filling) {
    let search = || cmd::ft_search("idx", "hello");
    to.add("minimal", &[], search());
    to.add("nocontent", &[], search().nocontent());
    to.add("verbatim", &[], search().verbatim());
    to.add("nostopwords", &[], search().nostopwords());
    to.add("withscores", &[], search().withscores());
    to.add("withpayloads", &[], search().withpayloads());
    to.add("withsortkeys", &[], search().withsortkeys().sortby("n"));
    to.add("filter", &[], search().filter("n", 0, 5));
    let twice = search().filter("n", 0, 5).filter("n", "-inf", "(9");
    to.add("filter twice", &[], twice);
    for (unit, label) in [
        (RadiusType::M, "geofilter/m"),
        (RadiusType::Km, "geofilter/km"),
        (RadiusType::Mi, "geofilter/mi"),
        (RadiusType::Ft, "geofilter/ft"),
    ] {
        let near = cmd::ft_search("idx", "*").geofilter("place", 13, 38, 100, unit);
        to.add(label, &[], near);
    }
    let near = |search: FtSearch<'static>| search.geofilter("place", 13, 38, 100, RadiusType::Km);
    to.add("geofilter twice", &[], near(near(search())));
    to.add("inkeys", &[], search().inkeys(["doc:1", "doc:2"]));
    to.add("infields", &[], search().infields(["title", "tag"]));
    to.add("return", &[], search().r#return(["title", "tag"]));
    to.add("return/as", &[], search().r#return([("title", "t")]));
    to.add("return nothing", &[], search().r#return([""; 0]));
    to.add("summarize", &[], search().summarize(Summarize::new()));
    let summarize = Summarize::new()
        .fields(["title", "tag"])
        .frags(2)
        .len(5)
        .separator("...");
    to.add("summarize/all", &[], search().summarize(summarize));
    to.add("highlight", &[], search().highlight(Highlight::new()));
    let highlight = Highlight::new()
        .fields(["title", "tag"])
        .tags("<i>", "</i>");
    to.add("highlight/all", &[], search().highlight(highlight));
    to.add("slop", &[], search().slop(1).inorder());
    to.add("timeout", &[], search().timeout(500));
    to.add("language", &[], search().language("english"));
    to.add("expander", &[], search().expander("SBSTEM"));
    to.add("payload", &[], search().payload("p").scorer("HAMMING"));
    to.add("scorer", &[], search().scorer("TFIDF"));
    to.add("explainscore", &[], search().withscores().explainscore());
    to.add("sortby", &[], search().sortby("n"));
    to.add("sortby/asc", &[], search().sortby(("n", Order::Asc)));
    to.add("sortby/desc", &[], search().sortby(("n", Order::Desc)));
    to.add("withcount", &[], search().sortby("n").withcount());
    to.add("withoutcount", &[], search().sortby("n").withoutcount());
    to.add("limit", &[], search().limit(0, 1));
    let asked = cmd::ft_search("idx", "@tag:{$x}").params([("x", "y"), ("z", "y")]);
    to.add("params", &[], asked.dialect(2));
    to.add(
        "all",
        &[],
        search()
            .withscores()
            .withpayloads()
            .withsortkeys()
            .sortby("n")
            .limit(0, 5)
            .dialect(2),
    );
    to.add("search", &[], cmd::ft_profile(search()));
    to.add("limited", &[], cmd::ft_profile(search()).limited());
    let words = QueryWords::new(QueryType::Search, "idx", ["hello"]);
    to.add("words", &[], cmd::ft_profile(words));
}

fn aggregates(to: &mut Filling) {
    let aggregate = || cmd::ft_aggregate("idx", "hello");
    to.add("minimal", &[], aggregate());
    to.add("verbatim", &[], aggregate().verbatim());
    to.add("load", &[], aggregate().load(["@title", "@n"]));
    to.add("load/as", &[], aggregate().load([("@title", "t")]));
    to.add("loadall", &[], aggregate().loadall());
    to.add("timeout", &[], aggregate().timeout(500));
    to.add("addscores", &[], aggregate().addscores().load("@n"));
    let scored = aggregate().scorer("TFIDF").addscores().load("@n");
    to.add("scorer + addscores", &[], scored);
    to.add("withcount", &[], aggregate().withcount());
    to.add("withoutcount", &[], aggregate().withoutcount());
    let asked = cmd::ft_aggregate("idx", "@tag:{$x}").params([("x", "y"), ("z", "y")]);
    to.add("params", &[], asked.dialect(2));
    let cursor = || aggregate().load("@n").withcursor();
    to.add("withcursor", &[], cursor());
    to.add("withcursor/count", &[], cursor().count(1));
    to.add("withcursor/maxidle", &[], cursor().maxidle(1000));
    to.add("aggregate", &[], cmd::ft_profile(aggregate()));
}

/// The steps of a pipeline, each with its options, several times and in several orders.
fn steps(to: &mut Filling) {
    let aggregate = || cmd::ft_aggregate("idx", "hello");
    let counted = || aggregate().groupby("@tag", Reducer::count().alias("count"));
    to.add("groupby", &[], counted());
    to.add("groupby twice", &[], counted().groupby("@count", NONE));
    let pair = aggregate().groupby(["@tag", "@title"], [Reducer::count(), Reducer::sum("@n")]);
    to.add("groupby two", &[], pair);
    to.add(
        "groupby none",
        &[],
        aggregate().groupby([""; 0], Reducer::count()),
    );
    for (nth, reducer) in reducers().into_iter().enumerate() {
        let label = format!("reduce {nth}");
        to.add(&label, &[], aggregate().groupby("@tag", reducer));
    }
    let newer = [Need::new(Some("8.8.0"), None)];
    for (nth, collect) in collects().into_iter().enumerate() {
        let reducer = Reducer::collect(collect).alias("all");
        let label = format!("collect {nth}");
        to.add(&label, &newer, aggregate().groupby("@tag", reducer));
    }
    to.add("sortby", &[], counted().sortby("@count"));
    let keys = [SortKey::new("@tag").desc(), SortKey::new("@count").asc()];
    to.add("sortby two", &[], counted().sortby(keys.clone()));
    to.add("sortby/max", &[], counted().sortby_max(keys, 2));
    let applied = || aggregate().load("@n").apply("@n + 1", "m");
    to.add("apply", &[], applied().filter("@m > 1").limit(0, 1));
    to.add("apply twice", &[], applied().apply("@m + 1", "o"));
    let late = applied().limit(0, 2).sortby("@m").filter("@m > 1");
    to.add("any order", &[], late.groupby("@m", NONE));
}

/// A group without a reducer.
const NONE: [Reducer<'static>; 0] = [];

fn reducers() -> [Reducer<'static>; 13] {
    [
        Reducer::count(),
        Reducer::count_distinct("@n"),
        Reducer::count_distinctish("@n"),
        Reducer::sum("@n"),
        Reducer::min("@n"),
        Reducer::max("@n"),
        Reducer::avg("@n"),
        Reducer::stddev("@n"),
        Reducer::quantile("@n", 0.5),
        Reducer::tolist("@n"),
        Reducer::first_value("@n"),
        Reducer::first_value_by("@n", SortKey::new("@n").desc()),
        Reducer::random_sample("@n", 1),
    ]
}

fn collects() -> [Collect<'static>; 3] {
    [
        Collect::fieldsall(),
        Collect::fields(["@n", "@title"])
            .sortby(["@n", "@title"])
            .limit(0, 1)
            .distinct(),
        Collect::fields("@n").sortby([SortKey::new("@n").asc(), SortKey::new("@title").desc()]),
    ]
}

fn hybrids(to: &mut Filling) {
    let vsim = || HybridVsim::new("@v", "$x");
    let with = |vsim: HybridVsim<'static>| cmd::ft_hybrid("idx", "hello", vsim);
    let hybrid = || with(vsim());
    to.add("minimal", &[], hybrid());
    let search = HybridSearch::new("hello")
        .scorer("TFIDF")
        .yield_score_as("s");
    to.add("search", &[], cmd::ft_hybrid("idx", search, vsim()));
    to.add("knn", &[], with(vsim().knn(Knn::new(5))));
    let knn = Knn::new(5).ef_runtime(10).shard_k_ratio(0.5);
    to.add("knn/all", &[], with(vsim().knn(knn)));
    to.add("range", &[], with(vsim().range(VectorRange::new(2))));
    let range = VectorRange::new(2).epsilon(0.1);
    to.add("range/epsilon", &[], with(vsim().range(range)));
    to.add("vsim/filter", &[], with(vsim().filter("@n:[1 2]")));
    for (policy, label) in [
        (HybridPolicy::Adhoc, "vsim/filter/adhoc"),
        (HybridPolicy::Batches, "vsim/filter/batches"),
    ] {
        let filter = HybridFilter::new("@n:[1 2]").policy(policy).batch_size(10);
        to.add(label, &[], with(vsim().filter(filter)));
    }
    to.add("vsim/yield", &[], with(vsim().yield_score_as("v")));
    to.add("rrf", &[], hybrid().combine(HybridCombine::rrf()));
    let rrf = HybridCombine::rrf()
        .constant(60)
        .window(10)
        .yield_score_as("s");
    to.add("rrf/all", &[], hybrid().combine(rrf));
    to.add("linear", &[], hybrid().combine(HybridCombine::linear()));
    let linear = HybridCombine::linear()
        .weights(0.5, 0.5)
        .window(10)
        .yield_score_as("s");
    to.add("linear/all", &[], hybrid().combine(linear));
    to.add("limit", &[], hybrid().limit(0, 1));
    let keys = [SortKey::new("@n").asc(), SortKey::new("@tag").desc()];
    to.add("sortby", &[], hybrid().sorting(HybridSorting::sortby(keys)));
    let unordered = HybridSorting::sortby("@n");
    to.add("sortby/none", &[], hybrid().sorting(unordered));
    to.add("nosort", &[], hybrid().sorting(HybridSorting::nosort()));
    to.add("explainscore", &[], hybrid().explainscore());
    let cursor = HybridCursor::new();
    to.add("withcursor", &[], hybrid().withcursor(cursor));
    let cursor = HybridCursor::new().count(1).maxidle(1000);
    to.add("withcursor/all", &[], hybrid().withcursor(cursor));
    to.add("params", &[], hybrid().params([("x", "y"), ("z", "y")]));
    to.add("timeout", &[], hybrid().timeout(500));
    to.add("format", &[], hybrid().format("STRING"));
    to.add("load", &[], hybrid().load(["@title", "@n"]));
    to.add("load/as", &[], hybrid().load([("@title", "t")]));
    to.add("loadall", &[], hybrid().loadall());
    let counted = || hybrid().groupby("@tag", Reducer::count().alias("count"));
    to.add("groupby", &[], counted().groupby("@count", NONE));
    let pair = hybrid().groupby(["@tag", "@title"], [Reducer::count(), Reducer::sum("@n")]);
    to.add("groupby two", &[], pair);
    to.add(
        "groupby none",
        &[],
        hybrid().groupby([""; 0], Reducer::count()),
    );
    let collects = collects().map(|collect| Reducer::collect(collect).alias("all"));
    for (nth, reducer) in reducers().into_iter().chain(collects).enumerate() {
        let label = format!("reduce {nth}");
        to.add(&label, &[], hybrid().groupby("@tag", reducer));
    }
    let applied = hybrid().apply("@n + 1", "m").apply("@m + 1", "o");
    to.add("apply", &[], applied.filter("@m > 1"));
    to.add("hybrid", &[], cmd::ft_profile(hybrid()));
}

/// Texts in all places that the commands written by hand have for them.
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
        cmd::ft_search(to.text("index", "idx"), to.text("query", "hello"))
            .inkeys([to.text("key", "doc:1")])
            .infields([to.text("field", "title")])
            .r#return([to.text("returned", "title")])
            .sortby(to.text("sorted", "n"))
            .params([(to.text("name", "x"), to.text("value", "y"))])
            .dialect(2),
    );
    to.add(
        "texts",
        &[],
        cmd::ft_aggregate(to.text("index", "idx"), to.text("query", "hello"))
            .load([to.text("field", "@title"), to.text("field", "@n")])
            .apply(to.text("expression", "@n + 1"), to.text("name", "m"))
            .filter(to.text("filter", "@m > 1")),
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
