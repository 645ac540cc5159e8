//! What a method does, from its name.

use prism_schema::{Operation, Role};

/// `GetOrder` of `Order`. Plurals are formed with "s", "es" or "ies", or given by the schema.
pub(super) fn by_name(method: &str, entity: &str, plural: Option<&str>) -> Option<Operation> {
    const SINGULAR: &[(&str, Operation)] = &[
        ("Get", Operation::Get),
        ("Create", Operation::Create),
        ("Put", Operation::Put),
        ("Update", Operation::Update),
        ("Delete", Operation::Delete),
        ("Undelete", Operation::Undelete),
    ];
    const PLURAL: &[(&str, Operation)] =
        &[("BatchGet", Operation::BatchGet), ("List", Operation::List)];
    let find = |table: &[(&str, Operation)], fits: &dyn Fn(&str) -> bool| {
        let found = table.iter().find(|(verb, _)| method.strip_prefix(verb).is_some_and(fits));
        found.map(|(_, operation)| *operation)
    };
    find(SINGULAR, &|rest| rest == entity)
        .or_else(|| find(PLURAL, &|rest| is_plural(rest, entity, plural)))
}

/// Whether a text is the entity's name or its plural.
pub(super) fn names(text: &str, entity: &str, plural: Option<&str>) -> bool {
    text == entity || is_plural(text, entity, plural)
}

/// Every operation.
pub(super) const ALL: &[Operation] = &[
    Operation::Get,
    Operation::BatchGet,
    Operation::List,
    Operation::Create,
    Operation::Put,
    Operation::Update,
    Operation::Delete,
    Operation::Undelete,
];

/// The name that binds a method to an operation.
pub(super) fn standard_name(operation: Operation, entity: &str, plural: Option<&str>) -> String {
    match operation {
        Operation::List | Operation::BatchGet => {
            let plural = plural.map_or_else(|| plurals(entity).swap_remove(0), str::to_owned);
            format!("{operation:?}{plural}")
        }
        _ => format!("{operation:?}{entity}"),
    }
}

fn is_plural(name: &str, singular: &str, given: Option<&str>) -> bool {
    match given {
        Some(plural) => name == plural,
        None => plurals(singular).iter().any(|plural| plural == name),
    }
}

/// The forms that a plural may have; the usual one first.
pub(super) fn plurals(singular: &str) -> Vec<String> {
    let mut forms = vec![format!("{singular}s"), format!("{singular}es")];
    if let Some(stem) = singular.strip_suffix(['y', 'Y']) {
        forms.insert(0, format!("{stem}ies"));
    } else if singular.ends_with(['s', 'x', 'z'])
        || singular.ends_with("ch")
        || singular.ends_with("sh")
    {
        forms.swap(0, 1);
    }
    forms
}

/// The roles that an operation's request may hold.
pub(super) fn roles(operation: Operation) -> &'static [Role] {
    match operation {
        Operation::Get => &[Role::Key, Role::ShowDeleted],
        Operation::BatchGet => &[Role::Keys],
        Operation::List => &[
            Role::PageSize,
            Role::PageToken,
            Role::OrderBy,
            Role::ShowDeleted,
            Role::Equals,
            Role::AtLeast,
            Role::LessThan,
            Role::AnyOf,
            Role::Prefix,
        ],
        Operation::Create => &[Role::Entity, Role::RequestId],
        Operation::Put => &[Role::Entity, Role::Etag],
        Operation::Update => &[Role::Entity, Role::UpdateMask, Role::AllowMissing, Role::Etag],
        Operation::Delete => &[Role::Key, Role::Etag, Role::AllowMissing],
        Operation::Undelete => &[Role::Key, Role::Etag],
    }
}

pub(super) fn is_read(operation: Operation) -> bool {
    matches!(operation, Operation::Get | Operation::BatchGet | Operation::List)
}

pub(super) fn is_condition(role: Role) -> bool {
    matches!(role, Role::Equals | Role::AtLeast | Role::LessThan | Role::AnyOf | Role::Prefix)
}

/// A role as findings name it.
pub(super) fn role_name(role: Role) -> &'static str {
    match role {
        Role::Key => "key",
        Role::Keys => "ROLE_KEYS",
        Role::Entity => "entity",
        Role::UpdateMask => "update_mask",
        Role::PageSize => "page_size",
        Role::PageToken => "page_token",
        Role::OrderBy => "order_by",
        Role::Etag => "etag",
        Role::RequestId => "request_id",
        Role::AllowMissing => "allow_missing",
        Role::ShowDeleted => "show_deleted",
        Role::Equals => "ROLE_EQUALS",
        Role::AtLeast => "ROLE_AT_LEAST",
        Role::LessThan => "ROLE_LESS_THAN",
        Role::AnyOf => "ROLE_ANY_OF",
        Role::Prefix => "ROLE_PREFIX",
    }
}

/// The roles of an operation as a phrase: `a key and show_deleted`.
pub(super) fn takes(operation: Operation) -> String {
    let mut names: Vec<&str> = roles(operation)
        .iter()
        .filter(|role| !is_condition(**role))
        .map(|it| role_name(*it))
        .collect();
    if operation == Operation::List {
        names.push("conditions");
    }
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_bind() {
        let bind = |method| by_name(method, "Category", None);
        assert_eq!(bind("GetCategory"), Some(Operation::Get));
        assert_eq!(bind("ListCategories"), Some(Operation::List));
        assert_eq!(bind("BatchGetCategories"), Some(Operation::BatchGet));
        assert_eq!(bind("UndeleteCategory"), Some(Operation::Undelete));
        assert_eq!(bind("GetCategories"), None);
        assert_eq!(by_name("ListChildren", "Child", Some("Children")), Some(Operation::List));
        assert_eq!(by_name("ListChilds", "Child", Some("Children")), None);
        assert_eq!(by_name("ListBoxes", "Box", None), Some(Operation::List));
    }
}
