//! Descriptor sets in which names, numbers and whole elements were changed at random end in
//! findings or in files, never in a panic; and what is written holds no character that ends a
//! line or a comment. `PRISM_DAMAGED_SETS` says how many are tried.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use prism_codegen::descriptors::{Inputs, load};
use prism_codegen::diagnostics::{Format, render};
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, Value};

const SETS: u64 = 300;

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) % limit as u64) as usize
    }
}

const TEXTS: [&str; 24] = [
    "",
    "_",
    "__",
    "1",
    "a b",
    "a\nb",
    "a\r\nb",
    "x\"; DROP TABLE x; --",
    "*/ fn evil() {} /*",
    "..",
    "a..b",
    ".a",
    "../../etc",
    "/abs",
    "é",
    "\u{202e}abc",
    "type",
    "self",
    "crate",
    "\u{0}",
    "`x`",
    "{{ origin }}",
    "\\",
    "a.proto\n#![allow(x)]",
];

const NUMBERS: [i64; 10] =
    [0, 1, -1, 2, 3, 17, 19_500, i32::MAX as i64, i32::MIN as i64, 536_870_911];

/// Sets of `schemas/` and of the goldens, as a descriptor set of all files.
fn originals() -> Vec<Vec<u8>> {
    let golden = |files: &[&str], name: &str| {
        let root = Path::new("tests/goldens").join(name).join("proto");
        let files: Vec<PathBuf> = files.iter().map(|file| root.join(file)).collect();
        let inputs = Inputs { includes: vec![root], files, descriptor_set: None };
        load(&inputs).unwrap().descriptor_set
    };
    vec![
        fs::read("tests/schemas/orders.protoc.binpb").unwrap(),
        golden(&["a/legacy.proto", "a/select.proto", "b/select.proto"], "hostile"),
        golden(&["golden/types/v1/types.proto"], "types"),
    ]
}

/// Changes something in a message, or in one below it.
fn damage(random: &mut Random, message: &mut DynamicMessage) {
    let fields: Vec<_> = message.fields().map(|(field, _)| field).collect();
    if fields.is_empty() {
        return;
    }
    let field = &fields[random.below(fields.len())];
    if random.below(40) == 0 {
        return message.clear_field(field);
    }
    damage_value(random, message.get_field_mut(field));
}

fn damage_value(random: &mut Random, value: &mut Value) {
    match value {
        Value::Message(message) => damage(random, message),
        Value::List(items) if !items.is_empty() => {
            let at = random.below(items.len());
            match random.below(20) {
                0 => drop(items.remove(at)),
                1 => items.push(items[at].clone()),
                _ => damage_value(random, &mut items[at]),
            }
        }
        Value::String(text) if random.below(4) == 0 => text.push('\n'),
        Value::String(text) => *text = TEXTS[random.below(TEXTS.len())].to_owned(),
        Value::Bool(flag) => *flag = !*flag,
        Value::I32(number) => *number = NUMBERS[random.below(NUMBERS.len())] as i32,
        Value::I64(number) => *number = NUMBERS[random.below(NUMBERS.len())],
        Value::EnumNumber(number) => *number = random.below(20) as i32,
        _ => {}
    }
}

/// A set with one to three changes in files that are not built in.
fn damaged(seed: u64, originals: &[Vec<u8>]) -> Vec<u8> {
    let mut random = Random(seed);
    let pool = DescriptorPool::global();
    let set = pool.get_message_by_name("google.protobuf.FileDescriptorSet").unwrap();
    let bytes = &originals[random.below(originals.len())];
    let mut set = DynamicMessage::decode(set, bytes.as_slice()).unwrap();
    let files = set.get_field_by_name_mut("file").unwrap();
    let files = files.as_list_mut().unwrap();
    let own = |file: &Value| {
        let name = file.as_message().unwrap().get_field_by_name("name").unwrap();
        let name = name.as_str().unwrap().to_owned();
        !name.starts_with("google/") && !name.starts_with("prism/")
    };
    let own: Vec<usize> = (0..files.len()).filter(|&at| own(&files[at])).collect();
    for _ in 0..=random.below(3) {
        let at = own[random.below(own.len())];
        damage_value(&mut random, &mut files[at]);
    }
    set.encode_to_vec()
}

/// Files below a folder that are text.
fn texts(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            texts(&path, found);
        } else if path.extension().is_none_or(|extension| extension != "binpb") {
            found.push((path.clone(), fs::read_to_string(&path).unwrap()));
        }
    }
}

fn run(set: &Path, out: &Path) -> bool {
    let builder = prism_codegen::configure().whole_crate().deploy(true);
    let builder = builder.descriptor_set(set).out_dir(out);
    let made = builder.generate(&[]);
    if let Err(error) = &made {
        for format in [Format::Plain, Format::Fancy, Format::Json] {
            render(error.diagnostics(), format);
        }
        return false;
    }
    let mut found = Vec::new();
    texts(out, &mut found);
    assert!(found.len() > 5);
    for (path, text) in found {
        let hidden = text.chars().find(|c| (c.is_control() && *c != '\n') || *c == '\u{202e}');
        assert_eq!(hidden, None, "{}", path.display());
        assert!(!text.contains("\nDROP"), "{}", path.display());
    }
    true
}

#[test]
fn damaged_sets_end_in_findings_or_files() {
    let count = std::env::var("PRISM_DAMAGED_SETS").ok().and_then(|text| text.parse().ok());
    let originals = originals();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("set.binpb");
    let mut generated = 0;
    let mut failed = Vec::new();
    for seed in 0..count.unwrap_or(SETS) {
        fs::write(&path, damaged(seed, &originals)).unwrap();
        let out = folder.path().join(format!("out{seed}"));
        match catch_unwind(AssertUnwindSafe(|| run(&path, &out))) {
            Ok(made) => generated += u64::from(made),
            Err(_) => failed.push(seed),
        }
        let _ = fs::remove_dir_all(out);
    }
    assert!(failed.is_empty(), "{} sets: {failed:?}", failed.len());
    assert!(generated > 0, "every set was refused: nothing of what is written was looked at");
}
