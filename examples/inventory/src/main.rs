//! The inventory's data proxy.

fn main() -> std::process::ExitCode {
    prism_runtime::main(inventory::service())
}
