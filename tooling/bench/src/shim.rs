//! A library that makes every flush of a file take a fixed time, and flush nothing.
//!
//! It is C, because what it replaces is the C library's, and is compiled when the benchmark
//! needs it.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::Command;

const SOURCE: &str = include_str!("shim.c");

/// Compiles the library into `directory`; `None` where there is no C compiler.
pub fn build(directory: &Path) -> io::Result<Option<PathBuf>> {
    let (source, library) = (directory.join("shim.c"), directory.join("shim.so"));
    std::fs::write(&source, SOURCE)?;
    let compiled = Command::new("cc")
        .args(["-O2", "-shared", "-fPIC", "-o"])
        .args([&library, &source])
        .status();
    match compiled {
        Ok(status) if status.success() => Ok(Some(library)),
        Ok(status) => Err(io::Error::other(format!("cc: {status}"))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
