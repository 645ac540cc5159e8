//! What the system's package manager installs.

use std::process::{Command, Stdio};

use prism_postgres::{Error, Programs};

/// The Debian packages of these names, where apt-get may install them: as root, in CI. Where it may
/// not, what needs them says so.
pub fn install(packages: &[&str]) {
    if packages.is_empty() {
        return;
    }
    println!("installing with apt-get: {}", packages.join(" "));
    // Lists that are out of date may be good enough; the next command tells.
    let updated = apt(&["update"], &[]);
    if !apt(&["install", "--yes", "--no-install-recommends"], packages) {
        let why = if updated { "" } else { ": its lists cannot be updated either" };
        println!("apt-get cannot install them here{why}");
    }
}

/// The server's programs; installed where there are none and that is allowed: with apt-get as root,
/// or with Homebrew.
///
/// # Errors
///
/// Where there are none then: says how to install them.
pub fn postgres() -> Result<Programs, Error> {
    Programs::find().or_else(|_| {
        if runs("brew", &["--version"]) {
            println!("installing with Homebrew: postgresql@17");
            // What is missing afterwards is told below.
            let _ = Command::new("brew").args(["install", "postgresql@17"]).status();
        } else {
            install(&["postgresql"]);
        }
        Programs::find()
    })
}

/// Whether a program is there and ends well.
pub fn runs(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    let command = command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn apt(arguments: &[&str], packages: &[&str]) -> bool {
    let mut command = Command::new("apt-get");
    command.arg("--quiet").args(arguments).args(packages);
    // It asks nothing, and what it says goes where progress does.
    command.env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
