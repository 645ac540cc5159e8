//! Findings made while annotations are read.

crate::catalog! {
    "P0010" Error without_definition()
        "an annotation of Prism in a descriptor set that does not hold `prism/options.proto`",
        "annotated here",
        "build the descriptor set with its imports: `buf build -o`, or `protoc --include_imports`";
    "P0011" Error other_definition(extension: &str)
        "`({extension})` is not the annotation that this version of Prism defines",
        "annotated here",
        "use the `prism/options.proto` that comes with Prism: it is built in and needs no include path";
    "P0012" Error newer_option(extension: &str)
        "`({extension})` holds a value that this version of Prism does not know",
        "annotated here",
        "use a newer version of Prism, or remove what its `prism/options.proto` does not define";
}
