//! Generates the service from its `.proto` file.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    prism_codegen::configure().compile(&["proto/inventory/v1/inventory.proto"], &["proto"])?;
    Ok(())
}
