//! The daemons need no rights on their machine: they run as nobody, without a capability, and can get none.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use wakegate_e2e::process::Process;
use wakegate_e2e::programs;

/// The user and group that own nothing.
const NOBODY: &str = "65534";
/// What a daemon may take to listen.
const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn daemons_run_as_nobody_without_capabilities() -> Result<()> {
    let folder = tempfile::Builder::new().prefix("wakegate-").tempdir()?;
    everyone_may(folder.path(), 0o777)?;
    let manifests = folder.path().join("manifests");
    std::fs::create_dir(&manifests)?;
    everyone_may(&manifests, 0o755)?;
    let manifests = format!("--manifests={}", manifests.display());
    let control_plane = start(folder.path(), "wakegate-control-plane", &[&manifests]).await?;
    let uri = format!("--control-plane=http://{}", control_plane.1);
    let scaler = start(folder.path(), "wakegate-scaler", &[&uri]).await?;
    for (process, _) in [control_plane, scaler] {
        is_nobody(&process)?;
        let status = process.terminate(SOON).await?;
        ensure!(status.success(), "it ended with {status}");
    }
    Ok(())
}

/// Starts a daemon and returns where it serves gRPC.
async fn start(folder: &Path, name: &str, flags: &[&str]) -> Result<(Process, String)> {
    // Where ours lie, nobody may be without the right to look.
    let program = folder.join(name);
    std::fs::copy(programs::ours(name)?, &program).context("copy a daemon")?;
    everyone_may(&program, 0o755)?;
    let address_file = folder.join(format!("{name}.address"));
    let mut args: Vec<String> = ["--no-new-privs", "--inh-caps=-all", "--bounding-set=-all"]
        .map(str::to_owned)
        .to_vec();
    if rustix::process::geteuid().is_root() {
        args.extend([format!("--reuid={NOBODY}"), format!("--regid={NOBODY}")]);
        args.push("--clear-groups".to_owned());
    } else {
        // Whoever is not root has no bounds to set, and nothing to give up.
        args.truncate(1);
    }
    args.push(program.display().to_string());
    args.extend(flags.iter().map(|flag| (*flag).to_owned()));
    args.extend(
        [
            "--plain-text",
            "--listen=127.0.0.1:0",
            "--admin-listen=127.0.0.1:0",
        ]
        .map(str::to_owned),
    );
    args.push(format!("--address-file={}", address_file.display()));
    let log = folder.join(format!("{name}.log"));
    let mut process = Process::start(Path::new("/usr/bin/setpriv"), args, &log)?;
    let text = process.address(&address_file, SOON).await?;
    let addresses: serde_json::Value = serde_json::from_str(&text)?;
    let grpc = addresses.get("grpc").and_then(serde_json::Value::as_str);
    let grpc = grpc.context("its gRPC address")?.to_owned();
    Ok((process, grpc))
}

fn is_nobody(process: &Process) -> Result<()> {
    let path = format!("/proc/{}/status", process.pid());
    let status = std::fs::read_to_string(path).context("read its status")?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.map(str::trim)
            .with_context(|| format!("no {name} in {status}"))
    };
    let users: Vec<&str> = field("Uid:")?.split_whitespace().collect();
    ensure!(!users.contains(&"0"), "it runs as {users:?}");
    for set in ["CapInh:", "CapPrm:", "CapEff:", "CapAmb:"] {
        let capabilities = field(set)?;
        ensure!(
            capabilities.trim_start_matches('0').is_empty(),
            "{set} {capabilities}"
        );
    }
    ensure!(field("NoNewPrivs:")? == "1", "it may get more");
    Ok(())
}

fn everyone_may(path: &Path, mode: u32) -> Result<()> {
    let permissions = std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(path, permissions).with_context(|| path.display().to_string())
}
