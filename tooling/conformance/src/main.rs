//! The server that the runner of the suite starts: it reads one request from standard input,
//! writes where it listens to standard output, and serves until SIGTERM. With `--details`, Prism's
//! own errors have their details, as they have by default.

use std::error::Error;
use std::io::{Read, Write};

use prism_conformance::connectrpc::conformance::v1::{ServerCompatRequest, ServerCompatResponse};
use prism_conformance::service;
use prism_runtime::Proxy;
use prism_runtime::config::Config;
use prost::Message;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut terminated = signal(SignalKind::terminate())?;
    let request = read_request(&mut std::io::stdin().lock())?;
    let folder = tempfile::tempdir()?;
    let mut config = Config::default();
    config.server.listen = "127.0.0.1:0".to_owned();
    // A database that is not used: the service stores nothing.
    config.database = folder.path().join("unused.db").display().to_string();
    if request.message_receive_limit > 0 {
        config.server.max_message_bytes = usize::try_from(request.message_receive_limit)?;
    }
    let mut proxy = Proxy::builder(service()).config(config);
    // The suite expects no details but those that its requests ask for.
    if !std::env::args().any(|argument| argument == "--details") {
        proxy = proxy.bare_statuses();
    }
    let proxy = proxy.start()?;
    let address = proxy.local_addr();
    let response = ServerCompatResponse {
        host: address.ip().to_string(),
        port: u32::from(address.port()),
        pem_cert: Vec::new(),
    };
    write_response(&mut std::io::stdout().lock(), &response)?;
    terminated.recv().await;
    proxy.shutdown().await;
    Ok(())
}

/// Reads a message after its length in four bytes, big-endian.
fn read_request(input: &mut impl Read) -> Result<ServerCompatRequest, Box<dyn Error>> {
    let mut length = [0; 4];
    input.read_exact(&mut length)?;
    let mut message = Vec::new();
    input.take(u64::from(u32::from_be_bytes(length))).read_to_end(&mut message)?;
    let request = ServerCompatRequest::decode(message.as_slice())?;
    if request.use_tls {
        return Err("the server has no TLS".into());
    }
    Ok(request)
}

/// Writes a message in the same form.
fn write_response(
    output: &mut impl Write,
    response: &ServerCompatResponse,
) -> Result<(), Box<dyn Error>> {
    let message = response.encode_to_vec();
    output.write_all(&u32::try_from(message.len())?.to_be_bytes())?;
    output.write_all(&message)?;
    output.flush()?;
    Ok(())
}
