//! Sample calls of the commands that are written by hand, and some that need values no rule can
//! spell.

use respec::{
    cmd,
    commands::search::{
        DistanceMetric, Field, Highlight, QueryType, QueryWords, RadiusType, Reducer, Summarize,
        VectorAlgorithm, VectorType,
    },
};

use crate::catalogue::{Filling, Need};

pub(crate) const COMMANDS: &[fn(&mut Filling)] =
    &[payloads, limits, indexes, searches, aggregates, texts];

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

fn indexes(to: &mut Filling) {
    let vector = || VectorAlgorithm::flat(VectorType::Float32, 2, DistanceMetric::L2);
    let create = || cmd::ft_create("new", Field::text("title"));
    to.add("minimal", &[], create());
    to.add("prefix", &[], create().prefix(["doc:", "book:"]));
    to.add("stopwords", &[], create().stopwords(["the"]));
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
    to.add(
        "fields",
        &[],
        cmd::ft_create(
            "new",
            (
                Field::text("t").weight(2).nostem().sortable(),
                Field::tag("g").separator(';').casesensitive(),
                Field::numeric("n").sortable().noindex(),
                Field::geo("p"),
                Field::geoshape("s").flat(),
                Field::vector("v", vector()),
            ),
        ),
    );
    to.add(
        "minimal",
        &[],
        cmd::ft_createifnx("idx", Field::text("title")),
    );
    to.add("minimal", &[], cmd::ft_alter("idx", Field::tag("more")));
    let skipping = cmd::ft_alter("idx", Field::vector("more", vector())).skipinitialscan();
    to.add("skipinitialscan", &[], skipping);
    to.add("minimal", &[], cmd::ft_alterifnx("idx", Field::tag("more")));
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
    let near = cmd::ft_search("idx", "*").geofilter("place", 13, 38, 100, RadiusType::Km);
    to.add("geofilter", &[], near);
    to.add("inkeys", &[], search().inkeys(["doc:1", "doc:2"]));
    to.add("infields", &[], search().infields(["title"]));
    to.add("return", &[], search().r#return(["title", "tag"]));
    to.add("summarize", &[], search().summarize(Summarize::new()));
    to.add("highlight", &[], search().highlight(Highlight::new()));
    to.add("slop", &[], search().slop(1).inorder());
    to.add("timeout", &[], search().timeout(500));
    to.add("language", &[], search().language("english"));
    to.add("scorer", &[], search().scorer("TFIDF"));
    to.add("explainscore", &[], search().withscores().explainscore());
    to.add("sortby", &[], search().sortby("n"));
    to.add("limit", &[], search().limit(0, 1));
    let asked = cmd::ft_search("idx", "@tag:{$x}").params([("x", "y")]);
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
    to.add("load", &[], aggregate().load(["@title", "@n"]));
    to.add("loadall", &[], aggregate().loadall());
    to.add("addscores", &[], aggregate().addscores().load("@n"));
    let scored = aggregate().scorer("TFIDF").addscores().load("@n");
    to.add("scorer + addscores", &[], scored);
    let newer = [Need::new(Some("8.4.0"), None)];
    to.add("withcount", &newer, aggregate().withcount());
    let counted = || aggregate().groupby("@tag", Reducer::count().alias("count"));
    to.add("groupby", &[], counted());
    to.add("sortby", &[], counted().sortby("@count"));
    let applied = aggregate().load("@n").apply("@n + 1", "m").filter("@m > 1");
    to.add("apply", &[], applied.limit(0, 1));
    to.add(
        "withcursor",
        &[],
        aggregate().load("@n").withcursor().count(1),
    );
    to.add("minimal", &[], cmd::ft_hybrid("idx", "hello", ("@v", "$x")));
    let profiled = cmd::ft_profile(aggregate());
    to.add("aggregate", &[], profiled);
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
