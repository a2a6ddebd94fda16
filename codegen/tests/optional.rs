//! Which options can be left out at run time.

use std::path::Path;

use respec_codegen::{
    load::Spec,
    model::{Model, Opt, OptKind},
    names::Names,
    render,
};

/// Why no setter of an option takes `None`, and no `if` around it leaves it out; nothing where one
/// does.
fn why_not(option: &Opt) -> Option<&'static str> {
    let same_type = option.slot.is_none();
    match &option.kind {
        _ if same_type => None,
        _ if option.decides => Some("the reply depends on it"),
        OptKind::Flag { .. } => Some("a flag whose own options follow"),
        // One value may be an `Option`, an empty list is none, and of several at once there is `maybe_…`.
        OptKind::Values { .. } | OptKind::Steps { .. } => None,
        OptKind::Choice {
            setter, nullable, ..
        } => (setter.is_none() || !nullable).then_some("a choice"),
    }
}

/// The setters of an option in the generated code, with what they take.
fn shown(command: &str) -> String {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../commands-spec");
    let spec = Spec::load(&dir).unwrap();
    let model = Model::build(&spec, &Names::load(&dir).unwrap()).unwrap();
    render::command(command, &model, &spec).unwrap().unwrap()
}

#[test]
fn setters_take_what_may_be_absent() {
    for (command, parts) in [
        ("GEOSEARCH", &["count: impl Maybe<dyn Integer>"][..]),
        (
            "XADD",
            &["threshold: impl Maybe<Arg<'a>>", "pub fn maybe_trim("],
        ),
        ("BITCOUNT", &["pub fn maybe_range("]),
        ("JSON.ARRPOP", &["path: impl Maybe<Arg<'a>>"]),
        ("FAILOVER", &["pub fn maybe_to("]),
        ("TS.MRANGE", &["pub fn maybe_aggregation("]),
        ("HELLO", &["protover: impl Maybe<dyn Integer>"]),
        // The reply depends on it, so that its type has to.
        ("LPOP", &["count: impl Integer"]),
    ] {
        let code = shown(command);
        for part in parts {
            assert!(code.contains(part), "{command}: {part}\n{code}");
        }
    }
}

#[test]
fn d14_what_does_not_decide_about_the_reply_can_be_left_out_at_run_time() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../commands-spec");
    let model = Model::build(&Spec::load(&dir).unwrap(), &Names::load(&dir).unwrap()).unwrap();
    let (mut free, mut decides) = (0, 0);
    let mut others = Vec::new();
    for command in model.groups.values().flat_map(|group| &group.commands) {
        for option in &command.options {
            match why_not(option) {
                None => free += 1,
                Some("the reply depends on it") => decides += 1,
                Some(why) => others.push(format!("{} {}: {why}", command.method, option.field)),
            }
        }
    }
    println!("{free} can be left out, the reply depends on {decides}");
    assert!(free > 400 && decides > 40, "{free} and {decides}");
    assert_eq!(others, [""; 0], "cannot be left out");
}
