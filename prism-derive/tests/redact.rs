//! What `#[derive(Redact)]` prints.
#![allow(missing_docs)]

use prism_derive::Redact;

#[derive(Clone, PartialEq, prost::Message, Redact)]
#[prost(skip_debug)]
pub struct Person {
    #[prost(string, tag = "1")]
    pub id: String,
    #[prost(string, optional, tag = "2")]
    #[prism(masked)]
    pub email: Option<String>,
    #[prost(enumeration = "Mood", tag = "3")]
    pub mood: i32,
    #[prost(enumeration = "Mood", optional, tag = "4")]
    pub other: Option<i32>,
    #[prost(enumeration = "Mood", repeated, tag = "5")]
    pub r#type: Vec<i32>,
    #[prost(map = "string, enumeration(Mood)", tag = "6")]
    pub by_day: std::collections::HashMap<String, i32>,
    #[prost(message, optional, boxed, tag = "7")]
    pub parent: Option<Box<Person>>,
    #[prost(oneof = "Payment", tags = "8, 9, 10")]
    pub payment: Option<Payment>,
}

#[derive(Clone, PartialEq, prost::Oneof, Redact)]
#[prost(skip_debug)]
pub enum Payment {
    #[prost(string, tag = "8")]
    #[prism(masked)]
    Card(String),
    #[prost(enumeration = "Mood", tag = "9")]
    Smile(i32),
    #[prost(string, tag = "10")]
    Invoice(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum Mood {
    Unspecified = 0,
    Happy = 1,
}

#[test]
fn masked_fields_do_not_print_at_any_depth() {
    let secret = Person {
        email: Some("ann@acme.example".to_owned()),
        payment: Some(Payment::Card("4111".to_owned())),
        ..Person::default()
    };
    let person = Person {
        id: "p1".to_owned(),
        mood: 1,
        other: Some(7),
        r#type: vec![0, 1, 9],
        by_day: [("mon".to_owned(), 1)].into(),
        parent: Some(Box::new(secret)),
        payment: Some(Payment::Smile(1)),
        ..Person::default()
    };
    let printed = format!("{person:?}");
    assert_eq!(
        printed,
        "Person { id: \"p1\", email: [redacted], mood: Happy, other: Some(7), \
         type: [Unspecified, Happy, 9], by_day: {\"mon\": Happy}, \
         parent: Some(Person { id: \"\", email: [redacted], mood: Unspecified, other: None, \
         type: [], by_day: {}, parent: None, payment: Some(Card([redacted])) }), \
         payment: Some(Smile(Happy)) }"
    );
    assert_eq!(format!("{:?}", Payment::Invoice("i".to_owned())), "Invoice(\"i\")");
}
