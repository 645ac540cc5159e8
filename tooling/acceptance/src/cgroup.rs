//! Limits on the memory of a process: a cgroup of its own, if this user may make one.
//! <https://docs.kernel.org/admin-guide/cgroup-v2.html>

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io};

/// A cgroup with a limit on its memory; removed when dropped, after its last process has ended.
#[derive(Debug)]
pub struct Cgroup {
    folder: PathBuf,
    version: Version,
}

#[derive(Clone, Copy, Debug)]
enum Version {
    One,
    Two,
}

impl Cgroup {
    /// Makes a cgroup in which processes may take so many bytes together, page cache included; the
    /// kernel kills one of them if they need more.
    ///
    /// # Errors
    ///
    /// If this system or user has no cgroups for memory.
    pub fn new(name: &str, bytes: u64) -> io::Result<Self> {
        let root = Path::new("/sys/fs/cgroup");
        let controllers = fs::read_to_string(root.join("cgroup.subtree_control"));
        let (parent, version, limit) = match controllers {
            Ok(controllers) if controllers.split_whitespace().any(|name| name == "memory") => {
                (root.to_owned(), Version::Two, "memory.max")
            }
            _ => (root.join("memory"), Version::One, "memory.limit_in_bytes"),
        };
        if !parent.join("cgroup.procs").exists() {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "no cgroups for memory"));
        }
        let folder = parent.join(format!("prism-{name}-{}", std::process::id()));
        fs::create_dir(&folder)?;
        let cgroup = Cgroup { folder, version };
        fs::write(cgroup.folder.join(limit), bytes.to_string())?;
        Ok(cgroup)
    }

    /// The command, to be run in this cgroup.
    pub fn enter(&self, command: &Command) -> Command {
        let mut wrapped = Command::new("sh");
        wrapped
            .args(["-c", r#"echo $$ > "$0" && exec "$@""#])
            .arg(self.folder.join("cgroup.procs"))
            .arg(command.get_program())
            .args(command.get_args());
        if let Some(folder) = command.get_current_dir() {
            wrapped.current_dir(folder);
        }
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => wrapped.env(name, value),
                None => wrapped.env_remove::<&OsStr>(name),
            };
        }
        wrapped
    }

    /// How often the kernel has killed a process of it for want of memory.
    ///
    /// # Errors
    ///
    /// If the kernel does not say it.
    pub fn kills(&self) -> io::Result<u64> {
        let file = match self.version {
            Version::One => "memory.oom_control",
            Version::Two => "memory.events",
        };
        let text = fs::read_to_string(self.folder.join(file))?;
        let line = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
        line.and_then(|count| count.trim().parse().ok())
            .ok_or_else(|| io::Error::other(format!("no count of kills: {text}")))
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // Stays, empty, if a process has not ended yet.
        let _ = fs::remove_dir(&self.folder);
    }
}

/// The most memory that a process had resident at any time, in bytes.
///
/// # Errors
///
/// If there is no such process, or the system does not say it.
pub fn peak(process: u32) -> io::Result<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|size| size.trim().strip_suffix(" kB")?.parse::<u64>().ok())
        .map(|kib| kib * 1024)
        .ok_or_else(|| io::Error::other("the system does not say how much memory was resident"))
}
