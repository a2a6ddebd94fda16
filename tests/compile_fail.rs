//! Programs that must not compile, each with the message that a user would read.

#![cfg(all(feature = "async", feature = "blocking", feature = "core"))]

#[test]
fn wrong_calls_do_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}
