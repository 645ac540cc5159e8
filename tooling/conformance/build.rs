//! Generates the service from the suite's protos.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files = ["config", "server_compat", "service"]
        .map(|name| format!("proto/connectrpc/conformance/v1/{name}.proto"));
    prism_codegen::configure().compile(&files, &["proto"])?;
    Ok(())
}
