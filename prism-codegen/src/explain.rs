//! `prism explain`: what an RPC does, down to the SQL.

use std::fmt::Write as _;

use prism_schema::plan::{self, Access, Condition};
use prism_schema::sql::{Dialect, ListShape, Shape, Statement, Statements, Visibility};
use prism_schema::{Binding, Entity, IndexColumn, Managed, Method, Operation, RequestField, Role};

use crate::diagnostics::suggest;
use crate::model::Schema;

/// Explains `package.Service/Method`, with a dot in the place of the slash if it comes so; the package
/// may be left out where the service's name is the only one.
///
/// # Errors
///
/// The methods that exist, and the closest one, for a method that does not exist.
pub fn explain(schema: &Schema, name: &str) -> Result<String, String> {
    let methods: Vec<(String, &Method)> = schema
        .services
        .iter()
        .flat_map(|service| {
            let full = |method: &Method| format!("{}/{}", service.schema.name, method.name);
            service.schema.methods.iter().map(move |method| (full(method), method))
        })
        .collect();
    let wanted = name.trim_start_matches(['/', '.']);
    let wanted = match wanted.rsplit_once('.').filter(|_| !wanted.contains('/')) {
        Some((service, method)) => format!("{service}/{method}"),
        None => wanted.to_owned(),
    };
    let end = format!(".{wanted}");
    let is_meant = |full: &str| full == wanted || full.ends_with(&end);
    let found: Vec<_> = methods.iter().filter(|(full, _)| is_meant(full)).collect();
    if let [(full, method)] = found.as_slice() {
        return Ok(explain_method(schema, full, method));
    }
    let names = || methods.iter().map(|(full, _)| full.as_str());
    let close = match found.is_empty() {
        true => closest(&wanted, names()).map(|close| format!("; did you mean `{close}`?")),
        false => Some("; name its package too.".to_owned()),
    };
    let known: String = names().map(|full| format!("\n  {full}")).collect();
    let what = if found.is_empty() { "no method" } else { "more than one method" };
    Err(format!("{what} `{name}`{} There are:{known}", close.unwrap_or_else(|| ".".to_owned())))
}

/// The method that a name was probably meant to be: its last parts, or the method's alone, maybe in
/// another case or with a typing error.
fn closest<'a>(wanted: &str, names: impl Iterator<Item = &'a str> + Clone) -> Option<&'a str> {
    let last = |text: &'a str, count: usize| {
        let start = text.rmatch_indices(['.', '/']).nth(count.saturating_sub(1));
        start.map_or(text, |(at, _)| &text[at + 1..])
    };
    let parts = |text: &str| text.split(['.', '/']).count();
    let ends = |count: usize| names.clone().map(move |full| (last(full, count), full));
    let by_end = |text: &str| {
        let count = parts(text);
        let close = suggest::misspelt(text, ends(count).map(|(end, _)| end))?;
        let mut all = ends(count).filter(|(end, _)| *end == close);
        all.next().map(|(_, full)| full).filter(|_| all.next().is_none())
    };
    // A wrong package or service: the rest of the name may be right.
    let shorter = wanted.match_indices(['.', '/']).map(|(at, _)| &wanted[at + 1..]);
    by_end(wanted).or_else(|| shorter.into_iter().find_map(by_end))
}

fn explain_method(schema: &Schema, name: &str, method: &Method) -> String {
    let mut text = format!("{name}\n");
    let entity = method.binding.as_ref().and_then(|binding| {
        let entities = schema.entities.iter().map(|entity| &entity.schema);
        entities.into_iter().find(|entity| entity.message == binding.entity)
    });
    let (Some(binding), Some(entity)) = (&method.binding, entity) else {
        text.push_str("  operation  custom: written by hand, in the service's trait\n");
        behaviour(method, &mut text);
        return text;
    };
    let _ = writeln!(
        text,
        "  operation  {:?} of {}, namespace {}, table {}",
        binding.operation, entity.message, entity.namespace, entity.table
    );
    behaviour(method, &mut text);
    text.push_str("\n  request\n");
    for field in &binding.request {
        let _ = writeln!(text, "    {} = {}: {}", field.name, field.number, role(field, entity));
    }
    let _ = writeln!(text, "  answer\n    {:?}", binding.response);
    for list in lists(binding, entity) {
        let _ = writeln!(text, "\n  {}\n    served by {}", list.title, list.access);
        let _ = writeln!(text, "    {}", in_order(entity, &list));
    }
    accepted_orders(binding, entity, &mut text);
    for dialect in Dialect::ALL {
        let _ = writeln!(text, "\n  {dialect}");
        for (what, statement) in statements(binding, entity, dialect) {
            let _ = writeln!(text, "    -- {what}\n    {};", statement.sql);
        }
        orders(binding, entity, dialect, &mut text);
    }
    text
}

fn behaviour(method: &Method, text: &mut String) {
    let timeout = match method.timeout {
        Some(timeout) => format!("{} ms", timeout.as_millis()),
        // The server's default is for unary methods.
        None if method.is_streaming() => "none".to_owned(),
        None => "the server's default".to_owned(),
    };
    let _ = writeln!(text, "  timeout    {timeout}");
    let _ = writeln!(text, "  idempotent {}", if method.idempotent { "yes" } else { "no" });
    let caller = if method.require_auth { "authenticated" } else { "anyone" };
    let permissions: Vec<String> =
        method.permissions.iter().map(|one| format!("{one:?}").to_lowercase()).collect();
    let _ = writeln!(
        text,
        "  caller     {caller}; needs {} (not enforced in this version)",
        permissions.join(", ")
    );
}

fn role(field: &RequestField, entity: &Entity) -> String {
    let stands_for = entity.column(field.field).map(|column| column.field.as_str());
    let role = match field.role {
        Role::AtLeast => "AtLeast (>=)".to_owned(),
        Role::LessThan => "LessThan (<)".to_owned(),
        Role::Equals => "Equals (=)".to_owned(),
        other => format!("{other:?}"),
    };
    let on = stands_for.map(|name| format!(" of `{name}`")).unwrap_or_default();
    let condition = plan::Comparison::of(field.role).is_some();
    let when = if condition && field.presence { ", where present" } else { "" };
    format!("{role}{on}{when}")
}

/// How the records of a list follow each other, and who sees to it.
fn in_order(entity: &Entity, list: &List) -> String {
    if list.order.is_empty() {
        return "with one record at most".to_owned();
    }
    let by = if list.ordered { "" } else { ", by a sort or a filter on each page" };
    format!("in the order {}{by}", plan::order_text(entity, &list.order))
}

/// What an `order_by` may say.
fn accepted_orders(binding: &Binding, entity: &Entity, text: &mut String) {
    if binding.operation != Operation::List {
        return;
    }
    let holding = always(&plan::conditions(binding));
    let orders = |visibility| {
        let orders = plan::orders(entity, &holding, visibility);
        let orders = orders.iter().map(|served| {
            let one_way = if served.reversible { "" } else { " (not reversed)" };
            plan::order_text(entity, &served.order) + one_way
        });
        orders.collect::<Vec<_>>().join("; ")
    };
    let (live, kept) = (orders(Visibility::Live), orders(Visibility::Kept));
    let _ = writeln!(text, "\n  order_by takes the beginning of {live}");
    if binding.role(Role::ShowDeleted).is_some() && kept != live {
        let _ = writeln!(text, "  with show_deleted, of {kept}");
    }
}

/// The statement of a list for each order that an `order_by` may ask for.
fn orders(binding: &Binding, entity: &Entity, dialect: Dialect, text: &mut String) {
    if binding.operation != Operation::List {
        return;
    }
    let holding = always(&plan::conditions(binding));
    for served in plan::orders(entity, &holding, Visibility::Live) {
        let Some(list) = list("", &holding, &served.order, entity) else { continue };
        let sql = Statements::new(entity, dialect).list(&list.shape).sql;
        let order = plan::order_text(entity, &served.order);
        let _ = writeln!(text, "    -- order_by \"{order}\", by {}\n    {sql};", list.access);
    }
}

/// A way in which a list is asked for.
struct List {
    title: &'static str,
    access: String,
    order: Vec<IndexColumn>,
    ordered: bool,
    shape: ListShape,
}

fn always(conditions: &[Condition]) -> Vec<Condition> {
    conditions.iter().copied().filter(|condition| condition.always).collect()
}

/// The list with the conditions that always hold, and with all of them where that is another.
fn lists(binding: &Binding, entity: &Entity) -> Vec<List> {
    if binding.operation != Operation::List {
        return Vec::new();
    }
    let all = plan::conditions(binding);
    let always = always(&all);
    let mut lists = vec![list("with what every request says", &always, &[], entity)];
    if always.len() < all.len() {
        lists.push(list("with every condition", &all, &[], entity));
    }
    lists.into_iter().flatten().collect()
}

fn list(
    title: &'static str,
    holding: &[Condition],
    asked: &[IndexColumn],
    entity: &Entity,
) -> Option<List> {
    let plan = plan::plan(entity, holding, asked, Visibility::Live)?;
    let access = match plan.access {
        Access::Key => "the primary key".to_owned(),
        Access::Index(_) => format!("index {}", plan.access.name(entity)),
    };
    let conditions = holding.iter().map(Shape::usual).collect();
    let shape = ListShape::first(conditions, &plan, Visibility::Live);
    Some(List { title, access, order: plan.order, ordered: plan.ordered, shape })
}

fn statements(
    binding: &Binding,
    entity: &Entity,
    dialect: Dialect,
) -> Vec<(&'static str, Statement)> {
    let sql = Statements::new(entity, dialect);
    let read = ("the record as it is", sql.get(Visibility::All));
    let written = |column: &&prism_schema::Column| !entity.is_key(column.number);
    let numbers: Vec<u32> = entity.columns.iter().filter(written).map(|it| it.number).collect();
    match binding.operation {
        Operation::Get => vec![("the record", sql.get(Visibility::Live))],
        Operation::BatchGet => vec![("for two keys", sql.get_many(2, Visibility::Live))],
        Operation::List => lists(binding, entity)
            .into_iter()
            .map(|list| (list.title, sql.list(&list.shape)))
            .collect(),
        Operation::Create => vec![read, ("the new record", sql.insert())],
        Operation::Put => vec![read, ("insert or replace", sql.replace())],
        Operation::Update => vec![read, ("with the mask `*`", sql.update(&numbers))],
        Operation::Delete | Operation::Undelete => match entity.managed(Managed::DeleteTime) {
            Some(_) => {
                let managed = [Managed::DeleteTime, Managed::UpdateTime, Managed::Etag];
                let numbers: Vec<u32> = managed
                    .iter()
                    .filter_map(|kind| entity.managed(*kind).map(|column| column.number))
                    .collect();
                vec![read, ("the record is kept", sql.update(&numbers))]
            }
            None => vec![read, ("the record is removed", sql.delete())],
        },
    }
}
