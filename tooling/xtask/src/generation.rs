//! `cargo xtask generation`: how long a large schema takes.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::time::{Duration, Instant};

const ENTITIES: usize = 200;
const FIELDS: usize = 10;
const LIMIT: Duration = Duration::from_secs(2);

/// Generates a crate of 200 entities with 2,000 fields, each with a service, and prints the time.
///
/// # Errors
///
/// Where it takes more than two seconds.
pub fn run() -> Result<(), Box<dyn Error>> {
    let scratch = tempfile::tempdir()?;
    let file = scratch.path().join("large.proto");
    fs::write(&file, schema())?;
    let start = Instant::now();
    prism_codegen::configure()
        .whole_crate()
        .include(scratch.path())
        .out_dir(scratch.path().join("out"))
        .generate(&[file])?;
    let taken = start.elapsed();
    println!("{ENTITIES} entities with {} fields: {taken:.2?}", ENTITIES * FIELDS);
    if taken > LIMIT {
        return Err(format!("more than {LIMIT:?}; is this a build without optimizations?").into());
    }
    Ok(())
}

fn schema() -> String {
    let mut text =
        "syntax = \"proto3\";\npackage large;\nimport \"prism/options.proto\";\n".to_owned();
    for entity in 0..ENTITIES {
        let fields: String = (2..=FIELDS)
            .map(|number| format!("  optional string field_{number} = {number};\n"))
            .collect();
        // Writing to a string does not fail.
        let _ = write!(
            text,
            "message E{entity} {{
  option (prism.message) = {{namespace: \"e{entity}\"}};
  string id = 1 [(prism.field).index = INDEX_KIND_PRIMARY];
{fields}}}
service E{entity}Service {{
  option (prism.service) = {{entity: \"E{entity}\"}};
  rpc GetE{entity}(GetE{entity}Request) returns (E{entity});
  rpc PutE{entity}(PutE{entity}Request) returns (E{entity});
}}
message GetE{entity}Request {{
  string id = 1;
}}
message PutE{entity}Request {{
  E{entity} e{entity} = 1;
}}
"
        );
    }
    text
}
