//! Which types derive `Copy`, and which `Eq` and `Hash`.
//!
//! prost looks through everything below a message to know that, anew for each message and for each
//! field of it, so that types of a few dozen levels can keep it busy for ever. It is spared the
//! search by a first field that rules all of them out, which is taken out of its code again; what
//! prost would have derived is found here, in one pass.

use std::collections::BTreeMap;

use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorProto};
use syn::punctuated::Punctuated;
use syn::{Attribute, Fields, Path, Token, parse_quote};

use super::messages::number;

/// Number of the field that is added. No field of a schema has it.
const MARK: u32 = 0;

/// What a type derives beside what every type does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Derived {
    copy: bool,
    eq: bool,
}

impl Derived {
    fn and(self, other: Derived) -> Derived {
        Derived { copy: self.copy && other.copy, eq: self.eq && other.eq }
    }
}

/// What the messages and oneofs of some files derive.
pub(super) struct Derives {
    /// By full name.
    messages: BTreeMap<String, Derived>,
    /// By the full name of the message and the name of the oneof.
    oneofs: BTreeMap<(String, String), Derived>,
}

/// A message whose own fields are known, and not yet those of the messages in it.
struct Node<'a> {
    name: String,
    message: &'a DescriptorProto,
    derived: Derived,
    /// How many singular fields hold a message that is not known yet.
    open: usize,
}

impl Derives {
    /// Of all messages of files that hold every type that they use.
    pub fn new<'a>(files: impl Iterator<Item = &'a FileDescriptorProto>) -> Self {
        let mut nodes: Vec<Node> = Vec::new();
        for file in files {
            let package = match file.package() {
                "" => String::new(),
                package => format!(".{package}"),
            };
            file.message_type.iter().for_each(|message| collect(&package, message, &mut nodes));
        }
        let mut users: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (position, node) in nodes.iter().enumerate() {
            for field in node.message.field.iter().filter(|field| is_message(field)) {
                users.entry(field.type_name()).or_default().push(position);
            }
        }
        let mut known: BTreeMap<String, Derived> = BTreeMap::new();
        let mut derived: Vec<(Derived, usize)> =
            nodes.iter().map(|node| (node.derived, node.open)).collect();
        let mut next: Vec<usize> =
            (0..nodes.len()).filter(|position| nodes[*position].open == 0).collect();
        while let Some(position) = next.pop() {
            let (own, name) = (derived[position].0, &nodes[position].name);
            known.insert(name.clone(), own);
            for user in users.get(name.as_str()).into_iter().flatten() {
                let (above, open) = &mut derived[*user];
                *above = above.and(own);
                *open -= 1;
                if *open == 0 {
                    next.push(*user);
                }
            }
        }
        // What holds itself is in a box, which derives neither.
        let oneofs = nodes.iter().flat_map(|node| oneofs(node, &known)).collect();
        Derives { messages: known, oneofs }
    }

    /// Of a message by its full name, without a leading dot.
    pub fn message(&self, name: &str) -> Derived {
        self.messages.get(&format!(".{name}")).copied().unwrap_or_default()
    }

    /// Of a oneof, by the full name of its message and its own.
    pub fn oneof(&self, message: &str, name: &str) -> Derived {
        let key = (format!(".{message}"), name.to_owned());
        self.oneofs.get(&key).copied().unwrap_or_default()
    }
}

fn collect<'a>(parent: &str, message: &'a DescriptorProto, nodes: &mut Vec<Node<'a>>) {
    let name = format!("{parent}.{}", message.name());
    message.nested_type.iter().for_each(|nested| collect(&name, nested, nodes));
    let own = Derived { copy: true, eq: true };
    let derived = message.field.iter().fold(own, |all, field| all.and(of_field(field)));
    let open = message.field.iter().filter(|field| is_message(field)).count();
    nodes.push(Node { name, message, derived, open });
}

/// Whether a field holds one message, which decides what the field derives.
fn is_message(field: &FieldDescriptorProto) -> bool {
    field.r#type() == Type::Message && field.label() != Label::Repeated
}

/// What the type of a field derives, that of a message aside.
fn of_field(field: &FieldDescriptorProto) -> Derived {
    let repeated = field.label() == Label::Repeated;
    let derived = match field.r#type() {
        Type::Group => Derived::default(),
        Type::Message => Derived { copy: true, eq: !repeated },
        Type::Float | Type::Double => Derived { copy: true, eq: false },
        Type::String | Type::Bytes => Derived { copy: false, eq: true },
        _ => Derived { copy: true, eq: true },
    };
    Derived { copy: derived.copy && !repeated, ..derived }
}

fn oneofs(node: &Node, known: &BTreeMap<String, Derived>) -> Vec<((String, String), Derived)> {
    let of = |field: &FieldDescriptorProto| match is_message(field) {
        true => known.get(field.type_name()).copied().unwrap_or_default(),
        false => of_field(field),
    };
    let oneofs = node.message.oneof_decl.iter().enumerate().map(|(position, oneof)| {
        let fields = node.message.field.iter().filter(|field| {
            field.oneof_index.is_some_and(|index| usize::try_from(index) == Ok(position))
        });
        let own = Derived { copy: true, eq: true };
        let derived = fields.fold(own, |all, field| all.and(of(field)));
        ((node.name.clone(), oneof.name().to_owned()), derived)
    });
    oneofs.collect()
}

/// Adds the field that rules out everything to each message of a file.
pub(super) fn mark(file: &mut FileDescriptorProto) {
    file.message_type.iter_mut().for_each(mark_message);
}

fn mark_message(message: &mut DescriptorProto) {
    if message.options.as_ref().is_some_and(|options| options.map_entry()) {
        return;
    }
    let mut field = FieldDescriptorProto {
        name: Some("prism_mark".to_owned()),
        number: Some(MARK.cast_signed()),
        ..FieldDescriptorProto::default()
    };
    field.set_label(Label::Repeated);
    field.set_type(Type::Float);
    message.field.insert(0, field);
    message.nested_type.iter_mut().for_each(mark_message);
}

/// Takes the field that was added out of a struct.
pub(super) fn unmark(fields: &mut Fields) {
    if let Fields::Named(fields) = fields {
        let own = std::mem::take(&mut fields.named);
        fields.named = own.into_iter().filter(|field| number(&field.attrs) != Some(MARK)).collect();
    }
}

/// Derives `Copy`, `Eq` and `Hash` as is due.
pub(super) fn apply(attributes: &mut [Attribute], derived: Derived) {
    for attribute in attributes.iter_mut().filter(|it| it.path().is_ident("derive")) {
        let parser = Punctuated::<Path, Token![,]>::parse_terminated;
        let Ok(paths) = attribute.parse_args_with(parser) else { continue };
        let mut all: Vec<Path> = Vec::new();
        for path in paths {
            if ["Copy", "Eq", "Hash"].iter().any(|name| path.is_ident(name)) {
                continue;
            }
            let (clone, equal) = (path.is_ident("Clone"), path.is_ident("PartialEq"));
            all.push(path);
            if clone && derived.copy {
                all.push(parse_quote!(Copy));
            }
            if equal && derived.eq {
                all.extend([parse_quote!(Eq), parse_quote!(Hash)]);
            }
        }
        *attribute = parse_quote!(#[derive(#(#all),*)]);
    }
}
