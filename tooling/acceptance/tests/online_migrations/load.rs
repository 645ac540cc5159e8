//! Calls of the old server, all through the migrations.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use prism_acceptance::dynamic::Serving;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

/// The time between the calls of one kind.
const PACE: Duration = Duration::from_millis(25);

/// A call and how long it took.
#[derive(Clone, Copy)]
pub struct Call {
    pub operation: &'static str,
    pub took: Duration,
}

/// Calls that go on until they are stopped.
pub struct Load {
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<u32>>,
    calls: Arc<Mutex<Vec<Call>>>,
}

/// A filled row, as the old schema has it.
pub fn filled(number: u32) -> Value {
    let mut row = json!({
        "id": id(number),
        "name": format!("name {number}"),
        "mail": format!("{number}@example.com"),
        "label": format!("label {}", number % 5000),
        "color": "COLOR_RED",
        "left": format!("left {number}"),
        "right": format!("right {number}"),
    });
    // A zero is not said.
    for (field, value) in [("count", number % 1000), ("size", number % 77)] {
        if value != 0 {
            row[field] = value.into();
        }
    }
    row
}

pub fn id(number: u32) -> String {
    format!("thing-{number:07}")
}

/// What fills the table: the same rows.
pub const FILL: &str = "
    INSERT INTO things (id, name, count, mail, label, color, \"left\", \"right\", size)
    SELECT 'thing-' || lpad(n::text, 7, '0'), 'name ' || n, n % 1000, n || '@example.com',
        'label ' || n % 5000, 1, 'left ' || n, 'right ' || n, n % 77
    FROM generate_series($1::bigint, $2::bigint - 1) AS n";

impl Load {
    /// Of a table that is filled with so many rows: the last tenth is written, the others stay as
    /// they are.
    pub fn start(serving: &Arc<Serving>, rows: u32) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let calls = Arc::<Mutex<Vec<Call>>>::default();
        let spawn = |operation: fn(Caller) -> JoinHandle<u32>| {
            operation(Caller {
                serving: Arc::clone(serving),
                stop: Arc::clone(&stop),
                calls: Arc::clone(&calls),
                rows,
                made: AtomicU32::new(0),
            })
        };
        let tasks = [
            spawn(|it| tokio::spawn(it.gets())),
            spawn(|it| tokio::spawn(it.lists())),
            spawn(|it| tokio::spawn(it.puts())),
            spawn(|it| tokio::spawn(it.updates())),
            spawn(|it| tokio::spawn(it.creates_and_deletes())),
        ];
        Load { stop, tasks: tasks.into(), calls }
    }

    /// The calls that were answered since the last time.
    pub fn taken(&self) -> Vec<Call> {
        std::mem::take(&mut *self.calls.lock().unwrap())
    }

    /// Ends, and says how many calls each task made. Panics where one failed.
    pub async fn stop(self) -> Vec<u32> {
        self.stop.store(true, Ordering::Relaxed);
        let mut made = Vec::new();
        for task in self.tasks {
            made.push(task.await.unwrap());
        }
        made
    }

    /// Panics where a call has failed.
    pub fn check(&self) {
        assert!(self.tasks.iter().all(|task| !task.is_finished()), "a call has failed");
    }
}

struct Caller {
    serving: Arc<Serving>,
    stop: Arc<AtomicBool>,
    calls: Arc<Mutex<Vec<Call>>>,
    rows: u32,
    made: AtomicU32,
}

impl Caller {
    async fn call(&self, method: &str, operation: &'static str, request: Value) -> Value {
        let sent = Instant::now();
        let answer = self.serving.call(method, request).await;
        let took = sent.elapsed();
        self.calls.lock().unwrap().push(Call { operation, took });
        self.made.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(PACE).await;
        answer.unwrap_or_else(|status| panic!("{operation} after {took:?}: {status:?}"))
    }

    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }

    fn made(&self) -> u32 {
        self.made.load(Ordering::Relaxed)
    }

    async fn gets(self) -> u32 {
        while self.goes_on() {
            let number = self.made().wrapping_mul(7919) % (self.rows / 10 * 9);
            let found = self.call("GetThing", "Get", json!({"id": id(number)})).await;
            assert_eq!(found, filled(number));
        }
        self.made()
    }

    async fn lists(self) -> u32 {
        while self.goes_on() {
            let label = format!("label {}", self.made() % 5000);
            let requests = [
                json!({"page_size": 5}),
                json!({"page_size": 20, "count": self.made() % 1000}),
                json!({"page_size": 20, "label": label}),
                json!({"page_size": 20, "order_by": "count"}),
            ];
            for (position, request) in requests.into_iter().enumerate() {
                let page = self.call("ListThings", "List", request).await;
                // What new servers write has no count, and no count comes first.
                let mut things = page["things"].as_array().unwrap().iter();
                let thing = things.find(|it| it["id"].as_str().unwrap().starts_with("thing-"));
                let id = thing.unwrap()["id"].as_str().unwrap();
                let number = id.trim_start_matches("thing-").parse().unwrap();
                assert_eq!(*thing.unwrap(), filled(number), "list {position}");
            }
        }
        self.made()
    }

    async fn puts(self) -> u32 {
        while self.goes_on() {
            let number = self.rows / 10 * 9 + self.made() % (self.rows / 20);
            let mut thing = filled(number);
            thing["name"] = format!("put {}", self.made()).into();
            let put = self.call("PutThing", "Put", json!({"thing": thing})).await;
            assert_eq!(put, thing);
            let found = self.call("GetThing", "Get", json!({"id": id(number)})).await;
            assert_eq!(found, thing);
        }
        self.made()
    }

    async fn updates(self) -> u32 {
        while self.goes_on() {
            let number = self.rows / 20 * 19 + self.made() % (self.rows / 20);
            let mut thing = filled(number);
            thing["left"] = format!("updated {}", self.made()).into();
            thing["count"] = 1001.into();
            let update = json!({"id": id(number), "left": thing["left"], "count": 1001});
            let request = json!({"thing": update, "update_mask": "left,count"});
            assert_eq!(self.call("UpdateThing", "Update", request).await, thing);
        }
        self.made()
    }

    async fn creates_and_deletes(self) -> u32 {
        while self.goes_on() {
            let id = format!("zzz-{}", self.made());
            let thing = json!({"id": id, "name": "new", "mail": id, "part": {"text": "x"}});
            assert_eq!(self.call("CreateThing", "Create", json!({"thing": thing})).await, thing);
            self.call("DeleteThing", "Delete", json!({"id": id})).await;
        }
        self.made()
    }
}
