//! The corpus of wrong schemas: one file a mistake in `tests/diagnostics`, and beside it exactly
//! what the user is told. `PRISM_BLESS=1 cargo test -p prism-codegen --test diagnostics` writes
//! the expected texts anew.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use prism_codegen::check::check;
use prism_codegen::descriptors::{Inputs, load};
use prism_codegen::diagnostics::{Diagnostics, Format, catalog, render};
use prism_codegen::lower::lower;

const CORPUS: &str = "tests/diagnostics";

/// What the stages report for one file, up to the first that finds errors.
fn report(file: &Path) -> Diagnostics {
    let inputs = Inputs {
        includes: vec![CORPUS.into(), format!("{CORPUS}/include").into()],
        files: vec![file.to_owned()],
        descriptor_set: None,
    };
    let loaded = match load(&inputs) {
        Ok(loaded) => loaded,
        Err(found) => return found,
    };
    let mut found = loaded.warnings.clone();
    let (schema, lowered) = lower(&loaded);
    found.extend(lowered);
    if !found.has_errors() {
        found.extend(check(&schema));
    }
    found
}

/// Every file of the corpus with its report.
static REPORTS: LazyLock<Vec<(PathBuf, Diagnostics)>> = LazyLock::new(|| {
    let with_report = |file: PathBuf| {
        let found = report(&file);
        (file, found)
    };
    files("proto").into_iter().map(with_report).collect()
});

fn files(extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(CORPUS).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|it| it == extension)).collect();
    files.sort();
    files
}

#[test]
fn every_mistake_is_reported_as_expected() {
    let bless = std::env::var_os("PRISM_BLESS").is_some();
    let mut failures = Vec::new();
    for (file, found) in REPORTS.iter() {
        assert!(!found.is_empty(), "{}: nothing found", file.display());
        let text = render(found, Format::Plain);
        let expected = file.with_extension("stderr");
        if bless {
            fs::write(&expected, &text).unwrap();
        } else if fs::read_to_string(&expected).unwrap_or_default() != text {
            failures.push(format!("{}:\n{text}", file.display()));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn every_expectation_has_its_mistake() {
    for expected in files("stderr") {
        assert!(expected.with_extension("proto").exists(), "{}", expected.display());
    }
}

/// Findings that no single `.proto` file can cause: they are about paths and descriptor sets.
const ELSEWHERE: &[&str] = &[
    "P0004", "P0005", "P0008", "P0009", "P0013", "P0014", "P0015", "P0016", "P0017", "P0018",
    "P0019", "P0020", "P0021", "P0023",
];

#[test]
fn every_finding_of_the_catalog_is_in_the_corpus() {
    let tables = [
        catalog::load::TABLE,
        catalog::entity::TABLE,
        catalog::field::TABLE,
        catalog::index::TABLE,
    ]
    .into_iter()
    .chain([catalog::service::TABLE, catalog::role::TABLE]);
    let codes: Vec<&str> = tables.flatten().map(|(code, _)| *code).collect();
    assert_eq!(codes.len(), codes.iter().collect::<BTreeSet<_>>().len(), "a code is used twice");
    let corpus: String =
        files("stderr").iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    let missing: Vec<_> = codes
        .into_iter()
        .filter(|code| !ELSEWHERE.contains(code) && !corpus.contains(*code))
        .collect();
    assert_eq!(missing, Vec::<&str>::new());
}

#[test]
fn every_finding_says_where_and_what_to_do() {
    for (file, found) in REPORTS.iter() {
        for finding in found.iter() {
            let message = &finding.message;
            assert!(!finding.help.is_empty(), "{}: no help: {message}", file.display());
            assert!(!message.ends_with('.'), "{}: full stop: {message}", file.display());
            assert!(finding.label.span.line > 0, "{}: no place: {message}", file.display());
        }
    }
}

#[test]
fn json_and_drawings_hold_the_same_findings() {
    for (file, found) in REPORTS.iter() {
        let json = render(found, Format::Json);
        assert_eq!(json.lines().count(), found.len());
        let drawn = render(found, Format::Fancy);
        for (line, finding) in json.lines().zip(found.iter()) {
            let object: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!(object["code"], finding.code);
            assert_eq!(object["line"], finding.label.span.line);
            assert!(drawn.contains(finding.code), "{}", file.display());
        }
    }
}
