//! The health check of a proxy by itself: its image holds no other client.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::time::Duration;

use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use crate::client::Client;
use crate::server::StartError;

const METHOD: &str = "/grpc.health.v1.Health/Check";

/// How long the answer may take: below the time that a container's health check is given.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Asks the proxy that listens on an address whether the server as a whole is SERVING. An address
/// that stands for every interface is asked on loopback.
///
/// # Errors
///
/// One line: nothing answers within five seconds, or the answer is another one.
pub(super) fn check(listen: &str) -> Result<(), StartError> {
    let address = reachable(listen)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| StartError::new(format!("cannot check: {error}")))?;
    let asked = async { tokio::time::timeout(TIMEOUT, ask(address)).await };
    match runtime.block_on(asked) {
        Ok(Ok(ServingStatus::Serving)) => Ok(()),
        Ok(Ok(status)) => {
            Err(StartError::new(format!("{address} answers {}", status.as_str_name())))
        }
        Ok(Err(error)) => Err(StartError::new(format!("{address}: {error}"))),
        Err(_) => Err(StartError::new(format!("{address} does not answer within {TIMEOUT:?}"))),
    }
}

async fn ask(address: SocketAddr) -> Result<ServingStatus, String> {
    let client = Client::connect(format!("http://{address}"))
        .await
        .map_err(|_| "nothing listens there".to_owned())?;
    let answer: HealthCheckResponse = client
        .unary(METHOD, HealthCheckRequest::default())
        .await
        .map_err(|status| format!("{:?}: {}", status.code(), status.message()))?
        .into_inner();
    Ok(answer.status())
}

/// Where a server that was told to listen there is reached from the same machine.
fn reachable(listen: &str) -> Result<SocketAddr, StartError> {
    let unusable =
        || StartError::new(format!("{listen} is not an address and a port, like 127.0.0.1:8980"));
    let mut address =
        listen.to_socket_addrs().ok().and_then(|mut found| found.next()).ok_or_else(unusable)?;
    if address.port() == 0 {
        return Err(StartError::new("port 0 is any: name the one that the proxy listens on"));
    }
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    Ok(address)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::reachable;

    #[test]
    fn every_interface_is_asked_on_loopback() {
        for (listen, expected) in [
            ("0.0.0.0:8980", "127.0.0.1:8980"),
            ("[::]:8980", "[::1]:8980"),
            ("127.0.0.1:9000", "127.0.0.1:9000"),
            ("10.1.2.3:9000", "10.1.2.3:9000"),
        ] {
            assert_eq!(reachable(listen).unwrap().to_string(), expected);
        }
        assert!(reachable("127.0.0.1:0").is_err());
        assert!(reachable("nowhere").is_err());
    }
}
