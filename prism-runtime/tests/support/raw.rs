//! A client that can get everything wrong: HTTP/2 without any knowledge of gRPC.
#![allow(dead_code, clippy::unwrap_used)]

use std::net::SocketAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::Bytes;
use h2::client::SendRequest;
use http::{HeaderMap, Method, Request, StatusCode};
use prost::Message;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tonic_types::pb;

pub const ECHO: &str = "/test.v1.Test/Echo";

/// An HTTP/2 connection.
pub struct Raw {
    pub sender: SendRequest<Bytes>,
    /// Ends with the connection.
    pub connection: JoinHandle<Result<(), h2::Error>>,
}

/// A response, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub http: StatusCode,
    pub headers: HeaderMap,
    pub data: Vec<u8>,
    pub trailers: HeaderMap,
}

impl Raw {
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        let (sender, connection) = h2::client::handshake(stream).await.unwrap();
        Raw { sender, connection: tokio::spawn(connection) }
    }

    pub async fn call(&self, request: Request<()>, chunks: &[&[u8]]) -> Answer {
        let mut sender = self.sender.clone().ready().await.unwrap();
        let (response, mut body) = sender.send_request(request, chunks.is_empty()).unwrap();
        for (index, chunk) in chunks.iter().enumerate() {
            let last = index + 1 == chunks.len();
            // The server may have answered, and be no longer interested.
            let _ = body.send_data(Bytes::copy_from_slice(chunk), last);
        }
        let response = response.await.unwrap();
        let (parts, mut body) = response.into_parts();
        let mut data = Vec::new();
        while let Some(chunk) = body.data().await {
            let chunk = chunk.unwrap();
            body.flow_control().release_capacity(chunk.len()).unwrap();
            data.extend_from_slice(&chunk);
        }
        let trailers = body.trailers().await.unwrap().unwrap_or_default();
        Answer { http: parts.status, headers: parts.headers, data, trailers }
    }

    /// Sends a body to the echo method, as gRPC.
    pub async fn echo(&self, chunks: &[&[u8]]) -> Answer {
        self.call(post(ECHO), chunks).await
    }
}

impl Answer {
    /// The header or trailer, wherever it stands.
    pub fn text(&self, name: &str) -> &str {
        let value = self.trailers.get(name).or_else(|| self.headers.get(name));
        value.map_or("", |value| value.to_str().unwrap())
    }

    /// The status, and the reason in its details.
    pub fn status(&self) -> (u16, String) {
        assert_eq!(self.http, StatusCode::OK);
        let code = self.text("grpc-status").parse().unwrap();
        let details = STANDARD_NO_PAD.decode(self.text("grpc-status-details-bin")).unwrap();
        let status = pb::Status::decode(details.as_slice()).unwrap();
        assert_eq!(status.code, i32::from(code));
        let info = status.details.iter().find(|any| any.type_url.ends_with("ErrorInfo")).unwrap();
        let info = pb::ErrorInfo::decode(info.value.as_slice()).unwrap();
        assert_eq!(info.domain, "prism");
        (code, info.reason)
    }

    /// The field violations in the details.
    pub fn violations(&self) -> Vec<(String, String)> {
        let details = STANDARD_NO_PAD.decode(self.text("grpc-status-details-bin")).unwrap();
        let status = pb::Status::decode(details.as_slice()).unwrap();
        let request = status.details.iter().find(|any| any.type_url.ends_with("BadRequest"));
        let request = pb::BadRequest::decode(request.unwrap().value.as_slice()).unwrap();
        request.field_violations.into_iter().map(|v| (v.field, v.description)).collect()
    }
}

/// A gRPC request without a body.
pub fn post(path: &str) -> Request<()> {
    Request::builder()
        .method(Method::POST)
        .uri(format!("http://localhost{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(())
        .unwrap()
}

/// A message with its prefix.
pub fn framed(message: &[u8]) -> Vec<u8> {
    let mut frame = vec![0];
    frame.extend_from_slice(&(message.len() as u32).to_be_bytes());
    frame.extend_from_slice(message);
    frame
}
