//! What misuse of the derives reports. After a change that is meant:
//! `TRYBUILD=overwrite cargo test -p prism-derive --test ui`.

#[test]
fn misuse_is_explained() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
