//! Listeners: bound before anything starts, and told to whoever started the daemon.

use std::{
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use thiserror::Error;
use tokio::net::TcpListener;

/// A listener or its address file could not be made.
#[derive(Debug, Error)]
pub enum ListenError {
    /// The address cannot be listened on.
    #[error("listen on {addr} for {purpose}")]
    Bind {
        /// What it is for, such as `gRPC`.
        purpose: &'static str,
        /// The address as it was given.
        addr: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The address file cannot be written.
    #[error("write address file {}", path.display())]
    AddressFile {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// The file that tells which addresses a daemon got, so that it can be asked for port 0.
#[derive(Clone, Debug)]
pub struct AddressFile {
    path: PathBuf,
}

/// Binds `addr`; returns the listener and the address that it got.
///
/// # Errors
/// The address is taken, not ours, or not allowed.
pub async fn bind(
    purpose: &'static str,
    addr: SocketAddr,
) -> Result<(TcpListener, SocketAddr), ListenError> {
    let failed = |source| ListenError::Bind {
        purpose,
        addr,
        source,
    };
    let listener = TcpListener::bind(addr).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    tracing::info!(purpose, addr = %bound, "listening");
    Ok((listener, bound))
}

/// Whether a text is `HOST:PORT`, with a name or an address that others reach.
pub fn is_host_and_port(text: &str) -> bool {
    text.rsplit_once(':').is_some_and(|(host, port)| {
        !host.is_empty() && !host.contains('/') && port.parse::<u16>().is_ok_and(|port| port > 0)
    })
}

impl AddressFile {
    /// A file at `path`; nothing is written yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Writes addresses by their names, as `{"grpc":"…","admin":"…"}`. Whoever sees the file sees all of it.
    ///
    /// # Errors
    /// The directory is not there or not writable.
    pub fn write(&self, addresses: &[(&str, SocketAddr)]) -> Result<(), ListenError> {
        let addresses = addresses.iter();
        let fields: Vec<_> = addresses
            .map(|(name, address)| format!("\"{name}\":\"{address}\""))
            .collect();
        let text = format!("{{{}}}\n", fields.join(","));
        let staged = self
            .path
            .with_extension(format!("{}.tmp", std::process::id()));
        write_and_rename(&staged, &self.path, &text).map_err(|source| ListenError::AddressFile {
            path: self.path.clone(),
            source,
        })
    }
}

fn write_and_rename(staged: &Path, path: &Path, text: &str) -> io::Result<()> {
    fs::write(staged, text)?;
    fs::rename(staged, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY: SocketAddr = SocketAddr::V4(std::net::SocketAddrV4::new(
        std::net::Ipv4Addr::LOCALHOST,
        0,
    ));

    #[tokio::test]
    async fn a_taken_port_is_named_with_its_purpose() {
        let (_held, addr) = bind("gRPC", ANY).await.unwrap();
        let error = bind("admin", addr).await.unwrap_err();
        assert_eq!(error.to_string(), format!("listen on {addr} for admin"));
    }

    #[test]
    fn an_address_file_holds_both_addresses_and_leaves_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("addresses.json");
        let grpc = "127.0.0.1:1234".parse().unwrap();
        let admin = "[::1]:1235".parse().unwrap();
        AddressFile::new(&path)
            .write(&[("grpc", grpc), ("admin", admin)])
            .unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(
            text,
            "{\"grpc\":\"127.0.0.1:1234\",\"admin\":\"[::1]:1235\"}\n"
        );
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn an_address_file_in_no_directory_is_an_error() {
        let error = AddressFile::new("/nowhere/at/all.json")
            .write(&[("grpc", ANY)])
            .unwrap_err();
        assert_eq!(error.to_string(), "write address file /nowhere/at/all.json");
    }
}
