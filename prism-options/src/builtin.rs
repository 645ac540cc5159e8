//! The protos that Prism brings along, so that nobody needs an include path for them.

/// Import name and text of every built-in file, imported ones first. The copies in this crate are
/// written by `cargo xtask protos` and equal to the repository's `proto/`.
pub const FILES: &[(&str, &str)] = &[
    ("prism/options.proto", include_str!("../proto/prism/options.proto")),
    ("prism/common/errors.proto", include_str!("../proto/prism/common/errors.proto")),
    ("prism/common/metadata.proto", include_str!("../proto/prism/common/metadata.proto")),
    ("prism/common/types.proto", include_str!("../proto/prism/common/types.proto")),
    ("prism/keyvalue/v1/types.proto", include_str!("../proto/prism/keyvalue/v1/types.proto")),
    ("prism/keyvalue/v1/keyvalue.proto", include_str!("../proto/prism/keyvalue/v1/keyvalue.proto")),
    ("prism/timeseries/v1/types.proto", include_str!("../proto/prism/timeseries/v1/types.proto")),
    (
        "prism/timeseries/v1/timeseries.proto",
        include_str!("../proto/prism/timeseries/v1/timeseries.proto"),
    ),
];

/// The files of `google/api` whose annotations Prism reads, imported ones first, as googleapis
/// publishes them. A copy in an include folder comes before them.
pub const GOOGLE_API: &[(&str, &str)] = &[
    ("google/api/http.proto", include_str!("../proto/google/api/http.proto")),
    ("google/api/annotations.proto", include_str!("../proto/google/api/annotations.proto")),
    ("google/api/field_behavior.proto", include_str!("../proto/google/api/field_behavior.proto")),
    ("google/api/resource.proto", include_str!("../proto/google/api/resource.proto")),
];

/// The text of one of [`GOOGLE_API`].
pub fn google_api(name: &str) -> Option<&'static str> {
    GOOGLE_API.iter().find(|(file, _)| *file == name).map(|(_, text)| *text)
}

/// The text of a built-in file of Prism.
pub fn text(name: &str) -> Option<&'static str> {
    FILES.iter().find(|(file, _)| *file == name).map(|(_, text)| *text)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    /// A crate outside of the repository has no `proto/` beside it.
    #[test]
    fn the_copies_are_current() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../proto");
        for (name, text) in super::FILES {
            if let Ok(original) = std::fs::read_to_string(root.join(name)) {
                assert_eq!(&original, text, "{name}: run `cargo xtask protos`");
            }
        }
    }
}
