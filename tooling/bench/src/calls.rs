//! The calls of each arm: messages patched into a template, since encoding each would be the
//! generator's largest cost, and values that say what they must be.

use bytes::Bytes;
use prism_proxy::acme::orders::v1::{GetOrderRequest, Order, PutOrderRequest};
use prism_runtime::proto::keyvalue::v1::{GetRequest, Item, PutRequest};
use prost::Message as _;

use crate::arms::{ECHO, EchoMessage, GET, GET_ORDER, PUT, PUT_ORDER};
use crate::load::Calls;

/// What a stored value begins with; the row and the write's number follow as hexadecimals.
const MARK: &[u8] = b"prism-bench:";
const ROW_DIGITS: usize = 8;
const WRITE_DIGITS: usize = 16;
/// The shortest value that holds its marks.
const SHORTEST_VALUE: usize = MARK.len() + ROW_DIGITS + WRITE_DIGITS;
const ID: &[u8] = b"user-";

/// Sends one message and expects it back.
#[derive(Clone, Debug)]
pub struct Echo(Vec<u8>);

impl Echo {
    /// An echo of so many bytes.
    pub fn new(payload: usize) -> Self {
        Echo(EchoMessage { body: Bytes::from(vec![b'e'; payload]) }.encode_to_vec())
    }
}

impl Calls for Echo {
    fn path(&self) -> &'static str {
        ECHO
    }

    fn next(&mut self, message: &mut Vec<u8>) -> Option<u64> {
        message.extend_from_slice(&self.0);
        Some(0)
    }

    fn answered(&mut self, _: u64, message: &[u8]) -> bool {
        message == self.0
    }
}

/// The rows that one connection calls: those whose number leaves `connection` when divided by
/// `connections`. They come in a scattered order, each once before any comes again, so two
/// writes of a row are never in flight together.
#[derive(Clone, Debug)]
struct Rows {
    connection: u64,
    connections: u64,
    count: u64,
    step: u64,
}

impl Rows {
    fn next(&mut self) -> u64 {
        // The factor is prime and larger than any count: a permutation.
        let own = self.step.wrapping_mul(2_654_435_761) % self.count;
        self.step += 1;
        own * self.connections + self.connection
    }
}

/// Which part of the rows a connection calls.
#[derive(Clone, Copy, Debug)]
pub struct Share {
    /// Number of the connection.
    pub connection: usize,
    /// How many there are.
    pub connections: usize,
    /// Rows of all connections together.
    pub rows: u32,
}

impl Share {
    fn rows(self) -> Rows {
        let connections = self.connections as u64;
        Rows {
            connection: self.connection as u64,
            connections,
            count: (u64::from(self.rows) / connections).max(1),
            step: 0,
        }
    }
}

/// Which service is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// KeyValueService, an item of one record.
    KeyValue,
    /// The generated OrderService, the order of a customer.
    Order,
}

impl Kind {
    fn get(self) -> &'static str {
        match self {
            Kind::KeyValue => GET,
            Kind::Order => GET_ORDER,
        }
    }

    fn put(self) -> &'static str {
        match self {
            Kind::KeyValue => PUT,
            Kind::Order => PUT_ORDER,
        }
    }

    fn get_request(self) -> Template {
        Template::new(match self {
            Kind::KeyValue => {
                let namespace = "bench".to_owned();
                GetRequest { namespace, id: id(0), ..Default::default() }.encode_to_vec()
            }
            Kind::Order => {
                let (customer_id, order_id) = (id(0), "order".to_owned());
                GetOrderRequest { customer_id, order_id, ..Default::default() }.encode_to_vec()
            }
        })
    }

    fn put_request(self, payload: usize) -> Template {
        let value = value(0, payload);
        Template::new(match self {
            Kind::KeyValue => {
                let item = Item { key: b"profile".to_vec(), value, metadata: None };
                let (namespace, items) = ("bench".to_owned(), vec![item]);
                PutRequest { namespace, id: id(0), items, item_priority_token: 0 }.encode_to_vec()
            }
            Kind::Order => {
                let order = Order {
                    customer_id: id(0),
                    order_id: "order".to_owned(),
                    note: String::from_utf8(value).ok(),
                    ..Order::default()
                };
                PutOrderRequest { order: Some(order) }.encode_to_vec()
            }
        })
    }
}

/// A message, and where in it the row and the write are told.
#[derive(Clone, Debug)]
struct Template {
    message: Vec<u8>,
    id_at: usize,
    value_at: Option<usize>,
}

impl Template {
    fn new(message: Vec<u8>) -> Self {
        let id_at = find(&message, ID).map_or(0, |at| at + ID.len());
        let value_at = find(&message, MARK).map(|at| at + MARK.len());
        Template { message, id_at, value_at }
    }

    fn fill(&self, message: &mut Vec<u8>, row: u64, write: u64) {
        message.extend_from_slice(&self.message);
        hexadecimal(&mut message[self.id_at..self.id_at + ROW_DIGITS], row);
        let Some(row_at) = self.value_at else { return };
        let write_at = row_at + ROW_DIGITS;
        hexadecimal(&mut message[row_at..write_at], row);
        hexadecimal(&mut message[write_at..write_at + WRITE_DIGITS], write);
    }
}

/// Puts with values that change at every write, and what was acknowledged of them.
#[derive(Debug)]
pub struct Puts {
    kind: Kind,
    rows: Rows,
    template: Template,
    write: u64,
    /// Calls that are still to be made; `None`: no end.
    left: Option<u64>,
    /// For each of the connection's rows the last write that was acknowledged; 0: none.
    acknowledged: Vec<u64>,
    /// The rows with a put under way: two at once might be made in either order.
    under_way: Vec<bool>,
}

impl Puts {
    /// Puts without an end.
    pub fn new(kind: Kind, share: Share, payload: usize) -> Self {
        let rows = share.rows();
        Puts {
            kind,
            template: kind.put_request(payload),
            acknowledged: vec![0; rows.count as usize],
            under_way: vec![false; rows.count as usize],
            rows,
            write: 0,
            left: None,
        }
    }

    /// Every row once.
    #[must_use]
    pub fn once(mut self) -> Self {
        self.left = Some(self.rows.count);
        self
    }

    /// The next row without a put under way; the next one where that is none for long.
    fn free_row(&mut self) -> u64 {
        let mut row = self.rows.next();
        for _ in 0..self.rows.count {
            if !self.under_way[(row / self.rows.connections) as usize] {
                break;
            }
            row = self.rows.next();
        }
        self.under_way[(row / self.rows.connections) as usize] = true;
        row
    }

    /// Gets of every row that was written, which expect what was acknowledged or a later write.
    pub fn verification(&self) -> Verification {
        let wanted = self
            .acknowledged
            .iter()
            .enumerate()
            .filter(|(_, write)| **write > 0)
            .map(|(own, write)| (own as u64 * self.rows.connections + self.rows.connection, *write))
            .collect();
        Verification { kind: self.kind, template: self.kind.get_request(), wanted, at: 0 }
    }
}

impl Calls for Puts {
    fn path(&self) -> &'static str {
        self.kind.put()
    }

    fn next(&mut self, message: &mut Vec<u8>) -> Option<u64> {
        if let Some(left) = &mut self.left {
            *left = left.checked_sub(1)?;
        }
        let row = self.free_row();
        self.write += 1;
        self.template.fill(message, row, self.write);
        Some((self.write << 32) | row)
    }

    fn answered(&mut self, tag: u64, message: &[u8]) -> bool {
        let (row, write) = (tag & u64::from(u32::MAX), tag >> 32);
        let success = match self.kind {
            Kind::KeyValue => message == [0x08, 1],
            Kind::Order => stored(message) == Some((row, write)),
        };
        let own = (row / self.rows.connections) as usize;
        self.under_way[own] = false;
        if success {
            let last = &mut self.acknowledged[own];
            *last = write.max(*last);
        }
        success
    }
}

/// Gets of rows that are there.
#[derive(Debug)]
pub struct Gets {
    kind: Kind,
    rows: Rows,
    template: Template,
}

impl Gets {
    /// Gets without an end.
    pub fn new(kind: Kind, share: Share) -> Self {
        Gets { kind, rows: share.rows(), template: kind.get_request() }
    }
}

impl Calls for Gets {
    fn path(&self) -> &'static str {
        self.kind.get()
    }

    fn next(&mut self, message: &mut Vec<u8>) -> Option<u64> {
        let row = self.rows.next();
        self.template.fill(message, row, 0);
        Some(row)
    }

    fn answered(&mut self, tag: u64, message: &[u8]) -> bool {
        stored(message).is_some_and(|(row, _)| row == tag)
    }
}

/// Gets of every row that was written.
#[derive(Debug)]
pub struct Verification {
    kind: Kind,
    template: Template,
    wanted: Vec<(u64, u64)>,
    at: usize,
}

impl Verification {
    /// Rows that are verified.
    pub fn rows(&self) -> usize {
        self.wanted.len()
    }
}

impl Calls for Verification {
    fn path(&self) -> &'static str {
        self.kind.get()
    }

    fn next(&mut self, message: &mut Vec<u8>) -> Option<u64> {
        let (row, _) = self.wanted.get(self.at)?;
        self.template.fill(message, *row, 0);
        self.at += 1;
        Some(self.at as u64 - 1)
    }

    fn answered(&mut self, tag: u64, message: &[u8]) -> bool {
        // A put that was under way when its window ended may have been made after all.
        let (Some((row, write)), Some(stored)) = (self.wanted.get(tag as usize), stored(message))
        else {
            return false;
        };
        *row == stored.0 && *write <= stored.1
    }
}

/// The row and the write that a response's value is of.
fn stored(message: &[u8]) -> Option<(u64, u64)> {
    let value = &message[find(message, MARK)? + MARK.len()..];
    let row = std::str::from_utf8(value.get(..ROW_DIGITS)?).ok()?;
    let write = std::str::from_utf8(value.get(ROW_DIGITS..ROW_DIGITS + WRITE_DIGITS)?).ok()?;
    Some((u64::from_str_radix(row, 16).ok()?, u64::from_str_radix(write, 16).ok()?))
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

fn hexadecimal(digits: &mut [u8], mut value: u64) {
    for digit in digits.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(value & 15) as usize];
        value >>= 4;
    }
}

/// The id of a row.
pub fn id(row: u64) -> String {
    format!("user-{row:08x}")
}

/// The value of a row before it was written to; at least as long as its marks.
pub fn value(row: u64, payload: usize) -> Vec<u8> {
    let mut value = format!("prism-bench:{row:08x}").into_bytes();
    value.resize(payload.max(SHORTEST_VALUE), b'0');
    value
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const SHARE: Share = Share { connection: 1, connections: 2, rows: 10 };

    #[test]
    fn puts_are_messages_that_say_what_they_hold() {
        let mut puts = Puts::new(Kind::KeyValue, SHARE, 64).once();
        let mut seen = Vec::new();
        let mut message = Vec::new();
        while let Some(tag) = puts.next(&mut message) {
            let put = PutRequest::decode(message.as_slice()).unwrap();
            let row = tag & 0xffff_ffff;
            assert_eq!(put.id, id(row));
            assert_eq!(put.items[0].value.len(), 64);
            assert_eq!(stored(&put.items[0].value), Some((row, tag >> 32)));
            seen.push(row);
            message.clear();
        }
        seen.sort_unstable();
        assert_eq!(seen, [1, 3, 5, 7, 9]);
    }

    #[test]
    fn puts_of_orders_are_messages_that_say_what_they_hold() {
        let mut puts = Puts::new(Kind::Order, SHARE, 64);
        let mut message = Vec::new();
        let tag = puts.next(&mut message).unwrap();
        let order = PutOrderRequest::decode(message.as_slice()).unwrap().order.unwrap();
        assert_eq!(order.customer_id, id(tag & 0xffff_ffff));
        assert_eq!(stored(order.note().as_bytes()), Some((tag & 0xffff_ffff, tag >> 32)));
        assert!(puts.answered(tag, &order.encode_to_vec()));
    }

    #[test]
    fn verification_wants_the_last_acknowledged_write() {
        let mut puts = Puts::new(Kind::KeyValue, SHARE, 64);
        let mut message = Vec::new();
        let tag = puts.next(&mut message).unwrap();
        assert!(!puts.answered(tag, &[]));
        assert_eq!(puts.verification().rows(), 0);
        assert!(puts.answered(tag, &[0x08, 1]));
        let mut verification = puts.verification();
        assert_eq!(verification.rows(), 1);
        let value = PutRequest::decode(message.as_slice()).unwrap().items[0].value.clone();
        message.clear();
        let get = verification.next(&mut message).unwrap();
        let request = GetRequest::decode(message.as_slice()).unwrap();
        assert_eq!((request.namespace.as_str(), request.id), ("bench", id(tag & 0xffff_ffff)));
        assert!(verification.answered(get, &value));
        let older = value.iter().map(|byte| if *byte == b'1' { b'0' } else { *byte });
        assert!(!verification.answered(get, &older.collect::<Vec<u8>>()));
        assert!(!verification.answered(get, b"prism-bench:000000070000000000000001"));
    }
}
