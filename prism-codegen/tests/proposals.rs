//! What help lines propose is written into the schema to the letter: it has to compile. That the
//! next run passes is what `tests/diagnostics.rs` checks, with fixes that people wrote.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use prism_codegen::descriptors::{Inputs, load};
use prism_codegen::diagnostics::{Diagnostics, Format, render};
use prism_codegen::lower::lower;

const CORPUS: &str = "tests/diagnostics";

fn inputs(file: &Path) -> Inputs {
    Inputs {
        includes: vec![file.parent().unwrap().into(), format!("{CORPUS}/include").into()],
        files: vec![file.to_owned()],
        descriptor_set: None,
    }
}

/// What a help line proposes to add to the file.
#[derive(Default)]
struct Proposal<'a> {
    imports: Vec<&'a str>,
    messages: Vec<&'a str>,
    /// A field, and the message that gets it.
    field: Option<(&'a str, &'a str)>,
}

impl<'a> Proposal<'a> {
    fn of(help: &'a str) -> Self {
        let quoted: Vec<&str> = help.split('`').collect();
        let mut found = Proposal::default();
        for (at, text) in quoted.iter().enumerate().skip(1).step_by(2) {
            let before = quoted[at - 1];
            match *text {
                path if before.ends_with("import ") => found.imports.push(path),
                message if before.ends_with("declare ") && message.starts_with("message ") => {
                    found.messages.push(message);
                }
                field if before.ends_with("add ") && quoted[at + 1] == " to " => {
                    found.field = Some((field, quoted[at + 2]));
                }
                _ => {}
            }
        }
        found
    }

    fn is_empty(&self) -> bool {
        self.messages.is_empty() && self.field.is_none()
    }

    /// Writes what is not there yet, as another help line may have said the same.
    fn write(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for import in &self.imports {
            if text.contains(&format!("import \"{import}\"")) {
                continue;
            }
            let package = text.find("package ").unwrap();
            let line = package + text[package..].find('\n').unwrap() + 1;
            text.insert_str(line, &format!("import \"{import}\";\n"));
        }
        if let Some((field, message)) = self.field
            && !text.contains(&format!(" {field} "))
        {
            let head = format!("message {message} {{");
            let body = text.find(&head).unwrap_or_else(|| panic!("no {head}")) + head.len();
            text.insert_str(body, &format!(" {field} "));
        }
        for message in &self.messages {
            if !text.contains(message) {
                text.push_str(&format!("\n{message}\n"));
            }
        }
        text
    }
}

/// What lowering finds in a file of the corpus that compiles.
fn findings(file: &Path) -> Option<Diagnostics> {
    let loaded = load(&inputs(file)).ok()?;
    Some(lower(&loaded).1)
}

/// The schema in proto2, whose fields have labels. One with a oneof does not compile then.
fn in_proto2(text: &str) -> String {
    let labelled = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            [ty, _, "=", ..] if line.starts_with(' ') && *ty != "option" => {
                let label = if line.contains("_KEY") || line.contains("PRIMARY") {
                    "required"
                } else {
                    "optional"
                };
                format!("  {label} {}\n", words.join(" "))
            }
            ["optional", rest @ ..] => format!("  optional {}\n", rest.join(" ")),
            _ => format!("{line}\n"),
        }
    };
    text.replace("\"proto3\"", "\"proto2\"").lines().map(labelled).collect()
}

/// The schema with messages whose numbers end soon.
fn in_few_numbers(text: &str) -> String {
    let bounded = |line: &str| match line.starts_with("message ") && line.ends_with('{') {
        true => format!("{line}\n  reserved 100 to max;\n"),
        false => format!("{line}\n"),
    };
    text.lines().map(bounded).collect()
}

/// Writes what the help lines for a schema propose, one by one and all together. Returns how many
/// there are.
fn try_proposals(file: &Path, text: &str, failures: &mut Vec<String>) -> usize {
    fs::write(file, text).unwrap();
    let Some(found) = findings(file) else { return 0 };
    let mut all = text.to_owned();
    let mut compile = |text: &str, help: &str| {
        fs::write(file, text).unwrap();
        if let Err(errors) = load(&inputs(file)) {
            failures.push(format!("{help}\n{}", render(&errors, Format::Plain)));
        }
    };
    let proposals = found.iter().map(|finding| (Proposal::of(&finding.help), &finding.help));
    let proposals: Vec<_> = proposals.filter(|(it, _)| !it.is_empty()).collect();
    for (proposal, help) in &proposals {
        compile(&proposal.write(text), help);
        all = proposal.write(&all);
    }
    // Help lines of one file do not contradict each other.
    compile(&all, "all together");
    proposals.len()
}

#[test]
fn what_help_proposes_to_add_compiles() {
    let scratch = tempfile::tempdir().unwrap();
    let mut entries: Vec<PathBuf> =
        fs::read_dir(CORPUS).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.retain(|path| path.extension().is_some_and(|it| it == "proto"));
    let (mut failures, mut tried) = (Vec::new(), [0; 3]);
    for file in entries {
        let text = fs::read_to_string(&file).unwrap();
        let copy = scratch.path().join(file.file_name().unwrap());
        let forms = [text.clone(), in_proto2(&text), in_few_numbers(&text)];
        for (count, form) in tried.iter_mut().zip(forms) {
            *count += try_proposals(&copy, &form, &mut failures);
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(tried.iter().all(|count| *count > 40), "only {tried:?} proposals were tried");
}
