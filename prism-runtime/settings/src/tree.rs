//! A YAML text as lists and maps with their places, to find which setting stands where.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{DuplicateKeyPolicy, Error, Location, Spanned};

/// What a place of the text is, apart from its content.
#[derive(Debug)]
pub(crate) enum Tree {
    Scalar,
    List(Vec<Spanned<Tree>>),
    Map(Vec<(Spanned<String>, Spanned<Tree>)>),
}

/// Whether an error is about a name or about what it has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum About {
    Name,
    Value,
}

/// Reads a text, whatever its settings are.
///
/// # Errors
///
/// If it is not YAML.
pub(crate) fn parse(text: &str) -> Result<Spanned<Tree>, Error> {
    let options = serde_saphyr::options! { duplicate_keys: DuplicateKeyPolicy::PassThrough };
    serde_saphyr::from_str_with_options(text, options)
}

impl Tree {
    /// The names that lead to what begins at a place; elements of lists as `[0]`.
    pub(crate) fn path_to(&self, place: Location, about: About) -> Option<Vec<String>> {
        let mut path = Vec::new();
        self.find(place, about, &mut path).then_some(path)
    }

    fn find(&self, place: Location, about: About, path: &mut Vec<String>) -> bool {
        let mut enter = |name: String, key: Option<&Location>, value: &Spanned<Tree>| {
            path.push(name);
            let is_here = match about {
                About::Name => key.is_some_and(|key| same(key, &place)),
                About::Value => same(&value.referenced, &place),
            };
            let found = is_here || value.value.find(place, about, path);
            if !found {
                path.pop();
            }
            found
        };
        match self {
            Tree::Scalar => false,
            Tree::List(items) => items
                .iter()
                .enumerate()
                .any(|(index, item)| enter(format!("[{index}]"), None, item)),
            Tree::Map(entries) => entries
                .iter()
                .any(|(key, value)| enter(key.value.clone(), Some(&key.referenced), value)),
        }
    }
}

fn same(one: &Location, other: &Location) -> bool {
    (one.line(), one.column()) == (other.line(), other.column())
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor)
    }
}

struct TreeVisitor;

macro_rules! scalars {
    ($($method:ident($ty:ty)),*) => {
        $(fn $method<E>(self, _: $ty) -> Result<Tree, E> {
            Ok(Tree::Scalar)
        })*
    };
}

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    scalars! {
        visit_bool(bool), visit_i64(i64), visit_i128(i128), visit_u64(u64), visit_u128(u128),
        visit_f64(f64), visit_str(&str), visit_bytes(&[u8])
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Scalar)
    }

    fn visit_none<E>(self) -> Result<Tree, E> {
        Ok(Tree::Scalar)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Tree, D::Error> {
        Tree::deserialize(deserializer)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<Tree, D::Error> {
        Tree::deserialize(inner)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tree, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Tree::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Tree, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Tree::Map(map))
    }
}
