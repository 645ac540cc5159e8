//! Reading files.

use std::fmt::Display;

prism_options::catalog! {
    "P0001" Error syntax(message: &str, label: &str, help: &str)
        "{message}", "{label}", "{help}";
    "P0002" Error missing_import(import: &str, help: &str)
        "import '{import}' not found", "imported here",
        "{help}";
    "P0003" Error import_cycle(cycle: &str)
        "files import each other: {cycle}", "part of the cycle",
        "move what they share into a file that imports none of them";
    "P0004" Error file_not_found(path: impl Display)
        "file '{path}' not found", "",
        "give a path from the current folder, or a name below one of the include folders (-I)";
    "P0005" Error not_included(path: impl Display, parent: impl Display)
        "file '{path}' is not below any include folder", "",
        "add `-I {parent}`, or the folder that its imports start from";
    "P0006" Error unresolved(message: &str, label: &str, help: &str)
        "{message}", "{label}", "{help}";
    "P0007" Error editions(edition: &str)
        "{edition} is not supported by this version of Prism", "an editions file",
        "write `syntax = \"proto3\";`, or keep what Prism stores and serves in a proto3 file that does not import this one";
    "P0008" Warning builtin_shadowed(name: &str, path: impl Display)
        "'{path}' differs from the `{name}` that this version of Prism has built in", "not read: the built-in file is used",
        "remove the copy: Prism's own protos need no include folder";
    "P0009" Error unreadable(path: impl Display, reason: impl Display)
        "'{path}' cannot be read: {reason}", "",
        "check that it is a readable file in UTF-8; a descriptor set is named with --descriptor-set";
    "P0013" Error not_a_descriptor_set(path: impl Display, reason: impl Display)
        "'{path}' is not a descriptor set: {reason}", "",
        "make one with `buf build -o schema.binpb`, or `protoc --include_imports --include_source_info -o schema.binpb`";
    "P0014" Error not_in_descriptor_set(name: impl Display)
        "the descriptor set holds no file '{name}'", "",
        "give the name as imports spell it, or leave the names out to take every file";
    "P0015" Error shadowed(path: impl Display, other: impl Display)
        "'{path}' is hidden by '{other}', which an earlier include folder holds under the same name", "",
        "put the include folder of '{path}' first, or rename one of the files";
    "P0016" Error nothing_to_read()
        "no file was given", "",
        "name at least one .proto file, or a descriptor set";
    "P0017" Error bad_name(what: &str, name: &str)
        "the {what} '{name}' is not called as protobuf allows", "",
        "make the descriptor set with buf or protoc: names are letters, digits and underscores, with dots between the parts of a path";
    "P0018" Error bad_file_name(name: &str, why: &str)
        "'{name}' is not a valid name of a .proto file: {why}", "",
        "name files with slashes from an include folder on, as in `acme/v1/acme.proto`";
    "P0019" Error hidden_text(what: &str, text: &str)
        "the {what} '{text}' holds a character that cannot be seen", "",
        "remove control characters and those that change the direction of text";
    "P0020" Error bad_default(text: &str, field: &str)
        "'{text}' is no default of the field `{field}`", "",
        "make the descriptor set with buf or protoc";
    "P0021" Error malformed(what: &str)
        "{what}", "",
        "make the descriptor set with buf or protoc";
    "P0022" Error bad_import(import: &str)
        "'{import}' is no path that can be imported", "imported here",
        "spell it with slashes from an include folder on: no `.` or `..`, no backslash, no slash at its start, and not two in a row";
    "P0023" Error bad_crate_name(name: &str, why: &str)
        "'{name}' is not a valid crate name: {why}", "",
        "choose another name of letters, digits, `-` and `_` that begins with a letter, as in `my-proxy`";
    "P0024" Error empty_folder(path: impl Display)
        "there is no .proto file below the folder '{path}'", "",
        "name the folder that holds the schema";
    "P0025" Error no_include_folder(path: impl Display, why: &str)
        "the include folder '{path}' {why}", "",
        "name the folder that imports start from, with -I or below `includes` in prism.gen.yaml";
    "P0026" Error pattern(path: impl Display)
        "the file '{path}' does not exist, and patterns are not expanded", "",
        "name the folder in place of the pattern: it stands for the .proto files below it";
    "P0027" Error only_builtin(path: impl Display)
        "the descriptor set '{path}' holds built-in files alone", "",
        "make it of the files of your schema, as in `buf build -o schema.binpb`";
    "P0028" Error declares_builtin(name: &str, file: &str)
        "`{name}` is a type of '{file}', which Prism has built in", "declared again",
        "write `import \"{file}\";` and remove the declaration, or give the type a package of your own";
}
