//! Compiles `proto/*.proto` without a protoc binary.
#![expect(clippy::disallowed_macros, reason = "cargo listens on standard output")]

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files = ["pod", "money", "catalog", "inventory", "cart", "payment", "identity", "person"]
        .map(|name| format!("proto/{name}.proto"));
    for file in &files {
        println!("cargo::rerun-if-changed={file}");
    }
    let descriptors = protox::compile(&files, ["proto"])?;
    tonic_prost_build::configure().build_transport(false).compile_fds(descriptors)?;
    Ok(())
}
