//! The search commands and their replies, on a real server under RESP2 and RESP3.

use std::thread::sleep;
use std::time::{Duration, Instant};

use bytes::Bytes;
use respec::commands::search::{
    DistanceMetric, Field, FieldAs, Highlight, IndexDataType, QueryType, QueryWords, RadiusType,
    Reducer, SortKey, Summarize, VectorAlgorithm, VectorType,
};
use respec::commands::shared::Order;
use respec::reply::{AggregateResult, SearchResult};
use respec::{Value, cmd};
use respec_testkit::{Variant, shared};

use crate::socket::{Connection, same};

/// Connections to a server that has an index of six books; `name` is the test's own.
fn books(name: &str) -> [Connection; 2] {
    let mut connections = Connection::both(shared(Variant::Redis82));
    let [connection, _] = &mut connections;
    connection.send(
        cmd::ft_create(
            name,
            (
                Field::text("title").weight(2).sortable(),
                Field::text("body"),
                Field::tag("author").separator(';').sortable(),
                Field::numeric("price").sortable(),
                Field::geo("place"),
                Field::vector(
                    "embedding",
                    VectorAlgorithm::hnsw(VectorType::Float32, 2, DistanceMetric::L2).m(8),
                ),
            ),
        )
        .on(IndexDataType::Hash)
        .prefix([format!("{name}:")])
        .payload_field("extra")
        .stopwords(["the"]),
    );
    wait_for_scan(connection, name);
    let all = [
        (
            "Old sea",
            "A fisherman and the sea and a fish",
            "hemingway",
            "10",
            "-82.3,23.1",
            1.0,
        ),
        (
            "Sea wolf",
            "A captain on a cold sea",
            "london",
            "8.5",
            "-122.4,37.8",
            2.0,
        ),
        (
            "White fang",
            "A wolf in the north",
            "london",
            "7",
            "-135,64",
            3.0,
        ),
        (
            "Moby dick",
            "A captain hunts a whale in the sea",
            "melville",
            "15",
            "-70.9,41.6",
            4.0,
        ),
        ("Typee", "An island", "melville", "15", "-140,-9", 5.0),
        ("Farewell", "A war", "hemingway", "12", "12.5,46", 6.0),
    ];
    for (at, (title, body, author, price, place, x)) in all.iter().enumerate() {
        let key = format!("{name}:{at}");
        let vector: Vec<u8> = [*x, 0.0_f32].iter().flat_map(|x| x.to_le_bytes()).collect();
        let words: [&[u8]; 16] = [
            b"HSET",
            key.as_bytes(),
            b"title",
            title.as_bytes(),
            b"body",
            body.as_bytes(),
            b"author",
            author.as_bytes(),
            b"price",
            price.as_bytes(),
            b"place",
            place.as_bytes(),
            b"embedding",
            &vector,
            b"extra",
            b"more",
        ];
        let reply = shared(Variant::Redis82).command(&words).unwrap();
        assert_eq!(reply, b":7\r\n");
    }
    wait_for(connection, name, 6);
    connections
}

/// A new index first scans all keys in the background; what is written meanwhile would be indexed
/// twice and count twice in its statistics.
fn wait_for_scan(connection: &mut Connection, index: &str) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while connection.send(cmd::ft_info(index)).indexing {
        assert!(Instant::now() < deadline, "the scan does not end");
        sleep(Duration::from_millis(10));
    }
}

/// Documents that were there before the index are found after a while.
fn wait_for(connection: &mut Connection, index: &str, documents: u64) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while connection
        .send(cmd::ft_search(index, "*").limit(0, 0))
        .total_results
        < documents
    {
        assert!(Instant::now() < deadline, "the index does not fill");
        sleep(Duration::from_millis(10));
    }
}

fn ids(result: &SearchResult) -> Vec<String> {
    let id = |id: &Bytes| {
        String::from_utf8_lossy(id)
            .rsplit(':')
            .next()
            .unwrap()
            .to_owned()
    };
    result.results.iter().map(|hit| id(&hit.id)).collect()
}

fn field<'v>(fields: &'v [(Bytes, Value)], name: &str) -> &'v Value {
    let found = fields.iter().find(|(field, _)| field == name);
    &found
        .unwrap_or_else(|| panic!("no field {name}: {fields:?}"))
        .1
}

fn column(result: &AggregateResult, name: &str) -> Vec<String> {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    result
        .results
        .iter()
        .map(|row| text(field(&row.fields, name)))
        .collect()
}

#[test]
fn documents_come_with_their_fields() {
    let mut server = books("fields");
    let found = same(
        &mut server,
        cmd::ft_search("fields", "captain").sortby("price"),
    );
    assert_eq!(found.total_results, 2);
    assert_eq!(ids(&found), ["1", "3"]);
    let fields = found.results[0].extra_attributes.as_ref().unwrap();
    assert_eq!(field(fields, "title").as_str(), Some("Sea wolf"));
    assert_eq!(found.results[0].score, None);

    let found = same(
        &mut server,
        cmd::ft_search("fields", "captain")
            .sortby(("price", Order::Desc))
            .r#return([FieldAs::from("title"), ("price", "cost").into()]),
    );
    assert_eq!(ids(&found), ["3", "1"]);
    let fields = found.results[0].extra_attributes.as_ref().unwrap();
    assert_eq!(fields.len(), 2);
    assert_eq!(field(fields, "cost").as_str(), Some("15"));

    let none = same(&mut server, cmd::ft_search("fields", "nothing"));
    assert_eq!((none.total_results, none.results.len()), (0, 0));
}

/// Every layout that a RESP2 reply can have.
#[test]
fn a_reply_is_read_by_the_options_of_its_request() {
    let mut server = books("layouts");
    for bits in 0..32_u8 {
        let on = |bit: u8| bits & (1 << bit) != 0;
        let mut search = cmd::ft_search("layouts", "sea").sortby("price");
        if on(0) {
            search = search.withscores();
        }
        if on(1) {
            search = search.withpayloads();
        }
        if on(2) {
            search = search.withsortkeys();
        }
        if on(3) {
            search = search.nocontent();
        }
        if on(4) {
            search = search.withscores().explainscore();
        }
        let found = same(&mut server, &search);
        assert_eq!(ids(&found), ["1", "0", "3"], "{search:?}");
        for hit in &found.results {
            assert_eq!(hit.score.is_some(), on(0) || on(4), "{hit:?}");
            let explained = hit
                .score
                .as_ref()
                .is_some_and(|score| score.explanation.is_some());
            assert_eq!(explained, on(4), "{hit:?}");
            assert_eq!(hit.payload.as_deref(), on(1).then_some(&b"more"[..]));
            assert_eq!(hit.sortkey.is_some(), on(2), "{hit:?}");
            assert_eq!(hit.extra_attributes.is_none(), on(3), "{hit:?}");
        }
    }
    let found = same(
        &mut server,
        cmd::ft_search("layouts", "sea")
            .r#return([""; 0])
            .withscores(),
    );
    assert_eq!(found.results.len(), 3);
    assert!(
        found
            .results
            .iter()
            .all(|hit| hit.extra_attributes.is_none())
    );
}

#[test]
fn every_option_of_a_search_is_accepted() {
    let mut server = books("options");
    let search = |query| cmd::ft_search("options", query);
    let one = |server: &mut _, search| ids(&same(server, search));
    assert_eq!(
        one(&mut server, search("captains").nocontent().sortby("price")),
        ["1", "3"]
    );
    assert!(one(&mut server, search("captains").verbatim()).is_empty());
    assert_eq!(
        one(
            &mut server,
            search("captain sea").inorder().slop(3).sortby("price")
        ),
        ["1"]
    );
    assert_eq!(
        one(
            &mut server,
            search("*").filter(("price", 10, "(15")).sortby("price")
        ),
        ["0", "5"]
    );
    assert_eq!(
        one(&mut server, search("*").filter(("price", "-inf", 7.5))),
        ["2"]
    );
    assert_eq!(
        one(
            &mut server,
            search("*").geofilter(("place", 12, 46.0, 100, RadiusType::Km))
        ),
        ["5"]
    );
    assert_eq!(
        one(
            &mut server,
            search("sea").inkeys(["options:0", "options:5"])
        ),
        ["0"]
    );
    assert_eq!(
        one(&mut server, search("sea").infields("title").sortby("price")),
        ["1", "0"]
    );
    assert_eq!(
        one(&mut server, search("*").sortby("price").limit(1, 2)),
        ["1", "0"]
    );
    assert_eq!(one(&mut server, search("the whale").nostopwords()).len(), 0);
    assert_eq!(
        one(
            &mut server,
            search("whale")
                .timeout(Duration::from_secs(1))
                .language("english")
                .expander("SYNONYM")
                .scorer("TFIDF")
                .payload("p")
                .dialect(2)
        ),
        ["3"]
    );
    let marked = same(
        &mut server,
        search("whale")
            .summarize(
                Summarize::new()
                    .fields("body")
                    .frags(1)
                    .len(3)
                    .separator("~"),
            )
            .highlight(Highlight::new().fields(["body"]).tags("[", "]")),
    );
    let fields = marked.results[0].extra_attributes.as_ref().unwrap();
    assert_eq!(field(fields, "body").as_str(), Some("a [whale] in~"));
    assert!(server[0].error(search("(")).contains("yntax error"));
}

#[test]
fn vectors_are_found_by_parameters() {
    let mut server = books("vectors");
    let vector: Vec<u8> = [2.9_f32, 0.0]
        .iter()
        .flat_map(|x| x.to_le_bytes())
        .collect();
    let found = same(
        &mut server,
        cmd::ft_search("vectors", "*=>[KNN 2 @embedding $vector AS distance]")
            .params([("vector", vector)])
            .sortby("distance")
            .r#return(["distance", "title"])
            .dialect(2),
    );
    assert_eq!(ids(&found), ["2", "1"]);
    let fields = found.results[1].extra_attributes.as_ref().unwrap();
    let distance: f64 = field(fields, "distance").as_str().unwrap().parse().unwrap();
    assert!((distance - 0.81).abs() < 1e-5);
}

#[test]
fn aggregations_run_their_steps_in_order() {
    let mut server = books("steps");
    let per_author = || {
        cmd::ft_aggregate("steps", "*").groupby(
            "@author",
            [
                Reducer::count().alias("books"),
                Reducer::avg("@price").alias("mean"),
            ],
        )
    };
    let rows = same(
        &mut server,
        per_author().sortby(SortKey::new("@mean").desc()),
    );
    assert_eq!(column(&rows, "author"), ["melville", "hemingway", "london"]);
    assert_eq!(column(&rows, "mean"), ["15", "11", "7.75"]);
    assert_eq!(column(&rows, "books"), ["2", "2", "2"]);

    let rows = same(
        &mut server,
        per_author()
            .filter("@mean < 15")
            .apply("@mean * 2", "double")
            .sortby("@double"),
    );
    assert_eq!(column(&rows, "double"), ["15.5", "22"]);
    let rows = same(
        &mut server,
        cmd::ft_aggregate("steps", "*")
            .apply("floor(@price / 10)", "decade")
            .filter("@price > 7")
            .groupby(["@decade"], Reducer::count().alias("n"))
            .apply("@n + 1", "m")
            .sortby([SortKey::new("@n").desc(), SortKey::new("@decade").asc()])
            .limit(0, 1),
    );
    assert_eq!(
        (column(&rows, "decade"), column(&rows, "m")),
        (vec!["1".into()], vec!["5".into()])
    );
    let rows = same(
        &mut server,
        cmd::ft_aggregate("steps", "@author:{$who}")
            .params([("who", "london")])
            .dialect(2)
            .verbatim()
            .timeout(1000)
            .load([FieldAs::from("@title"), ("@price", "cost").into()])
            .sortby_max("@cost", 1),
    );
    assert_eq!(column(&rows, "title"), ["White fang"]);
    let rows = same(
        &mut server,
        cmd::ft_aggregate("steps", "whale")
            .loadall()
            .timeout(1000)
            .limit(0, 9),
    );
    assert_eq!(
        column(&rows, "body"),
        ["A captain hunts a whale in the sea"]
    );
}

#[test]
fn every_reducer_is_accepted() {
    let mut server = books("reducers");
    let rows = same(
        &mut server,
        cmd::ft_aggregate("reducers", "*").groupby(
            [""; 0],
            [
                Reducer::count().alias("count"),
                Reducer::count_distinct("@author").alias("distinct"),
                Reducer::count_distinctish("@author").alias("distinctish"),
                Reducer::sum("@price").alias("sum"),
                Reducer::min("@price").alias("min"),
                Reducer::max("@price").alias("max"),
                Reducer::avg("@price").alias("avg"),
                Reducer::stddev("@price").alias("stddev"),
                Reducer::quantile("@price", 0.5).alias("median"),
                Reducer::tolist("@author").alias("list"),
                Reducer::first_value("@title").alias("first"),
                Reducer::first_value_by("@title", "@price").alias("cheapest"),
                Reducer::first_value_by("@title", SortKey::new("@price").desc()).alias("dearest"),
                Reducer::random_sample("@author", 6).alias("sample"),
            ],
        ),
    );
    assert_eq!(rows.results.len(), 1);
    let fields = &rows.results[0].fields;
    let text = |name| field(fields, name).as_str().unwrap();
    assert_eq!(
        (text("count"), text("distinct"), text("sum")),
        ("6", "3", "67.5")
    );
    assert_eq!(
        (text("min"), text("max"), text("avg")),
        ("7", "15", "11.25")
    );
    assert_eq!(text("cheapest"), "white fang");
    assert_eq!(field(fields, "list").as_slice().unwrap().len(), 3);
    assert_eq!(field(fields, "sample").as_slice().unwrap().len(), 6);
}

#[test]
fn a_cursor_reads_the_rest() {
    let mut server = books("cursors");
    for connection in &mut server {
        let aggregate = cmd::ft_aggregate("cursors", "*").load("@title");
        let (first, cursor) = connection.send(aggregate.withcursor().count(4).maxidle(10_000));
        assert_eq!(first.results.len(), 4);
        assert_ne!(cursor, 0);
        let (second, cursor) = connection.send(cmd::ft_cursor_read("cursors", cursor));
        assert_eq!((second.results.len(), cursor), (2, 0));
    }
}

#[test]
fn every_kind_of_field_is_accepted() {
    let [mut server, _] = Connection::both(shared(Variant::Redis82));
    let text = || {
        Field::text("t")
            .alias("x")
            .nostem()
            .weight(0.5)
            .phonetic("dm:en")
    };
    server.send(cmd::ft_create(
        "kinds",
        (
            text().withsuffixtrie().indexempty().indexmissing().unf(),
            Field::text("t2").sortable().noindex(),
            Field::tag("g")
                .separator('|')
                .casesensitive()
                .withsuffixtrie()
                .indexempty()
                .unf(),
            Field::tag("g2").sortable().noindex(),
            Field::numeric("n").sortable().noindex(),
            Field::numeric("n2").unf().indexmissing(),
            Field::geo("p2").indexmissing(),
            Field::geo("p").sortable().noindex(),
            Field::geoshape("s").flat().indexmissing(),
            Field::geoshape("s2").spherical(),
            Field::vector(
                "v",
                VectorAlgorithm::flat(VectorType::Float64, 3, DistanceMetric::Ip)
                    .initial_cap(10)
                    .block_size(16),
            )
            .indexmissing(),
            Field::vector(
                "v2",
                VectorAlgorithm::hnsw(VectorType::Float16, 3, DistanceMetric::Cosine)
                    .initial_cap(10)
                    .m(8)
                    .ef_construction(50)
                    .ef_runtime(20)
                    .epsilon(0.05),
            ),
            Field::vector(
                "v3",
                VectorAlgorithm::flat(VectorType::Bfloat16, 3, DistanceMetric::L2),
            ),
        ),
    ));
    let more: [Field<'_>; 3] = [
        Field::text("a").sortable().into(),
        Field::tag("b").separator(',').into(),
        Field::geoshape("c").flat().into(),
    ];
    for (at, field) in more.into_iter().enumerate() {
        let alter = cmd::ft_alter("kinds", field.clone());
        server.send(if at == 0 {
            alter.skipinitialscan()
        } else {
            alter
        });
        server.send(cmd::ft_alterifnx("kinds", field));
    }
}

#[test]
fn every_option_of_an_index_is_accepted() {
    let [mut server, _] = Connection::both(shared(Variant::Redis82));
    let schema = || (Field::text("t"), Field::text("l"), Field::numeric("s"));
    let create = cmd::ft_create("whole", schema())
        .on(IndexDataType::Hash)
        .prefix(["whole:", "all:"])
        .filter("@s > 1")
        .language("german")
        .language_field("l")
        .score(0.5)
        .score_field("s")
        .payload_field("p")
        .maxtextfields()
        .temporary(Duration::from_secs(600))
        .nooffsets()
        .nohl()
        .nofields()
        .nofreqs()
        .stopwords([""; 0])
        .skipinitialscan();
    server.send(&create);
    assert!(server.error(&create).contains("exists"));
    server.send(cmd::ft_createifnx("whole", schema()));
}

#[test]
fn json_documents_are_found_as_hashes_are() {
    let mut connections = Connection::both(shared(Variant::Redis82));
    let [server, _] = &mut connections;
    server.send(
        cmd::ft_create(
            "json",
            (
                Field::text("$.t").alias("t"),
                Field::tag("$.g[*]").alias("g"),
            ),
        )
        .on(IndexDataType::Json)
        .prefix("json:"),
    );
    for (key, document) in [
        ("json:1", r#"{"t":"sea","g":["a","b"]}"#),
        ("json:2", r#"{"t":"land"}"#),
    ] {
        assert!(!server.raw(&["JSON.SET", key, "$", document]).is_error());
    }
    wait_for(server, "json", 2);
    let found = same(&mut connections, cmd::ft_search("json", "@g:{b}"));
    assert_eq!(ids(&found), ["1"]);
    let fields = found.results[0].extra_attributes.as_ref().unwrap();
    assert_eq!(
        field(fields, "$").as_str(),
        Some(r#"{"t":"sea","g":["a","b"]}"#)
    );
    let found = same(
        &mut connections,
        cmd::ft_search("json", "sea").r#return([("$.g[0]", "first")]),
    );
    let fields = found.results[0].extra_attributes.as_ref().unwrap();
    assert_eq!(field(fields, "first").as_str(), Some("a"));
}

#[test]
fn queries_are_profiled() {
    let mut server = books("profiles");
    for connection in &mut server {
        let search = cmd::ft_search("profiles", "sea").nocontent();
        let aggregate = cmd::ft_aggregate("profiles", "*").limit(0, 1);
        let words = QueryWords::new(QueryType::Search, "profiles", ["sea", "LIMIT", "0", "1"]);
        for profile in [
            connection.send(cmd::ft_profile(&search)),
            connection.send(cmd::ft_profile(&search).limited()),
            connection.send(cmd::ft_profile(aggregate)),
            connection.send(cmd::ft_profile(words)),
        ] {
            assert!(
                matches!(profile, Value::Array(_) | Value::Map(_)),
                "{profile:?}"
            );
        }
    }
}

#[test]
fn misspelt_terms_come_with_suggestions() {
    let mut server = books("spelling");
    let checked = same(
        &mut server,
        cmd::ft_spellcheck("spelling", "captan wolv zzzzzz").distance(2),
    );
    let terms: Vec<_> = checked.terms.iter().map(|term| &term.term[..]).collect();
    assert_eq!(terms, [&b"captan"[..], b"wolv", b"zzzzzz"]);
    assert_eq!(checked.terms[0].suggestions[0].0, "captain");
    assert!(checked.terms[0].suggestions[0].1 > 0.0);
    assert!(checked.terms[2].suggestions.is_empty());
    assert_eq!(checked.total_docs, None);
    let known = same(&mut server, cmd::ft_spellcheck("spelling", "captain"));
    assert!(known.terms.is_empty());

    // FULLSCOREINFO is no part of the grammar, but servers have it.
    let query = [
        "FT.SPELLCHECK",
        "spelling",
        "captan captain",
        "FULLSCOREINFO",
    ];
    let [two, three] = server.map(|mut connection| {
        let frame = connection.raw(&query);
        <respec::reply::SpellCheck as respec::reply::Decode>::decode(frame.reply()).unwrap()
    });
    assert_eq!(two, three);
    assert_eq!(two.total_docs, Some(6));
    let known: Vec<_> = two.terms.iter().map(|term| term.known).collect();
    assert_eq!(known, [false, true]);
}

#[test]
fn completions_have_scores_and_payloads() {
    let mut server = Connection::both(shared(Variant::Redis82));
    server[0].send(cmd::ft_sugadd("completions", "hello world", 2).payload("more"));
    server[0].send(cmd::ft_sugadd("completions", "hello there", 1.5));
    let all = cmd::ft_sugget("completions", "hel")
        .withscores()
        .withpayloads();
    let found = same(&mut server, all).unwrap().suggestions;
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].text, "hello world");
    assert_eq!(found[0].payload.as_deref(), Some(&b"more"[..]));
    assert_eq!(found[1].payload, None);
    assert!(found[0].score > found[1].score);
    same(
        &mut server,
        cmd::ft_sugget("completions", "hel").withscores(),
    );
    same(
        &mut server,
        cmd::ft_sugget("completions", "hel").withpayloads(),
    );
    let none = cmd::ft_sugget("completions", "xyz")
        .withscores()
        .withpayloads();
    let none = same(&mut server, none);
    assert!(none.is_none_or(|none| none.suggestions.is_empty()));
}

#[cfg(feature = "blocking")]
#[test]
fn the_blocking_client_has_the_methods() {
    use respec::prelude::*;

    let client = respec::blocking::Client::connect(&shared(Variant::Redis82).url()).unwrap();
    let schema = (Field::text("t"), Field::numeric("n").sortable());
    client
        .ft_create("blocking", schema)
        .prefix("blocking:")
        .send()
        .unwrap();
    client.ft_alter("blocking", Field::tag("g")).send().unwrap();
    let found: SearchResult = client
        .ft_search("blocking", "*")
        .withscores()
        .send()
        .unwrap();
    assert_eq!(found.total_results, 0);
    let aggregate = client
        .ft_aggregate("blocking", "*")
        .groupby("@n", Reducer::count());
    let (rows, cursor): (AggregateResult, u64) = aggregate.withcursor().send().unwrap();
    assert_eq!((rows.results.len(), cursor), (0, 0));
    let profile = client
        .ft_profile(cmd::ft_search("blocking", "*"))
        .limited()
        .send()
        .unwrap();
    assert!(matches!(profile, Value::Array(_) | Value::Map(_)));
    // No server here has it, and the error is its answer.
    let hybrid = client
        .ft_hybrid("blocking", "sea", ("@v", "$x"))
        .send()
        .unwrap_err();
    assert_eq!(hybrid.command(), Some("FT.HYBRID"));
}

#[cfg(feature = "async")]
#[tokio::test]
async fn the_async_client_has_the_methods() {
    use respec::prelude::*;

    let client = respec::Client::connect(&shared(Variant::Redis82).url())
        .await
        .unwrap();
    client
        .ft_createifnx("async", Field::text("t"))
        .prefix("async:")
        .await
        .unwrap();
    client.ft_alterifnx("async", Field::tag("g")).await.unwrap();
    let found: SearchResult = client.ft_search("async", "*").nocontent().await.unwrap();
    assert_eq!(found.total_results, 0);
    let both = (
        cmd::ft_search("async", "*"),
        cmd::ft_aggregate("async", "*").load("@t"),
    );
    let (found, rows) = client.pipeline(both).await.unwrap();
    assert_eq!((found.total_results, rows.results.len()), (0, 0));
}
