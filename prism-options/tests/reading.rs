//! Every spelling of an annotation gives the same values and the same places.
#![allow(clippy::unwrap_used)]

use prism_options::{Idempotency, OptionSet, Reader, Source, Sources, builtin, spec};
use prost_reflect::DescriptorPool;
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};

struct Texts(Vec<(String, String)>);

impl FileResolver for Texts {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        let own = self.0.iter().find(|(file, _)| file == name).map(|(_, text)| text.as_str());
        let text = own.or_else(|| builtin::text(name));
        File::from_source(name, text.ok_or_else(|| protox::Error::file_not_found(name))?)
    }
}

fn compile(text: &str) -> (DescriptorPool, Sources) {
    let mut resolver = ChainFileResolver::new();
    resolver.add(Texts(vec![("a.proto".to_owned(), text.to_owned())]));
    resolver.add(GoogleFileResolver::new());
    let mut compiler = protox::Compiler::with_file_resolver(resolver);
    compiler.include_imports(true).include_source_info(true);
    compiler.open_file("a.proto").unwrap();
    let mut sources = Sources::default();
    sources.insert("a.proto", Source::new("a.proto", text));
    (compiler.descriptor_pool(), sources)
}

/// As protoc and buf hand them over: bytes, in which options are extensions.
fn decoded(pool: &DescriptorPool) -> DescriptorPool {
    DescriptorPool::decode(pool.encode_to_vec().as_slice()).unwrap()
}

fn quoted<'a, T>(set: &OptionSet<T>, text: &'a str, path: &str) -> &'a str {
    &text[set.span(path).range.clone()]
}

const HEAD: &str = "syntax = \"proto3\";\nimport \"prism/options.proto\";\n";

fn entity(body: &str) -> (String, OptionSet<spec::EntitySpec>) {
    let text = format!("{HEAD}message A {{\n{body}\n  string id = 1;\n}}\n");
    let (pool, sources) = compile(&text);
    let set = Reader::new(&pool, &sources)
        .entity(&pool.get_message_by_name("A").unwrap())
        .unwrap()
        .unwrap();
    (text, set)
}

#[test]
fn three_spellings_of_an_entity_agree() {
    let spellings = [
        r#"option (prism.message).namespace = "things";
           option (prism.message).backend = BACKEND_SQLITE;
           option (prism.message).indexes = { fields: "a" fields: "b" };
           option (prism.message).indexes = { fields: ["c"], unique: true };"#,
        r#"option (prism.message) = {
             namespace: "things" // a comment; with { braces }
             backend: BACKEND_SQLITE,
             indexes { fields: "a"; fields: "b" }
             indexes: < fields: ["c"], unique: true >
           };"#,
        r#"option (prism.message) = { /* { */ namespace: 'thi' "ngs"; backend: BACKEND_SQLITE
             indexes: [{ fields: ["a", "b"] }, { unique: true fields: "c" }] };"#,
    ];
    let mut values = Vec::new();
    for spelling in spellings {
        let (text, set) = entity(spelling);
        assert!(quoted(&set, &text, "namespace").starts_with("namespace"), "{spelling}");
        assert!(quoted(&set, &text, "backend").ends_with("BACKEND_SQLITE"), "{spelling}");
        assert!(quoted(&set, &text, "indexes[0].fields[1]").ends_with("\"b\""), "{spelling}");
        assert!(quoted(&set, &text, "indexes[1].fields[0]").contains("\"c\""), "{spelling}");
        assert_eq!(quoted(&set, &text, "indexes[1].unique"), "unique: true", "{spelling}");
        values.push(set.value);
    }
    assert_eq!(values[0], values[1]);
    assert_eq!(values[0], values[2]);
    assert_eq!(values[0].indexes[0].fields, ["a", "b"]);
}

fn field(options: &str) -> (String, OptionSet<spec::FieldSpec>) {
    let text = format!("{HEAD}message A {{\n  string id = 1 [{options}];\n}}\n");
    let (pool, sources) = compile(&text);
    let message = pool.get_message_by_name("A").unwrap();
    let set = Reader::new(&pool, &sources).field(&message.get_field(1).unwrap());
    (text, set.unwrap().unwrap())
}

#[test]
fn field_options_are_narrowed_to_the_entry() {
    for (options, pii) in [
        ("(prism.field).pii = PII_EMAIL, deprecated = true", "pii = PII_EMAIL"),
        ("(prism.field) = {column: \"a}\\\"b\" pii: PII_EMAIL}", "pii: PII_EMAIL"),
        ("(.prism.field) = {\n# pii: PII_NAME\n  pii: PII_EMAIL,\n}", "pii: PII_EMAIL"),
    ] {
        let (text, set) = field(options);
        assert_eq!(quoted(&set, &text, "pii"), pii);
        assert_eq!(set.value.pii(), spec::Pii::Email);
        assert_eq!(set.unspecified().count(), 0);
    }
    let (text, set) = field("(prism.field) = {validation: {pattern: \"x\", min_len: 1}}");
    assert_eq!(quoted(&set, &text, "validation.min_len"), "min_len: 1");
    assert_eq!(
        quoted(&set, &text, "validation.format"),
        "validation: {pattern: \"x\", min_len: 1}"
    );
}

#[test]
fn a_value_set_to_unspecified_is_seen() {
    for options in [
        "(prism.field).pii = PII_UNSPECIFIED",
        "(prism.field) = {pii: PII_UNSPECIFIED}",
        "(prism.field) = {pii: PII_UNSPECIFIED, index: INDEX_KIND_UNIQUE}",
    ] {
        let (_, set) = field(options);
        let found: Vec<_> = set.unspecified().map(|(path, _)| path).collect();
        assert_eq!(found, ["pii"], "{options}");
    }
}

#[test]
fn a_descriptor_set_reads_as_its_source_does() {
    let text = format!(
        "{HEAD}message A {{\n  option (prism.message) = {{ namespace: \"a\" }};\n  \
         string id = 1 [(prism.field).pii = PII_UNSPECIFIED, debug_redact = true];\n}}\n\
         service S {{\n  option (prism.service).entity = \"A\";\n  rpc Get(A) returns (A) {{\n    \
         option idempotency_level = NO_SIDE_EFFECTS;\n    option deprecated = true;\n    \
         option (prism.method).timeout_ms = 7;\n  }}\n}}\n"
    );
    let (pool, sources) = compile(&text);
    let read = |pool: &DescriptorPool, sources: &Sources| {
        let reader = Reader::new(pool, sources);
        let message = pool.get_message_by_name("A").unwrap();
        let service = pool.get_service_by_name("S").unwrap();
        let method = service.methods().next().unwrap();
        assert!(reader.debug_redact(&message.get_field(1).unwrap()));
        assert!(reader.deprecated(&method));
        assert_eq!(reader.idempotency(&method), Idempotency::NoSideEffects);
        let id = reader.field(&message.get_field(1).unwrap()).unwrap().unwrap();
        assert_eq!(id.unspecified().count(), 1);
        let entity = reader.entity(&message).unwrap().unwrap();
        let method = reader.method(&method).unwrap().unwrap();
        let service = reader.service(&service).unwrap().unwrap();
        (entity, service.value, method)
    };
    let from_source = read(&pool, &sources);
    let from_set = read(&decoded(&pool), &Sources::default());
    assert_eq!(from_source.0.value, from_set.0.value);
    assert_eq!(from_source.1, from_set.1);
    assert_eq!(from_source.2.value, from_set.2.value);
    assert_eq!(from_set.0.span("namespace").line, 4);
    assert_eq!(from_set.2.span("timeout_ms").line, 12);
}

#[test]
fn proto2_is_read_alike() {
    let text = "syntax = \"proto2\";\nimport \"prism/options.proto\";\nmessage A {\n  \
                required string id = 1 [(prism.field) = {index: INDEX_KIND_PRIMARY}];\n}\n";
    let (pool, sources) = compile(text);
    let message = pool.get_message_by_name("A").unwrap();
    let set = Reader::new(&pool, &sources).field(&message.get_field(1).unwrap());
    assert_eq!(set.unwrap().unwrap().value.index(), spec::IndexKind::Primary);
}

#[test]
fn what_this_version_does_not_know_is_refused() {
    let newer = builtin::text("prism/options.proto")
        .unwrap()
        .replace("string column = 7;", "string column = 7;\n  string colour = 77;");
    let text =
        format!("{HEAD}message A {{\n  string id = 1 [(prism.field).colour = \"red\"];\n}}\n");
    let mut resolver = ChainFileResolver::new();
    resolver.add(Texts(vec![
        ("prism/options.proto".to_owned(), newer),
        ("a.proto".to_owned(), text.clone()),
    ]));
    resolver.add(GoogleFileResolver::new());
    let mut compiler = protox::Compiler::with_file_resolver(resolver);
    compiler.open_file("a.proto").unwrap();
    let pool = compiler.descriptor_pool();
    let message = pool.get_message_by_name("A").unwrap();
    let sources = Sources::default();
    let error = Reader::new(&pool, &sources).field(&message.get_field(1).unwrap()).unwrap_err();
    assert_eq!(error.code, "P0012");
}

#[test]
fn foreign_annotations_are_found() {
    let text = "syntax = \"proto3\";\npackage buf.validate;\n\
                import \"google/protobuf/descriptor.proto\";\n\
                enum Rule { NONE = 0; REQUIRED = 2; }\n\
                extend google.protobuf.FieldOptions {\n  \
                repeated Rule field = 1159 [packed = false];\n}\n\
                message A {\n  string id = 1 [(field) = REQUIRED];\n  string b = 2;\n}\n";
    let (pool, sources) = compile(text);
    let reader = Reader::new(&pool, &sources);
    let message = pool.get_message_by_name("buf.validate.A").unwrap();
    let found = reader.foreign(&message.get_field(1).unwrap());
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].name, "buf.validate.field");
    assert_eq!(&text[found[0].span.range.clone()], "(field) = REQUIRED");
    assert!(reader.foreign(&message.get_field(2).unwrap()).is_empty());
}
