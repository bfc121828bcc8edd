//! Where the programs are: beside the one that runs, unless the environment says otherwise.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// One of the workspace's own programs: in `WAKEGATE_BIN_DIR`, else where cargo put this one.
pub fn ours(name: &str) -> Result<PathBuf> {
    let folder = match env::var_os("WAKEGATE_BIN_DIR") {
        Some(folder) => PathBuf::from(folder),
        None => profile_folder()?,
    };
    existing(folder.join(name), "build it with `cargo build --workspace`")
}

/// The filter: `WAKEGATE_FILTER`, else what `just wasm` left.
pub fn filter() -> Result<PathBuf> {
    let path = match env::var_os("WAKEGATE_FILTER") {
        Some(path) => PathBuf::from(path),
        None => target_folder()?.join("wasm/wakegate_filter.wasm"),
    };
    existing(path, "build it with `just wasm`")
}

/// The filter that dies when a request has the header `x-wakegate-test-panic`.
pub fn filter_that_dies() -> Result<PathBuf> {
    let path = target_folder()?.join("wasm/wakegate_filter_test_panic.wasm");
    existing(path, "build it with `just wasm-that-dies`")
}

/// Envoy: `ENVOY_BIN`, else `envoy` on the PATH, else the one in the user's cache.
pub fn envoy() -> Result<PathBuf> {
    if let Some(path) = env::var_os("ENVOY_BIN") {
        return existing(path.into(), "ENVOY_BIN names no file");
    }
    let on_path = env::split_paths(&env::var_os("PATH").unwrap_or_default())
        .map(|folder| folder.join("envoy"))
        .find(|path| path.is_file());
    match on_path {
        Some(path) => Ok(path),
        None => cached_envoy().context("no Envoy found: install it with `scripts/envoy`"),
    }
}

/// A container registry: `REGISTRY_BIN`.
pub fn registry() -> Result<PathBuf> {
    let path =
        env::var_os("REGISTRY_BIN").context("REGISTRY_BIN is not set: `scripts/registry`")?;
    existing(path.into(), "REGISTRY_BIN names no file")
}

/// crane, which talks to a registry: `CRANE`.
pub fn crane() -> Result<PathBuf> {
    let path = env::var_os("CRANE").context("CRANE is not set: `scripts/go-tool crane`")?;
    existing(path.into(), "CRANE names no file")
}

/// Envoy Gateway: `ENVOY_GATEWAY`.
pub fn envoy_gateway() -> Result<PathBuf> {
    let path = env::var_os("ENVOY_GATEWAY");
    let path = path.context("ENVOY_GATEWAY is not set: `scripts/go-tool envoy-gateway`")?;
    existing(path.into(), "ENVOY_GATEWAY names no file")
}

/// helm, which installs charts: `HELM`.
pub fn helm() -> Result<PathBuf> {
    let path = env::var_os("HELM").context("HELM is not set: `scripts/go-tool helm`")?;
    existing(path.into(), "HELM names no file")
}

/// The xDS server of the tests: `XDS`.
pub fn xds() -> Result<PathBuf> {
    let path = env::var_os("XDS").context("XDS is not set: `scripts/go-tool xds`")?;
    existing(path.into(), "XDS names no file")
}

/// The folder with images as OCI layouts: what `just images` left.
pub fn images() -> Result<PathBuf> {
    Ok(target_folder()?.join("images"))
}

/// libfaketime, which steps the clock of the programs that it is loaded into: `LIBFAKETIME`.
pub fn faketime() -> Result<PathBuf> {
    let path = env::var_os("LIBFAKETIME").context("LIBFAKETIME is not set: `scripts/faketime`")?;
    existing(path.into(), "LIBFAKETIME names no file")
}

fn cached_envoy() -> Option<PathBuf> {
    let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cache")))?;
    let libraries = cache.join("wakegate/envoy-1.40.0/lib");
    let pythons = std::fs::read_dir(libraries)
        .ok()?
        .flatten()
        .map(|entry| entry.path());
    pythons
        .map(|python| python.join("site-packages/envoy/_bin/envoy"))
        .find(|path| path.is_file())
}

/// `target/<profile>`: this program's folder, or for a test the one above its own.
fn profile_folder() -> Result<PathBuf> {
    let program = env::current_exe().context("ask for this program's path")?;
    let folder = program.parent().context("a program is in a folder")?;
    let is_test = folder.ends_with("deps");
    let folder = if is_test {
        folder.parent()
    } else {
        Some(folder)
    };
    Ok(folder.context("a test is two folders deep")?.to_owned())
}

fn target_folder() -> Result<PathBuf> {
    let profile = profile_folder()?;
    Ok(profile
        .parent()
        .context("a profile is in a target folder")?
        .to_owned())
}

fn existing(path: PathBuf, hint: &str) -> Result<PathBuf> {
    if !Path::is_file(&path) {
        bail!("{} is not there: {hint}", path.display());
    }
    Ok(path)
}
