//! Prism: its real server, with a service of the benchmark or with its own.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use prism_runtime::page_token::PageTokens;
use prism_runtime::schema::{Method, Service as Descriptor};
use prism_runtime::server::Builder;
use prism_runtime::service::{Context, Encoded, Reply, Service};
use prism_runtime::store::sqlite::{self, Database};
use prism_runtime::{Proxy, config, keyvalue};
use prost::Message as _;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet};

use super::EchoMessage;

const MESSAGE: &str = "EchoMessage";
const PACKAGE: &str = "prism.bench.v1";

/// Serves an echo on a free loopback port, with the default settings.
pub fn serve_echo() -> Result<(), Box<dyn Error>> {
    // Lives as long as the process.
    let descriptors: &'static [u8] = Box::leak(descriptors().encode_to_vec().into_boxed_slice());
    let server = Builder::new(config::Server::default())
        .service(Arc::new(Echo::new()))
        .descriptor_set(descriptors)
        .start("127.0.0.1:0".parse()?)?;
    super::announce(server.local_addr())?;
    Ok(super::until_parent_leaves()?)
}

/// An echo that decodes and encodes, as a handler that a user writes does.
struct Echo(Descriptor);

impl Echo {
    fn new() -> Self {
        let message = format!("{PACKAGE}.{MESSAGE}");
        Echo(Descriptor {
            name: format!("{PACKAGE}.EchoService"),
            methods: vec![Method {
                name: "Echo".to_owned(),
                input: message.clone(),
                output: message,
                client_streaming: false,
                server_streaming: false,
                binding: None,
                timeout: None,
                idempotent: true,
                require_auth: true,
                permissions: Vec::new(),
            }],
        })
    }
}

impl Service for Echo {
    fn descriptor(&self) -> &Descriptor {
        &self.0
    }

    fn call(&self, _: usize, _: Context, request: Bytes) -> Reply {
        Reply::Ready(
            EchoMessage::decode(request)
                .map(|message| Encoded::new(&message))
                .map_err(prism_runtime::Error::internal),
        )
    }
}

/// What a `.proto` file of the echo says: requests are checked against it.
fn descriptors() -> FileDescriptorSet {
    let body = FieldDescriptorProto {
        name: Some("body".to_owned()),
        number: Some(1),
        label: Some(Label::Optional.into()),
        r#type: Some(Type::Bytes.into()),
        ..FieldDescriptorProto::default()
    };
    let message = DescriptorProto {
        name: Some(MESSAGE.to_owned()),
        field: vec![body],
        ..DescriptorProto::default()
    };
    let file = FileDescriptorProto {
        name: Some("prism/bench/v1/echo.proto".to_owned()),
        package: Some(PACKAGE.to_owned()),
        message_type: vec![message],
        syntax: Some("proto3".to_owned()),
        ..FileDescriptorProto::default()
    };
    FileDescriptorSet { file: vec![file] }
}

/// Serves KeyValueService from a SQLite file in `directory`, with the default settings.
pub fn serve_key_value(directory: &Path) -> Result<(), Box<dyn Error>> {
    let database = Database::open(&sqlite::Options::new(directory.join("prism.db")))?;
    let options = keyvalue::Options::new(Arc::new(PageTokens::random()?));
    let store = Arc::new(sqlite::KeyValue::new(database));
    let server = Builder::new(config::Server::default())
        .service(Arc::new(keyvalue::KeyValue::new(store, options)))
        .descriptor_set(prism_runtime::proto::FILE_DESCRIPTOR_SET)
        .start("127.0.0.1:0".parse()?)?;
    super::announce(server.local_addr())?;
    Ok(super::until_parent_leaves()?)
}

/// Serves KeyValueService and the generated schema from a database, a path or a URL, with the
/// default settings.
pub fn serve(database: &str) -> Result<(), Box<dyn Error>> {
    let mut config = config::Config::default();
    config.server.listen = "127.0.0.1:0".to_owned();
    config.database = database.to_owned();
    config.migrate = Some(true);
    let proxy = Proxy::builder(prism_proxy::schema()).config(config).start()?;
    super::announce(proxy.local_addr())?;
    Ok(super::until_parent_leaves()?)
}
