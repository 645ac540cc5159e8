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
        includes: vec![file.parent().unwrap().into(), format!("{CORPUS}/include").into()],
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
    "P0019", "P0020", "P0021", "P0023", "P0024", "P0025", "P0026", "P0027",
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
    .chain([catalog::service::TABLE, catalog::role::TABLE, catalog::warning::TABLE]);
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

/// Corpus files whose help says to change something other than the file.
const NOT_BY_EDITING: &[(&str, &str)] = &[
    ("editions", "the help line is about the whole file"),
    ("entity_elsewhere", "another file has to be named"),
    ("foreign_annotations", "the annotations may stay"),
    ("import_cycle", "another file has to be changed"),
    ("import_that_is_no_path", "the imported file has to be in an include folder"),
    ("missing_import", "another include folder has to be named"),
    ("not_enforced", "the options may stay"),
];

/// Corpus files whose help quotes no whole words that the fix writes.
const FREE_FORM: &[(&str, &str)] = &[
    ("field_with_a_dash", "a character of a name is replaced"),
    ("unexpected_end", "what was left open, only the user knows"),
];

/// What a user writes who follows the help lines: the lines that are replaced, and what replaces
/// them.
type Fix = Vec<(String, String)>;

/// Beside a corpus file is `NAME.fix`: blocks of lines that are replaced (`-`) and of those that
/// replace them (`+`).
fn fix(text: &str) -> Fix {
    let side = |block: &str, mark: char| -> String {
        let lines = block.lines().filter_map(|line| line.strip_prefix(mark));
        lines.map(|line| format!("{line}\n")).collect()
    };
    text.trim_end().split("\n\n").map(|block| (side(block, '-'), side(block, '+'))).collect()
}

fn follow(text: &str, fix: &Fix) -> String {
    let mut fixed = text.to_owned();
    for (old, new) in fix {
        assert_eq!(fixed.matches(old).count(), 1, "{old}");
        fixed = fixed.replacen(old, new, 1);
    }
    fixed
}

/// The quoted parts of a help line. Texts keep their quotes, so that "things" is not found in "things-".
fn quoted(help: &str) -> Vec<String> {
    let parts = |mark| help.split(mark).skip(1).step_by(2);
    let texts = parts('"').map(|text| format!("\"{text}\""));
    parts('`').map(str::to_owned).chain(texts).collect()
}

/// Words, and each other character.
fn tokens(text: &str) -> Vec<String> {
    let apart = |it: char| match it.is_ascii_alphanumeric() || it == '_' {
        true => it.to_string(),
        false => format!(" {it} "),
    };
    let text: String = text.chars().map(apart).collect();
    text.split_whitespace().map(str::to_owned).collect()
}

/// Whether a block of the fix writes something once more than before. A declaration was not there
/// if it had another label.
fn writes(fix: &Fix, part: &str) -> bool {
    const LABELS: [&str; 3] = ["optional", "repeated", "required"];
    let is_label = |word: Option<&String>| word.is_some_and(|it| LABELS.contains(&it.as_str()));
    let count = |text: &str, part: &[String]| {
        let text = tokens(text);
        let labelled = |at: usize| is_label(at.checked_sub(1).and_then(|before| text.get(before)));
        let found = text.windows(part.len().max(1)).enumerate();
        found.filter(|(at, window)| *window == part && !labelled(*at)).count()
    };
    // A name of the same package may be written without it.
    [part.to_owned(), part.replace("acme.v1.", "")].iter().any(|part| {
        let part = tokens(part);
        fix.iter().any(|(old, new)| count(new, &part) > count(old, &part))
    })
}

/// Whether a block of the fix gives an option another value.
fn sets(fix: &Fix, option: &str) -> bool {
    let value = |text: &str| -> Option<String> {
        let text = squeezed(text);
        let (_, value) =
            text.split_once(&format!("{option}:")).or(text.split_once(&format!("{option}=")))?;
        Some(value.split([',', ';', ']', '}']).next().unwrap_or_default().to_owned())
    };
    fix.iter().any(|(old, new)| value(new).is_some() && value(new) != value(old))
}

/// Whether a block of the fix only takes something away.
fn removes(fix: &Fix) -> bool {
    let shrinks = |(old, new): &(String, String)| {
        let (old, new) = (tokens(old), tokens(new));
        let count = |words: &[String], word: &String| words.iter().filter(|it| *it == word).count();
        old.len() > new.len() && new.iter().all(|word| count(&new, word) <= count(&old, word))
    };
    fix.iter().any(shrinks)
}

fn squeezed(text: &str) -> String {
    text.split_whitespace().collect()
}

#[test]
fn a_user_who_follows_the_help_passes_the_next_run() {
    let mut failures = Vec::new();
    let folder = tempfile::tempdir().unwrap();
    for (file, found) in REPORTS.iter() {
        let name = file.file_stem().unwrap().to_str().unwrap();
        let fix = fs::read_to_string(file.with_extension("fix"));
        if NOT_BY_EDITING.iter().any(|(other, _)| *other == name) {
            assert!(fix.is_err(), "{name} has a fix");
            continue;
        }
        let fix = fix.unwrap_or_else(|_| panic!("{name}.fix is missing"));
        let fix = self::fix(&fix);
        let text = follow(&fs::read_to_string(file).unwrap(), &fix);
        let fixed = folder.path().join(file.file_name().unwrap());
        fs::write(&fixed, &text).unwrap();
        let after = report(&fixed);
        let warned = found.iter().any(|finding| finding.code == "P0903");
        // The next run passes with warnings denied too, unless they were there before: what is not
        // enforced may stay.
        let found = || found.iter().filter(|finding| finding.code != "P0903");
        let kept = |code: &str| code == "P0903" && warned;
        if after.iter().any(|finding| !kept(finding.code)) {
            failures.push(format!("{name}: {}", render(&after, Format::Plain)));
        }
        for finding in found() {
            let quoted = quoted(&finding.help);
            let written = quoted.iter().any(|part| writes(&fix, part) || sets(&fix, part));
            let verbs = ["remove", "leave", "move", "without"];
            let removed = verbs.iter().any(|verb| finding.help.contains(verb)) && removes(&fix);
            let free = FREE_FORM.iter().any(|(other, _)| *other == name);
            if !(quoted.is_empty() || written || removed || free) {
                failures.push(format!("{name}: the fix does not follow: {}", finding.help));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
