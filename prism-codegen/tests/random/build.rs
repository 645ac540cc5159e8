//! Generates a crate of each random schema into `OUT_DIR`, and a file that names them as modules.
//! `PRISM_RANDOM_SCHEMAS` says how many there are, `PRISM_RANDOM_SEED` the seed of the first.

#[path = "src/generator/mod.rs"]
mod generator;

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

const SCHEMAS: u64 = 32;

fn main() -> Result<(), Box<dyn Error>> {
    let number = |name: &str, default: u64| -> Result<u64, Box<dyn Error>> {
        set(&format!("cargo::rerun-if-env-changed={name}"));
        Ok(env::var(name).map(|text| text.parse()).unwrap_or(Ok(default))?)
    };
    let (first, count) =
        (number("PRISM_RANDOM_SEED", 1)?, number("PRISM_RANDOM_SCHEMAS", SCHEMAS)?);
    set("cargo::rerun-if-changed=src/generator");
    set("cargo::rerun-if-changed=build.rs");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let mut modules = String::new();
    let mut table = String::new();
    let mut refused: Vec<String> = Vec::new();
    for seed in first..first + count {
        let folder = out.join(format!("s{seed}"));
        if let Err(error) = generate(seed, &folder) {
            refused.push(error.to_string());
            continue;
        }
        let library = folder.join("src/lib.rs");
        let text = fs::read_to_string(&library)?;
        let entities = paths(&text, ".entity::<", ">");
        let entities =
            entities.iter().map(|path| format!("<s{seed}::{path} as codegen::Entity>::schema,"));
        let services = paths(&text, "Unimplemented(", ")");
        let services = services.iter().map(|path| format!("s{seed}::{path},"));
        writeln!(modules, "#[path = {library:?}]\npub mod s{seed};")?;
        writeln!(
            table,
            "Compiled {{ seed: {seed}, folder: {folder:?}, schema: s{seed}::schema, \
             entities: &[{}], services: &[{}] }},",
            entities.collect::<String>(),
            services.collect::<String>(),
        )?;
    }
    if !refused.is_empty() {
        return Err(format!("{} refused:\n{}", refused.len(), refused.join("\n")).into());
    }
    let table = format!("{modules}pub const ALL: &[Compiled] = &[{table}];\n");
    Ok(fs::write(out.join("schemas.rs"), table)?)
}

/// Writes the `.proto` files of a seed, and what the generator makes of them.
fn generate(seed: u64, folder: &Path) -> Result<(), Box<dyn Error>> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    let protos = folder.join("proto");
    fs::create_dir_all(&protos)?;
    let mut files = Vec::new();
    for (name, text) in generator::files(seed) {
        files.push(protos.join(name));
        fs::write(protos.join(name), text)?;
    }
    let builder = prism_codegen::configure().whole_crate().include(&protos).out_dir(folder);
    let refused = |error| format!("seed {seed} in {}:\n{error}", protos.display());
    builder.generate(&files).map_err(refused)?;
    Ok(())
}

/// What stands between two texts, without white space and the comma of a line of its own.
fn paths(text: &str, start: &str, end: &str) -> Vec<String> {
    let parts = text.split(start).skip(1).filter_map(|part| part.split(end).next());
    let joined = |path: &str| path.split_whitespace().collect::<String>();
    parts.map(|path| joined(path).trim_end_matches(',').to_owned()).collect()
}

/// Tells Cargo something: build scripts speak to it on their standard output.
#[allow(clippy::print_stdout)]
fn set(line: &str) {
    println!("{line}");
}
