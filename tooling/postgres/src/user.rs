//! The user that the server runs as: Postgres refuses to run as root.

use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use super::Error;

/// Users that a server may run as where this process is root's.
const UNPRIVILEGED: [&str; 2] = ["postgres", "nobody"];

/// The user of the server: this process's, or an unprivileged one where that is root.
#[derive(Clone, Copy, Debug)]
pub(crate) struct User {
    /// User and group; none: this process's.
    other: Option<(u32, u32)>,
}

impl User {
    /// `folder` is one that this process has made.
    pub(crate) fn for_server(folder: &Path) -> Result<Self, Error> {
        let owner = std::fs::metadata(folder).map(|data| data.uid());
        if owner.map_err(|error| Error::new(error.to_string()))? != 0 {
            return Ok(User { other: None });
        }
        let found = UNPRIVILEGED.iter().find_map(|name| Some((id("-u", name)?, id("-g", name)?)));
        match found {
            Some(other) => Ok(User { other: Some(other) }),
            None => Err(Error::new(
                "Postgres does not run as root, and there is no user `postgres` or `nobody`",
            )),
        }
    }

    /// Gives a folder to the user.
    pub(crate) fn own(self, folder: &Path) -> std::io::Result<()> {
        match self.other {
            Some((user, group)) => std::os::unix::fs::chown(folder, Some(user), Some(group)),
            None => Ok(()),
        }
    }

    /// A command that runs as the user.
    pub(crate) fn command(self, program: &Path) -> Command {
        let mut command = Command::new(program);
        if let Some((user, group)) = self.other {
            command.uid(user).gid(group);
        }
        command
    }
}

fn id(what: &str, name: &str) -> Option<u32> {
    let output = Command::new("id").args([what, name]).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}
