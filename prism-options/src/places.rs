//! `SourceCodeInfo` of one file, by path.

use prost_reflect::FileDescriptor;
use prost_types::source_code_info::Location;

/// Locations of a file, ordered by path.
#[derive(Debug, Default)]
pub(crate) struct Places {
    sorted: Vec<Location>,
}

impl Places {
    pub fn new(file: &FileDescriptor) -> Self {
        let info = file.file_descriptor_proto().source_code_info.as_ref();
        let mut sorted = info.map(|info| info.location.clone()).unwrap_or_default();
        sorted.sort_by(|a, b| a.path.cmp(&b.path));
        Places { sorted }
    }

    /// The first location of exactly this path.
    pub fn get(&self, path: &[i32]) -> Option<&Location> {
        let start = self.start(path);
        self.sorted.get(start).filter(|location| location.path == path)
    }

    /// Every location whose path begins with this one.
    pub fn below<'a>(&'a self, path: &'a [i32]) -> impl Iterator<Item = &'a Location> {
        self.sorted[self.start(path)..]
            .iter()
            .take_while(|location| location.path.starts_with(path))
    }

    fn start(&self, path: &[i32]) -> usize {
        self.sorted.partition_point(|location| location.path.as_slice() < path)
    }
}
