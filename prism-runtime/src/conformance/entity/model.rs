//! A naive model of typed operations on orders: one map, one function an operation.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json, json};

use super::harness::START_MICROS;
use crate::Reason;

/// Which order.
pub type Id = (String, String);

/// The fields of an order that the machine plays with.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fields {
    pub status: i32,
    pub total: i64,
    pub note: Option<String>,
    pub code: Option<String>,
    pub created_by: String,
    pub card: Option<String>,
    pub invoice: Option<i64>,
    /// Seconds since the start.
    pub expire: Option<i64>,
}

/// A stored order.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    pub fields: Fields,
    pub created: i64,
    pub updated: i64,
    pub deleted: Option<i64>,
    pub etag: String,
}

/// The etag that a write carries.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Etag {
    None,
    Current,
    Stale,
}

/// An operation on one order.
#[derive(Clone, Debug)]
pub enum Write {
    Create(Fields),
    Put(Fields, Etag),
    Update { fields: Fields, mask: Vec<&'static str>, allow_missing: bool, etag: Etag },
    Delete { allow_missing: bool, etag: Etag },
    Undelete(Etag),
}

/// What should be stored.
#[derive(Clone, Debug, Default)]
pub struct Model {
    pub orders: BTreeMap<Id, Stored>,
    /// Seconds since the start.
    pub now: i64,
    pub etags: BTreeSet<String>,
}

impl Model {
    /// What is there, deleted or not.
    pub fn kept(&self, id: &Id) -> Option<&Stored> {
        let unexpired =
            |order: &&Stored| order.fields.expire.is_none_or(|expire| expire > self.now);
        self.orders.get(id).filter(unexpired)
    }

    pub fn live(&self, id: &Id) -> Option<&Stored> {
        self.kept(id).filter(|order| order.deleted.is_none())
    }

    /// The etag that a request carries.
    pub fn etag(&self, id: &Id, etag: Etag) -> Option<String> {
        match etag {
            Etag::None => None,
            Etag::Stale => Some("stale".to_owned()),
            Etag::Current => Some(self.kept(id).map_or("none".to_owned(), |o| o.etag.clone())),
        }
    }

    /// Carries a write out: the order as it should be now, none where nothing was to be done.
    pub fn write(&mut self, id: &Id, write: &Write) -> Result<Option<Stored>, Vec<Reason>> {
        let result = self.outcome(id, write)?;
        if let Some(stored) = &result {
            self.orders.insert(id.clone(), stored.clone());
        }
        Ok(result)
    }

    fn outcome(&self, id: &Id, write: &Write) -> Result<Option<Stored>, Vec<Reason>> {
        let stale = |etag: &Etag| match etag {
            Etag::None => false,
            Etag::Stale => true,
            Etag::Current => self.kept(id).is_none(),
        };
        let new = |fields: &Fields| self.stored(fields.clone(), self.now);
        let stored = match write {
            Write::Create(_) if self.kept(id).is_some() => return Err(vec![Reason::RecordExists]),
            Write::Create(fields) => new(fields),
            Write::Put(_, etag) if stale(etag) => return Err(vec![Reason::EtagMismatch]),
            Write::Put(fields, _) => match self.live(id) {
                Some(old) => self.stored(replace(fields, &old.fields)?, old.created),
                None => new(fields),
            },
            Write::Update { etag, .. } if stale(etag) => return Err(vec![Reason::EtagMismatch]),
            Write::Update { fields, mask, allow_missing, .. } => {
                match (self.live(id), self.kept(id)) {
                    (Some(old), _) if mask == &["*"] => {
                        self.stored(replace(fields, &old.fields)?, old.created)
                    }
                    (Some(old), _) => self.stored(patch(fields, &old.fields, mask)?, old.created),
                    (None, None) if *allow_missing => new(fields),
                    _ => return Err(vec![Reason::RecordNotFound]),
                }
            }
            Write::Delete { allow_missing, etag } => match self.live(id) {
                None if *allow_missing => return Ok(None),
                None => return Err(vec![Reason::RecordNotFound]),
                Some(_) if *etag == Etag::Stale => return Err(vec![Reason::EtagMismatch]),
                Some(old) => Stored {
                    deleted: Some(self.now),
                    ..self.stored(old.fields.clone(), old.created)
                },
            },
            Write::Undelete(etag) => match (self.live(id), self.kept(id)) {
                (Some(_), _) => return Err(vec![Reason::RecordExists]),
                (None, None) => return Err(vec![Reason::RecordNotFound]),
                (None, Some(_)) if *etag == Etag::Stale => return Err(vec![Reason::EtagMismatch]),
                (None, Some(old)) => self.stored(old.fields.clone(), old.created),
            },
        };
        if stored.deleted.is_none() && self.is_taken(id, &stored) {
            return Err(vec![Reason::UniqueViolation]);
        }
        Ok(Some(stored))
    }

    fn stored(&self, fields: Fields, created: i64) -> Stored {
        Stored { fields, created, updated: self.now, deleted: None, etag: String::new() }
    }

    fn is_taken(&self, id: &Id, stored: &Stored) -> bool {
        stored.fields.code.is_some()
            && self.orders.keys().any(|other| {
                let live = self.live(other);
                other != id && live.is_some_and(|live| live.fields.code == stored.fields.code)
            })
    }

    /// The ids of a list, all pages together.
    pub fn list(
        &self,
        customer: &str,
        status: Option<i32>,
        order_by: &str,
        deleted: bool,
    ) -> Vec<String> {
        let mut found: Vec<(&Id, &Stored)> = self
            .orders
            .keys()
            .filter(|id| id.0 == customer)
            .filter_map(|id| Some((id, if deleted { self.kept(id)? } else { self.live(id)? })))
            .filter(|(_, order)| status.is_none_or(|status| order.fields.status == status))
            .collect();
        match order_by {
            "note" => found.sort_by_key(|(id, order)| (order.fields.note.clone(), (*id).clone())),
            "note desc" => {
                found.sort_by_key(|(id, order)| (order.fields.note.clone(), (*id).clone()));
                found.reverse();
            }
            "status, total desc" => found.sort_by_key(|(id, order)| {
                (order.fields.status, std::cmp::Reverse(order.fields.total), (*id).clone())
            }),
            "order_id desc" => found.reverse(),
            _ => {}
        }
        found.into_iter().map(|(id, _)| id.1.clone()).collect()
    }
}

/// A whole order over another: what is immutable stays.
fn replace(new: &Fields, old: &Fields) -> Result<Fields, Vec<Reason>> {
    let mut fields = new.clone();
    if fields.created_by.is_empty() {
        fields.created_by.clone_from(&old.created_by);
    }
    if fields.created_by != old.created_by {
        return Err(vec![Reason::InvalidRequest]);
    }
    Ok(fields)
}

/// Some fields of an order over another.
fn patch(new: &Fields, old: &Fields, mask: &[&str]) -> Result<Fields, Vec<Reason>> {
    let mut fields = old.clone();
    for &field in mask {
        match field {
            "status" => fields.status = new.status,
            "total" => fields.total = new.total,
            "note" => fields.note.clone_from(&new.note),
            "code" => fields.code.clone_from(&new.code),
            "expireTime" => fields.expire = new.expire,
            "createdBy" if new.created_by != old.created_by => {
                return Err(vec![Reason::InvalidRequest]);
            }
            "card" => {
                fields.card.clone_from(&new.card);
                if new.card.is_some() {
                    fields.invoice = None;
                }
            }
            "invoice" => {
                fields.invoice = new.invoice;
                if new.invoice.is_some() {
                    fields.card = None;
                }
            }
            _ => {}
        }
    }
    Ok(fields)
}

/// The time of a second since the start.
pub fn time(second: i64) -> String {
    let seconds = START_MICROS / 1_000_000 + second;
    prost_types::Timestamp { seconds, nanos: 0 }.to_string()
}

/// An order as a client sends it.
pub fn request_json(id: &Id, fields: &Fields) -> Json {
    let mut json = Map::new();
    json.insert("customerId".to_owned(), json!(id.0));
    json.insert("orderId".to_owned(), json!(id.1));
    if fields.status != 0 {
        json.insert("status".to_owned(), status(fields.status));
    }
    if fields.total != 0 {
        json.insert("total".to_owned(), json!(fields.total.to_string()));
    }
    if !fields.created_by.is_empty() {
        json.insert("createdBy".to_owned(), json!(fields.created_by));
    }
    let optional = [
        ("note", fields.note.clone()),
        ("code", fields.code.clone()),
        ("card", fields.card.clone()),
        ("invoice", fields.invoice.map(|invoice| invoice.to_string())),
        ("expireTime", fields.expire.map(time)),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            json.insert(name.to_owned(), json!(value));
        }
    }
    Json::Object(json)
}

fn status(number: i32) -> Json {
    match number {
        1 => json!("STATUS_OPEN"),
        2 => json!("STATUS_PAID"),
        number => json!(number),
    }
}

/// An order as the server answers it.
pub fn answer_json(id: &Id, stored: &Stored) -> Json {
    let mut json = request_json(id, &stored.fields);
    json["createTime"] = json!(time(stored.created));
    json["updateTime"] = json!(time(stored.updated));
    json["etag"] = json!(stored.etag);
    if let Some(deleted) = stored.deleted {
        json["deleteTime"] = json!(time(deleted));
    }
    json
}
