//! The health check of a proxy by itself: its image holds no other client.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use crate::client::Client;
use crate::config::addresses;
use crate::server::StartError;

const METHOD: &str = "/grpc.health.v1.Health/Check";

/// How long the answer may take: below the time that a container's health check is given.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Asks the proxy that listens on an address whether the server as a whole is SERVING. An address
/// that stands for every interface is asked on loopback. `setting` is what names it.
///
/// # Errors
///
/// One line: nothing answers within five seconds, or the answer is another one.
pub(super) fn check(setting: &str, listen: &str) -> Result<(), StartError> {
    let address = reachable(setting, listen)?;
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
fn reachable(setting: &str, listen: &str) -> Result<SocketAddr, StartError> {
    let mut address = addresses(setting, listen)?[0];
    if address.port() == 0 {
        return Err(StartError::new(format!(
            "{setting} has port 0, which is any: name the one that the proxy listens on"
        )));
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
            assert_eq!(reachable("server.listen", listen).unwrap().to_string(), expected);
        }
        for (listen, expected) in [
            ("127.0.0.1:0", "--health-check has port 0, which is any"),
            ("nowhere", "--health-check is not an address and a port"),
            ("", "--health-check is not an address and a port"),
            (
                "127.0.0.1:99999",
                "--health-check has a port that is not a whole number from 0 to 65535",
            ),
            ("postgres://u:s3cret@h/d", "--health-check is a URL"),
        ] {
            let error = reachable("--health-check", listen).unwrap_err().to_string();
            assert!(error.starts_with(expected) && !error.contains("s3cret"), "{error}");
        }
    }
}
