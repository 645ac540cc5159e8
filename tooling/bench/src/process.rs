//! What is measured of whole programs: the proxy's start and memory, the generator's time.

use std::env;
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::arms::GET;
use crate::load::{self, Calls};
use crate::probe;
use crate::report::{Goal, Series};

const STARTS: usize = 9;
const START_LIMIT: Duration = Duration::from_secs(10);
/// Entities of the large schema.
const ENTITIES: usize = 200;

/// A binary that cargo put beside this one; `None`, and a note, where it did not.
fn beside(name: &str) -> Option<PathBuf> {
    let path = env::current_exe().ok()?.with_file_name(name);
    if path.exists() {
        return Some(path);
    }
    println!("{name} is not built: left out");
    None
}

/// Time from the start of the process to the first answer, and memory when idle.
pub fn proxy(directory: &Path) -> Result<Vec<Goal>, Box<dyn Error>> {
    let Some(binary) = beside("prism-proxy") else { return Ok(Vec::new()) };
    let (mut cold, mut again) = (Series::default(), Series::default());
    let (mut resident, mut anonymous) = (Series::default(), Series::default());
    for start in 0..STARTS {
        let own = directory.join(format!("proxy-{start}"));
        fs::create_dir_all(&own)?;
        cold.push(Proxy::start(&binary, &own)?.1.as_secs_f64() * 1000.0);
        let (proxy, time) = Proxy::start(&binary, &own)?;
        again.push(time.as_secs_f64() * 1000.0);
        // What start-up has allocated and freed is given back after a moment.
        std::thread::park_timeout(Duration::from_millis(500));
        let memory = probe::memory(proxy.0.id()).ok_or("prism-proxy ended")?;
        resident.push(memory.resident * 1.048_576);
        anonymous.push(memory.anonymous * 1.048_576);
    }
    println!("prism-proxy: anonymous memory when idle {:.1} MB", anonymous.median());
    Ok(vec![
        Goal::below("cold start to first answer, new database", 50.0, "ms", &cold),
        Goal::below("cold start to first answer, database there", 50.0, "ms", &again),
        Goal::below("idle resident memory", 25.0, "MB", &resident),
    ])
}

/// A proxy; killed when dropped, which a durable store survives.
struct Proxy(Child);

impl Proxy {
    /// Starts the proxy and calls it until it answers. Also how long that took.
    fn start(binary: &Path, directory: &Path) -> Result<(Proxy, Duration), Box<dyn Error>> {
        let address: SocketAddr = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let started = Instant::now();
        let child = Command::new(binary)
            .current_dir(directory)
            .env("PRISM_SERVER__LISTEN", address.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut proxy = Proxy(child);
        while TcpStream::connect(address).is_err() {
            if let Some(status) = proxy.0.try_wait()? {
                let mut text = String::new();
                if let Some(mut stderr) = proxy.0.stderr.take() {
                    stderr.read_to_string(&mut text)?;
                }
                return Err(format!("prism-proxy: {status}: {text}").into());
            }
            if started.elapsed() > START_LIMIT {
                return Err(io::Error::from(io::ErrorKind::TimedOut).into());
            }
            std::thread::park_timeout(Duration::from_micros(200));
        }
        let wrong = load::complete(address, vec![FirstGet { done: false }], 1)?;
        let elapsed = started.elapsed();
        if wrong > 0 {
            return Err("prism-proxy answers the first Get with an error".into());
        }
        Ok((proxy, elapsed))
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // Already gone, if this fails.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// One Get of a record that is not there.
struct FirstGet {
    done: bool,
}

impl Calls for FirstGet {
    fn path(&self) -> &'static str {
        GET
    }

    fn next(&mut self, message: &mut Vec<u8>) -> Option<u64> {
        message.extend_from_slice(b"\x0a\x05bench\x12\x04none");
        (!std::mem::replace(&mut self.done, true)).then_some(0)
    }

    fn answered(&mut self, _: u64, message: &[u8]) -> bool {
        message.is_empty()
    }
}

/// Time to generate a crate from 200 entities of 10 fields, each with a service.
pub fn generate(directory: &Path) -> Result<Vec<Goal>, Box<dyn Error>> {
    let Some(binary) = beside("prism") else { return Ok(Vec::new()) };
    let protos = directory.join("large");
    fs::create_dir_all(&protos)?;
    fs::write(protos.join("large.proto"), large_schema()?)?;
    let mut seconds = Series::default();
    for round in 0..5 {
        let started = Instant::now();
        let output = Command::new(&binary)
            .args(["generate", "-I"])
            .arg(&protos)
            .arg("--out")
            .arg(directory.join(format!("large-out-{round}")))
            .arg("large.proto")
            .current_dir(&protos)
            .output()?;
        seconds.push(started.elapsed().as_secs_f64());
        if !output.status.success() {
            return Err(format!("prism: {}", String::from_utf8_lossy(&output.stderr)).into());
        }
    }
    Ok(vec![Goal::below("generate 200 entities, 2,000 fields", 2.0, "s", &seconds)])
}

fn large_schema() -> Result<String, std::fmt::Error> {
    let mut text = String::from(
        "syntax = \"proto3\";\npackage large.v1;\nimport \"prism/options.proto\";\nimport \"google/protobuf/empty.proto\";\nimport \"google/protobuf/field_mask.proto\";\n",
    );
    for entity in 0..ENTITIES {
        let name = format!("Record{entity}");
        writeln!(
            text,
            "message {name} {{\n  option (prism.message) = {{namespace: \"record-{entity}\", backend: BACKEND_SQLITE}};\n  string id = 1 [(prism.field).index = INDEX_KIND_PRIMARY];\n  string owner = 2 [(prism.field).index = INDEX_KIND_SECONDARY];"
        )?;
        for field in 3..=10 {
            let kind = ["string", "int64", "bytes", "bool"][field % 4];
            writeln!(text, "  {kind} field_{field} = {field};")?;
        }
        writeln!(
            text,
            "}}\nservice {name}Service {{\n  option (prism.service) = {{entity: \"{name}\"}};\n  rpc Get{name}(Get{name}Request) returns ({name});\n  rpc List{name}s(List{name}sRequest) returns (List{name}sResponse);\n  rpc Create{name}(Create{name}Request) returns ({name});\n  rpc Update{name}(Update{name}Request) returns ({name});\n  rpc Delete{name}(Delete{name}Request) returns (google.protobuf.Empty);\n}}\nmessage Get{name}Request {{ string id = 1; }}\nmessage List{name}sRequest {{ int32 page_size = 1; string page_token = 2; string owner = 3; }}\nmessage List{name}sResponse {{ repeated {name} records = 1; string next_page_token = 2; }}\nmessage Create{name}Request {{ {name} record = 1; }}\nmessage Update{name}Request {{ {name} record = 1; google.protobuf.FieldMask update_mask = 2; }}\nmessage Delete{name}Request {{ string id = 1; }}"
        )?;
    }
    Ok(text)
}
