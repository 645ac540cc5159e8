//! The schema's history, and what is on disk already.

use std::fmt::Display;

prism_options::catalog! {
    "P0601" Error lock_unreadable(path: impl Display, reason: &str)
        "'{path}' is no schema lock: {reason}", "",
        "restore the file from version control: it says what the database looks like";
    "P0602" Error lock_missing(path: impl Display, folder: impl Display)
        "there are migrations in '{folder}', and no '{path}'", "",
        "restore the lock from version control; where no database has to be kept, delete the migrations too and generate again";
    "P0603" Error changed(count: &str, command: &str, list: &str)
        "the schema has changed since the last migration ({count})", "",
        "run `{command}` and commit what it writes. What changed:{list}";
    "P0604" Error not_ours(path: impl Display)
        "'{path}' was not written by Prism", "",
        "move the file away or choose another output folder (--out); Prism replaces only files with its own header";
    "P0605" Error disk(reason: impl Display)
        "the output cannot be written: {reason}", "",
        "check the path and its permissions";
    "P0606" Error stale(count: usize, list: &str)
        "{count} generated files are not up to date:{list}", "",
        "run the same command without `--check`, and commit what it writes";
    "P0607" Error migration_missing(path: impl Display)
        "the migration '{path}' is not there", "",
        "restore it from version control: databases have been made with it";
    "P0608" Error refused(cause: &str, help: &str)
        "{cause}", "no migration can do this", "{help}";
    "P0610" Error left_over(path: impl Display)
        "the migration '{path}' is not one that leads to the schema lock", "",
        "a run of `prism migrate diff` that broke off left it, or it comes from another branch: restore the lock that it belongs to, or delete it and those after it and run `prism migrate diff` again";
    "P0609" Error unaccepted(cause: &str, meaning: &str, code: &str)
        "{cause}", "has to be accepted",
        "{meaning}; if this is meant, run `prism migrate diff` again with --accept {code}";
    "P0620" Error runtime_out_of_reach(path: &str)
        "an image cannot be built with prism-runtime at '{path}'", "",
        "--deploy needs prism-runtime at a relative --runtime-path, or its published version";
    "P0621" Error no_runtime(path: &str, why: impl Display)
        "prism-runtime is not at '{path}': {why}", "",
        "--runtime-path leads from the output folder to the folder with the Cargo.toml of prism-runtime; without it, the published version is used";
}
