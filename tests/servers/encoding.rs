//! The words of commands whose grammar is like that of no others, option by option.

use std::time::Duration;

use bytes::BytesMut;
use respec::cmd;
use respec::command::Command;
use respec::commands::search::{
    Collect, DistanceMetric, Field, FieldAs, Highlight, HybridCursor, HybridFilter, HybridPolicy,
    HybridSearch, HybridVsim, IndexAll, IndexDataType, Knn, Linear, QueryType, QueryWords,
    RadiusType, Reducer, Rrf, Schema, SortKey, Summarize, VectorAlgorithm, VectorCompression,
    VectorRange, VectorType,
};
use respec::commands::shared::Order;
use respec::commands::stream::TrimStrategy;
use respec::resp::Writer;

use crate::socket::words;

/// Asserts that a command is these words, which are given with spaces between them.
#[track_caller]
fn assert_words(command: &impl Command, expected: &str) {
    assert_eq!(words(command).join(" "), expected);
}

#[test]
fn an_index_has_its_options_in_the_order_of_the_server() {
    let schema = || Field::text("title");
    assert_words(
        &cmd::ft_create("i", schema()),
        "FT.CREATE i SCHEMA title TEXT",
    );
    assert_words(
        &cmd::ft_createifnx("i", schema()),
        "FT._CREATEIFNX i SCHEMA title TEXT",
    );
    assert_words(
        &cmd::ft_create("i", schema())
            .skipinitialscan()
            .stopwords(["a", "the"])
            .nofreqs()
            .nofields()
            .nohl()
            .nooffsets()
            .temporary(Duration::from_secs(60))
            .maxtextfields()
            .payload_field("p")
            .score_field("s")
            .score(0.5)
            .language_field("l")
            .language("german")
            .filter("@year > 1950")
            .prefix(["book:", "tome:"])
            .indexall(IndexAll::Enable)
            .on(IndexDataType::Hash),
        "FT.CREATE i ON HASH INDEXALL ENABLE PREFIX 2 book: tome: FILTER @year > 1950 \
         LANGUAGE german LANGUAGE_FIELD l SCORE 0.5 SCORE_FIELD s PAYLOAD_FIELD p MAXTEXTFIELDS \
         TEMPORARY 60 NOOFFSETS NOHL NOFIELDS NOFREQS STOPWORDS 2 a the SKIPINITIALSCAN \
         SCHEMA title TEXT",
    );
    assert_words(
        &cmd::ft_create("i", schema())
            .stopwords([""; 0])
            .on(IndexDataType::Json),
        "FT.CREATE i ON JSON STOPWORDS 0 SCHEMA title TEXT",
    );
}

#[test]
fn fields_have_the_options_of_their_kind() {
    assert_words(
        &cmd::ft_create(
            "i",
            (
                Field::text("$.t")
                    .noindex()
                    .unf()
                    .indexempty()
                    .withsuffixtrie()
                    .phonetic("dm:en")
                    .weight(2.5)
                    .nostem()
                    .indexmissing()
                    .alias("t"),
                Field::tag("g")
                    .separator('|')
                    .casesensitive()
                    .withsuffixtrie()
                    .indexempty(),
                Field::numeric("n").sortable().indexmissing(),
                Field::geo("p").noindex(),
                Field::geoshape("s").flat().alias("shape"),
                Field::geoshape("z").spherical(),
            ),
        ),
        "FT.CREATE i SCHEMA \
         $.t AS t TEXT NOSTEM WEIGHT 2.5 PHONETIC dm:en WITHSUFFIXTRIE INDEXEMPTY INDEXMISSING \
         SORTABLE UNF NOINDEX \
         g TAG SEPARATOR | CASESENSITIVE WITHSUFFIXTRIE INDEXEMPTY \
         n NUMERIC INDEXMISSING SORTABLE \
         p GEO NOINDEX \
         s AS shape GEOSHAPE FLAT \
         z GEOSHAPE SPHERICAL",
    );
    // The later of two calls does not take back what the earlier one asked for.
    assert_words(
        &cmd::ft_create("i", Field::text("t").unf().sortable()),
        "FT.CREATE i SCHEMA t TEXT SORTABLE UNF",
    );
}

#[test]
fn vectors_count_the_attributes_of_their_algorithm() {
    let flat = VectorAlgorithm::flat(VectorType::Float64, 8, DistanceMetric::L2);
    assert_words(
        &cmd::ft_alter("i", Field::vector("v", flat.clone())),
        "FT.ALTER i SCHEMA ADD v VECTOR FLAT 6 TYPE FLOAT64 DIM 8 DISTANCE_METRIC L2",
    );
    assert_words(
        &cmd::ft_alterifnx("i", Field::vector("v", flat.block_size(64).initial_cap(10)))
            .skipinitialscan(),
        "FT._ALTERIFNX i SKIPINITIALSCAN SCHEMA ADD v VECTOR FLAT 10 TYPE FLOAT64 DIM 8 \
         DISTANCE_METRIC L2 INITIAL_CAP 10 BLOCK_SIZE 64",
    );
    let hnsw = VectorAlgorithm::hnsw(VectorType::Bfloat16, 4, DistanceMetric::Cosine)
        .epsilon(0.01)
        .ef_runtime(20)
        .ef_construction(100)
        .m(16)
        .initial_cap(5);
    assert_words(
        &cmd::ft_alter("i", Field::vector("v", hnsw).indexmissing()),
        "FT.ALTER i SCHEMA ADD v VECTOR HNSW 16 TYPE BFLOAT16 DIM 4 DISTANCE_METRIC COSINE \
         INITIAL_CAP 5 M 16 EF_CONSTRUCTION 100 EF_RUNTIME 20 EPSILON 0.01 INDEXMISSING",
    );
    let vamana = VectorAlgorithm::svs_vamana(VectorType::Float16, 4, DistanceMetric::Ip)
        .reduce(2)
        .training_threshold(10_240)
        .epsilon(0.02)
        .search_window_size(10)
        .graph_max_degree(32)
        .construction_window_size(200)
        .compression(VectorCompression::LeanVec4x8);
    assert_words(
        &cmd::ft_alter("i", Field::vector("v", vamana)),
        "FT.ALTER i SCHEMA ADD v VECTOR SVS-VAMANA 20 TYPE FLOAT16 DIM 4 DISTANCE_METRIC IP \
         COMPRESSION LeanVec4x8 CONSTRUCTION_WINDOW_SIZE 200 GRAPH_MAX_DEGREE 32 \
         SEARCH_WINDOW_SIZE 10 EPSILON 0.02 TRAINING_THRESHOLD 10240 REDUCE 2",
    );
}

#[test]
fn a_schema_is_one_field_a_tuple_or_a_list() {
    let same = "FT.CREATE i SCHEMA a TAG b TAG";
    assert_words(
        &cmd::ft_create("i", (Field::tag("a"), Field::tag("b"))),
        same,
    );
    assert_words(
        &cmd::ft_create("i", [Field::tag("a"), Field::tag("b")]),
        same,
    );
    assert_words(
        &cmd::ft_create("i", vec![Field::tag("a"), Field::tag("b")]),
        same,
    );
    let schema: Schema<'_> = ["a", "b"].into_iter().map(Field::tag).collect();
    assert_words(&cmd::ft_create("i", schema), same);
    let schema = Schema::new().field(Field::tag("a")).field(Field::tag("b"));
    assert_words(&cmd::ft_create("i", schema), same);
}

#[test]
fn an_empty_schema_is_refused_before_it_is_sent() {
    let create = cmd::ft_create("i", Schema::new());
    let error = Writer::command(&mut BytesMut::new(), |to| create.write(to)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "invalid argument: expected at least one field, got an empty schema"
    );
}

#[test]
fn a_search_has_its_options_in_the_order_of_the_server() {
    assert_words(&cmd::ft_search("i", "*"), "FT.SEARCH i *");
    assert_words(
        &cmd::ft_search("i", "hello")
            .dialect(2)
            .params([("a", "1"), ("b", "2")])
            .limit(10, 5)
            .sortby(("price", Order::Desc))
            .payload("x")
            .withscores()
            .explainscore()
            .scorer("TFIDF")
            .expander("SYNONYM")
            .language("english")
            .inorder()
            .timeout(Duration::from_millis(1500))
            .slop(2)
            .highlight(
                Highlight::new()
                    .tags("<i>", "</i>")
                    .fields(["title", "body"]),
            )
            .summarize(
                Summarize::new()
                    .separator("…")
                    .len(10)
                    .frags(2)
                    .fields("body"),
            )
            .r#return([FieldAs::new("$.a").alias("a"), "b".into()])
            .infields(["title", "body"])
            .inkeys("book:1")
            .geofilter(("place", 13.4, 52.5, 10, RadiusType::Km))
            .filter(("price", 1, "(10"))
            .filter([("year", "-inf", 1950.5)])
            .withsortkeys()
            .withpayloads()
            .nostopwords()
            .verbatim()
            .nocontent(),
        "FT.SEARCH i hello NOCONTENT VERBATIM NOSTOPWORDS WITHSCORES WITHPAYLOADS WITHSORTKEYS \
         FILTER price 1 (10 FILTER year -inf 1950.5 GEOFILTER place 13.4 52.5 10 km \
         INKEYS 1 book:1 INFIELDS 2 title body RETURN 4 $.a AS a b \
         SUMMARIZE FIELDS 1 body FRAGS 2 LEN 10 SEPARATOR … \
         HIGHLIGHT FIELDS 2 title body TAGS <i> </i> SLOP 2 TIMEOUT 1500 INORDER \
         LANGUAGE english EXPANDER SYNONYM SCORER TFIDF EXPLAINSCORE PAYLOAD x \
         SORTBY price DESC LIMIT 10 5 PARAMS 4 a 1 b 2 DIALECT 2",
    );
    assert_words(
        &cmd::ft_search("i", "*").r#return([""; 0]),
        "FT.SEARCH i * RETURN 0",
    );
    assert_words(
        &cmd::ft_search("i", "*")
            .r#return([("$.a", "a")])
            .sortby("a")
            .withscores(),
        "FT.SEARCH i * WITHSCORES RETURN 3 $.a AS a SORTBY a",
    );
    assert_words(
        &cmd::ft_search("i", "*")
            .summarize(Summarize::new())
            .highlight(Highlight::new()),
        "FT.SEARCH i * SUMMARIZE HIGHLIGHT",
    );
}

#[test]
fn the_steps_of_an_aggregation_keep_the_order_of_the_calls() {
    assert_words(
        &cmd::ft_aggregate("i", "*")
            .dialect(3)
            .apply("@a*2", "b")
            .filter("@b>2")
            .groupby(["@b", "@c"], Reducer::count().alias("n"))
            .limit(0, 5)
            .params(("x", 1))
            .sortby(["@b", "@n"])
            .apply("sqrt(@n)", "r")
            .sortby_max([SortKey::new("@r").desc(), SortKey::new("@b").asc()], 3)
            .timeout(100)
            .load([FieldAs::from("@a"), ("$.c", "c").into()])
            .verbatim(),
        "FT.AGGREGATE i * VERBATIM LOAD 4 @a $.c AS c TIMEOUT 100 APPLY @a*2 AS b FILTER @b>2 \
         GROUPBY 2 @b @c REDUCE COUNT 0 AS n LIMIT 0 5 SORTBY 2 @b @n APPLY sqrt(@n) AS r \
         SORTBY 4 @r DESC @b ASC MAX 3 PARAMS 2 x 1 DIALECT 3",
    );
    assert_words(
        &cmd::ft_aggregate("i", "*")
            .loadall()
            .withcursor()
            .maxidle(Duration::from_secs(3))
            .count(7)
            .limit(0, 1),
        "FT.AGGREGATE i * LOAD * LIMIT 0 1 WITHCURSOR COUNT 7 MAXIDLE 3000",
    );
}

#[test]
fn reducers_count_their_arguments() {
    let no_properties = [""; 0];
    assert_words(
        &cmd::ft_aggregate("i", "*").groupby(
            no_properties,
            [
                Reducer::count(),
                Reducer::count_distinct("@a"),
                Reducer::count_distinctish("@a").alias("x"),
                Reducer::sum("@a"),
                Reducer::min("@a"),
                Reducer::max("@a"),
                Reducer::avg("@a"),
                Reducer::stddev("@a"),
                Reducer::quantile("@a", 0.5),
                Reducer::tolist("@a"),
                Reducer::first_value("@a"),
                Reducer::first_value_by("@a", "@b"),
                Reducer::first_value_by("@a", SortKey::new("@b").desc()),
                Reducer::random_sample("@a", 3),
            ],
        ),
        "FT.AGGREGATE i * GROUPBY 0 REDUCE COUNT 0 REDUCE COUNT_DISTINCT 1 @a \
         REDUCE COUNT_DISTINCTISH 1 @a AS x REDUCE SUM 1 @a REDUCE MIN 1 @a REDUCE MAX 1 @a \
         REDUCE AVG 1 @a REDUCE STDDEV 1 @a REDUCE QUANTILE 2 @a 0.5 REDUCE TOLIST 1 @a \
         REDUCE FIRST_VALUE 1 @a REDUCE FIRST_VALUE 3 @a BY @b REDUCE FIRST_VALUE 4 @a BY @b DESC \
         REDUCE RANDOM_SAMPLE 2 @a 3",
    );
    assert_words(
        &cmd::ft_aggregate("i", "*").groupby(
            "@a",
            [
                Reducer::collect(Collect::fieldsall()),
                Reducer::collect(
                    Collect::fields(["@b", "@c"])
                        .distinct()
                        .limit(0, 2)
                        .sortby([SortKey::new("@b").desc(), "@c".into()]),
                )
                .alias("rows"),
            ],
        ),
        "FT.AGGREGATE i * GROUPBY 1 @a REDUCE COLLECT 2 FIELDS * \
         REDUCE COLLECT 13 FIELDS 2 @b @c SORTBY 3 @b DESC @c LIMIT 0 2 DISTINCT AS rows",
    );
}

#[test]
fn a_hybrid_query_counts_the_words_of_its_clauses() {
    assert_words(
        &cmd::ft_hybrid("i", "sea", ("@v", "$x")),
        "FT.HYBRID i SEARCH sea VSIM @v $x",
    );
    assert_words(
        &cmd::ft_hybrid(
            "i",
            HybridSearch::new("sea")
                .yield_score_as("s")
                .scorer("BM25STD"),
            HybridVsim::new("@v", "$x")
                .yield_score_as("d")
                .filter(
                    HybridFilter::new("@a:1")
                        .batch_size(50)
                        .policy(HybridPolicy::Batches),
                )
                .knn(Knn::new(10).shard_k_ratio(0.5).ef_runtime(100)),
        )
        .filter("@n>1")
        .groupby("@c", Reducer::count().alias("n"))
        .apply("@n+1", "m")
        .loadall()
        .load(["@a", "@c"])
        .format("STRING")
        .timeout(100)
        .params([("x", &b"blob"[..])])
        .withcursor(HybridCursor::new().maxidle(1000).count(5))
        .explainscore()
        .sortby([("@a", Order::Asc)])
        .limit(0, 5)
        .combine(Rrf::new().yield_score_as("f").window(20).constant(60)),
        "FT.HYBRID i SEARCH sea SCORER BM25STD YIELD_SCORE_AS s VSIM @v $x \
         KNN 6 K 10 EF_RUNTIME 100 SHARD_K_RATIO 0.5 FILTER 5 @a:1 POLICY BATCHES BATCH_SIZE 50 \
         YIELD_SCORE_AS d COMBINE RRF 6 CONSTANT 60 WINDOW 20 YIELD_SCORE_AS f LIMIT 0 5 \
         SORTBY 2 @a ASC EXPLAINSCORE WITHCURSOR COUNT 5 MAXIDLE 1000 PARAMS 2 x blob TIMEOUT 100 \
         FORMAT STRING LOAD 2 @a @c LOAD * FILTER @n>1 GROUPBY 1 @c REDUCE COUNT 0 AS n \
         APPLY @n+1 AS m",
    );
    assert_words(
        &cmd::ft_hybrid(
            "i",
            "sea",
            HybridVsim::new("@v", "$x")
                .range(VectorRange::new(0.5).epsilon(0.1))
                .filter("@a:1"),
        )
        .combine(Linear::new().window(5).weights(0.7, 0.3))
        .nosort(),
        "FT.HYBRID i SEARCH sea VSIM @v $x RANGE 4 RADIUS 0.5 EPSILON 0.1 FILTER 1 @a:1 \
         COMBINE LINEAR 6 ALPHA 0.7 BETA 0.3 WINDOW 5 NOSORT",
    );
}

#[test]
fn a_profile_carries_the_query_of_another_command() {
    let search = cmd::ft_search("i", "sea").nocontent().limit(0, 1);
    assert_words(
        &cmd::ft_profile(&search).limited(),
        "FT.PROFILE i SEARCH LIMITED QUERY sea NOCONTENT LIMIT 0 1",
    );
    assert_words(
        &cmd::ft_profile(cmd::ft_aggregate("i", "*").limit(0, 1).withcursor()),
        "FT.PROFILE i AGGREGATE QUERY * LIMIT 0 1 WITHCURSOR",
    );
    assert_words(
        &cmd::ft_profile(cmd::ft_hybrid("i", "sea", ("@v", "$x"))),
        "FT.PROFILE i HYBRID QUERY SEARCH sea VSIM @v $x",
    );
    assert_words(
        &cmd::ft_profile(QueryWords::new(
            QueryType::Search,
            "i",
            ["*", "FUTURE", "1"],
        )),
        "FT.PROFILE i SEARCH QUERY * FUTURE 1",
    );
}

#[test]
fn debug_shows_no_argument() {
    let search = cmd::ft_search("secret-index", "secret-query").params([("p", "secret-value")]);
    assert_eq!(format!("{search:?}"), "FT.SEARCH (7 words)");
}

#[test]
fn d14_an_option_that_does_not_decide_about_the_reply_may_be_left_out_at_run_time() {
    let (some, none) = (Some(7_usize), None::<usize>);
    assert_words(&cmd::scan(0).count(7), "SCAN 0 COUNT 7");
    assert_words(&cmd::scan(0).count(some), "SCAN 0 COUNT 7");
    assert_words(&cmd::scan(0).count(Some(7)), "SCAN 0 COUNT 7");
    assert_words(&cmd::scan(0).count(none), "SCAN 0");
    assert_words(&cmd::scan(0).r#match(Some("a*")), "SCAN 0 MATCH a*");
    assert_words(&cmd::scan(0).r#match(None::<String>), "SCAN 0");
    // Of those that change the type of the command, what follows is written only with them.
    let add = || cmd::xadd("k", "*", [("f", "v")]);
    assert_words(&add().maxlen(7).limit(9), "XADD k MAXLEN 7 LIMIT 9 * f v");
    assert_words(&add().maxlen(none).limit(9), "XADD k * f v");
    let trim = |threshold| (TrimStrategy::Maxlen, threshold);
    assert_words(&add().maybe_trim(Some(trim(7))), "XADD k MAXLEN 7 * f v");
    assert_words(&add().maybe_trim(None::<(_, u64)>), "XADD k * f v");
    let pop = || cmd::json_arrpop("k");
    assert_words(&pop().path(Some("$.a")).index(none), "JSON.ARRPOP k $.a");
    assert_words(&pop().path(None::<&str>), "JSON.ARRPOP k");
    let count = |range: Option<(i64, i64)>| cmd::bitcount("k").maybe_range(range);
    assert_words(&count(Some((0, -1))), "BITCOUNT k 0 -1");
    assert_words(&count(None), "BITCOUNT k");
    let to = |replica: Option<(&'static str, u16)>| cmd::failover().maybe_to(replica);
    assert_words(&to(Some(("h", 1))).force(), "FAILOVER TO h 1 FORCE");
    assert_words(&to(None), "FAILOVER");
    let wait = Some(Duration::from_millis(5));
    assert_words(
        &cmd::xread([("k", "0")]).block(wait),
        "XREAD BLOCK 5 STREAMS k 0",
    );
}
