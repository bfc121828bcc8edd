//! The checked-in Rust of `proto/` is what its files say today. `just gen` sets `WAKEGATE_GEN` and
//! rewrites it.

use std::{error::Error, fs, path::Path};

const PROTOS: [&str; 5] = [
    "routes.proto",
    "demand.proto",
    "peers.proto",
    "ledgers.proto",
    "externalscaler.proto",
];

/// Reached by an attribute on each service module, so that the stubs cost nothing in the filter.
fn generate(into: &Path) -> Result<(), Box<dyn Error>> {
    let descriptors = protox::compile(PROTOS, ["proto"])?;
    tonic_prost_build::configure()
        .build_transport(false)
        // Encoded once for all replicas that follow.
        .bytes(".wakegate.v1.Relayed")
        .client_mod_attribute(".", "#[cfg(feature = \"client\")]")
        .server_mod_attribute(".", "#[cfg(feature = \"server\")]")
        .out_dir(into)
        .compile_fds(descriptors)?;
    Ok(())
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test has no Args")]
fn generated_code_is_current() {
    let checked_in = Path::new("src/gen");
    let fresh = tempfile::tempdir().unwrap();
    generate(fresh.path()).unwrap();
    for entry in fs::read_dir(fresh.path()).unwrap() {
        let path = entry.unwrap().path();
        let target = checked_in.join(path.file_name().unwrap());
        let generated = fs::read_to_string(&path).unwrap();
        if std::env::var("WAKEGATE_GEN").is_ok() {
            fs::write(&target, generated).unwrap();
        } else {
            assert!(
                fs::read_to_string(&target).is_ok_and(|current| current == generated),
                "{} is stale: run `just gen`",
                target.display()
            );
        }
    }
}
