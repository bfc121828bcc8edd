//! The filter's module over HTTP, for Envoys, or what configures them, that fetch it by address and digest.
//!
//! In plain HTTP and for everybody: the module is public, and who fetches it compares the SHA-256 that its own
//! configuration names.

use std::{fs, net::SocketAddr, path::Path};

use anyhow::{Context as _, ensure};
use axum::{
    Router,
    body::Bytes,
    http::header::{CONTENT_TYPE, ETAG},
    routing::get,
};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;
use wakegate_runtime::{Tasks, admin, listen};

use crate::config::ModuleConfig;

/// What every wasm binary begins with (WebAssembly core specification, 5.5.16).
const MAGIC: &[u8] = b"\0asm";

/// The module, read once: a file that changes needs a restart, so that all of a life's answers are the same.
#[derive(Debug)]
pub struct Module {
    bytes: Bytes,
    sha256: String,
}

impl Module {
    /// Reads the file.
    ///
    /// # Errors
    /// It cannot be read, or is no wasm module.
    pub fn read(file: &Path) -> anyhow::Result<Self> {
        let shown = file.display();
        let bytes = fs::read(file).with_context(|| format!("--filter-module {shown}"))?;
        ensure!(
            bytes.starts_with(MAGIC),
            "--filter-module {shown}: no wasm module"
        );
        let sha256 = Sha256::digest(&bytes)
            .iter()
            .fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
        Ok(Self {
            bytes: bytes.into(),
            sha256,
        })
    }

    /// Answers with the module and, as `sha256sum` prints it, its digest.
    pub fn router(self) -> Router {
        let Self { bytes, sha256 } = self;
        let line = format!("{sha256}  wakegate_filter.wasm\n");
        let headers = [
            (CONTENT_TYPE, "application/wasm".to_owned()),
            (ETAG, format!("\"{sha256}\"")),
        ];
        let module = get(async move || (headers.clone(), bytes.clone()));
        Router::new()
            .route("/wakegate_filter.wasm", module)
            .route("/wakegate_filter.wasm.sha256", get(async move || line))
    }
}

/// A module and the socket to serve it on.
#[derive(Debug)]
pub(crate) struct Bound {
    listener: TcpListener,
    pub(crate) address: SocketAddr,
    module: Module,
}

impl Bound {
    /// Reads the module and binds its address, before anything starts.
    ///
    /// # Errors
    /// As [`Module::read`], or the address cannot be bound.
    pub(crate) async fn new(config: &ModuleConfig) -> anyhow::Result<Self> {
        let module = Module::read(&config.file)?;
        let (listener, address) = listen::bind("the filter's module", config.listen).await?;
        tracing::info!(sha256 = module.sha256, "serving the filter's module");
        Ok(Self {
            listener,
            address,
            module,
        })
    }

    /// Serves it until the shutdown.
    pub(crate) fn serve(self, tasks: &Tasks) {
        let (router, stop) = (self.module.router(), tasks.shutdown_token());
        tasks.spawn("module", async {
            Ok(admin::serve(self.listener, router, stop).await?)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_module_is_refused_by_the_flag_that_named_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("filter.wasm");
        let missing = Module::read(&file).unwrap_err();
        assert!(
            missing.to_string().starts_with("--filter-module /"),
            "{missing}"
        );
        fs::write(&file, "<html>404</html>").unwrap();
        let error = Module::read(&file).unwrap_err().to_string();
        assert!(error.ends_with("filter.wasm: no wasm module"), "{error}");
    }
}
