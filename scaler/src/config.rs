//! Flags, and what they mean.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use anyhow::ensure;
use clap::Parser;
use tonic::transport::Uri;
use wakegate_runtime::{LogArgs, StreamArgs, TlsSetting, listen::is_host_and_port, tls::TlsArgs};

/// Adds up what all Wakegate filters see, and answers KEDA as an external scaler
///
/// A ScaledObject reaches it with a trigger of type external-push whose metadata has scalerAddress and
/// one of workload, service, httpRoute, grpcRoute, ingress, virtualService, wakePolicy, interceptorRoute,
/// httpScaledObject.
#[derive(Clone, Debug, Parser)]
#[command(name = "wakegate-scaler", version)]
pub struct Args {
    /// Where the control plane listens, such as `https://control-plane:18000`; http:// with --plain-text
    #[arg(long, env = "WAKEGATE_CONTROL_PLANE", value_name = "URI", value_parser = control_plane)]
    pub control_plane: Uri,

    /// How this scaler calls itself towards the control plane: its pod's name
    #[arg(long, env = "WAKEGATE_NAME", default_value = "scaler")]
    pub name: String,

    /// Another replica of the scaler, to exchange what workers report with; give it once for each. Its own address
    /// may be among them
    #[arg(
        long,
        env = "WAKEGATE_PEER",
        value_name = "HOST:PORT",
        value_delimiter = ',',
        value_parser = host_and_port
    )]
    pub peer: Vec<String>,

    /// A name that has the addresses of all replicas of the scaler, as a headless Service has
    #[arg(
        long,
        env = "WAKEGATE_PEER_SERVICE",
        value_name = "HOST:PORT",
        value_parser = host_and_port
    )]
    pub peer_service: Option<String>,

    /// Where filters and KEDA reach it: gRPC
    #[arg(
        long,
        env = "WAKEGATE_LISTEN",
        value_name = "ADDR",
        default_value = "127.0.0.1:18010"
    )]
    pub listen: SocketAddr,

    /// Where /live, /ready and /metrics are
    #[arg(
        long,
        env = "WAKEGATE_ADMIN_LISTEN",
        value_name = "ADDR",
        default_value = "127.0.0.1:18011"
    )]
    pub admin_listen: SocketAddr,

    /// Once listening, write {"grpc":"ADDR","admin":"ADDR"} here; so that port 0 can be asked for
    #[arg(long, env = "WAKEGATE_ADDRESS_FILE", value_name = "PATH")]
    pub address_file: Option<PathBuf>,

    /// Seconds after the start in which nothing is called idle, because workers still reconnect
    #[arg(
        long,
        env = "WAKEGATE_SETTLING_SECS",
        value_name = "SECS",
        default_value_t = 6
    )]
    pub settling_secs: u64,

    /// Serve the metrics of the KEDA HTTP Add-on as well, under its names, for its kinds of objects; the variable wants
    /// true
    #[arg(long, env = "WAKEGATE_HTTP_ADD_ON_METRICS")]
    pub http_add_on_metrics: bool,

    /// Streams.
    #[command(flatten)]
    pub streams: StreamArgs,

    /// Seconds that streams get to end after SIGTERM or SIGINT
    #[arg(
        long,
        env = "WAKEGATE_DRAIN_LIMIT_SECS",
        value_name = "SECS",
        default_value_t = 10
    )]
    pub drain_limit_secs: u64,

    /// Who may speak, and how.
    #[command(flatten)]
    pub tls: TlsArgs,

    /// Logs.
    #[command(flatten)]
    pub log: LogArgs,
}

/// What a scaler goes by.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the control plane listens.
    pub control_plane: Uri,
    /// How the scaler calls itself.
    pub name: String,
    /// Names of other replicas, `HOST:PORT`.
    pub peers: Vec<String>,
    /// Where `Demand`, `ExternalScaler` and `Ledgers` are served.
    pub listen: SocketAddr,
    /// Where the admin server listens.
    pub admin_listen: SocketAddr,
    /// Where to write the addresses that were bound.
    pub address_file: Option<PathBuf>,
    /// How long nothing is called idle.
    pub settling: Duration,
    /// Whether the metrics of the KEDA HTTP Add-on are served.
    pub http_add_on_metrics: bool,
    /// Who may speak, and how.
    pub tls: TlsSetting,
    /// How old streams get, and what comes before a drain.
    pub streams: StreamArgs,
    /// How long a drain may take.
    pub drain_limit: Duration,
}

impl TryFrom<Args> for Config {
    type Error = anyhow::Error;

    fn try_from(args: Args) -> anyhow::Result<Self> {
        let tls = TlsSetting::try_from(args.tls)?.said()?;
        let (scheme, why) = match tls {
            TlsSetting::PlainText => ("http", "with --plain-text"),
            TlsSetting::Directory { .. } | TlsSetting::Unsaid { .. } => ("https", "with TLS"),
        };
        let given = &args.control_plane;
        ensure!(
            given.scheme_str() == Some(scheme),
            "--control-plane {given}: {why} it begins with {scheme}://"
        );
        Ok(Self {
            control_plane: args.control_plane,
            name: args.name,
            peers: args.peer.into_iter().chain(args.peer_service).collect(),
            listen: args.listen,
            admin_listen: args.admin_listen,
            address_file: args.address_file,
            settling: Duration::from_secs(args.settling_secs),
            http_add_on_metrics: args.http_add_on_metrics,
            tls,
            streams: args.streams,
            drain_limit: Duration::from_secs(args.drain_limit_secs),
        })
    }
}

fn control_plane(text: &str) -> Result<Uri, String> {
    let uri: Uri = text.parse().map_err(|error| format!("{error}"))?;
    match (uri.scheme_str(), uri.host(), uri.port_u16()) {
        (Some("http" | "https"), Some(_), Some(_)) => Ok(uri),
        (Some("http" | "https"), ..) => {
            Err("give host and port, as in https://host:18000".to_owned())
        }
        _ => Err("give a URI that starts with https:// or http://".to_owned()),
    }
}

fn host_and_port(text: &str) -> Result<String, String> {
    let is_one = is_host_and_port(text).then(|| text.to_owned());
    is_one.ok_or_else(|| "give host and port, as in scaler-0.scaler:18010".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn flags_are_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn a_control_plane_is_a_whole_http_uri() {
        for wrong in [
            "",
            "control-plane:18000",
            "ftp://control-plane:18000",
            "https://x",
        ] {
            assert!(control_plane(wrong).is_err(), "{wrong}");
        }
        assert!(control_plane("http://[::1]:18000").is_ok());
        assert!(control_plane("https://control-plane:18000").is_ok());
    }

    fn config(uri: &str, flags: &[&str]) -> anyhow::Result<Config> {
        let always = ["wakegate-scaler", "--control-plane", uri];
        Config::try_from(Args::try_parse_from([&always, flags].concat())?)
    }

    #[test]
    fn the_scheme_of_the_control_plane_is_that_of_the_other_flags() {
        let (plain, tls) = (&["--plain-text"][..], &["--tls-dir", "/certs"][..]);
        config("http://control-plane:18000", plain).unwrap();
        config("https://control-plane:18000", tls).unwrap();
        for (uri, flags, scheme) in [
            ("https://control-plane:18000", plain, "http"),
            ("http://control-plane:18000", tls, "https"),
        ] {
            let error = config(uri, flags).unwrap_err().to_string();
            assert!(
                error.ends_with(&format!("begins with {scheme}://")),
                "{error}"
            );
        }
    }

    #[test]
    fn whether_there_is_tls_must_be_said_once() {
        for (flags, reason) in [
            (&[][..], "give --tls-dir DIR, or --plain-text"),
            (
                &["--plain-text", "--tls-dir", "/certs"],
                "exclude each other",
            ),
            (&["--plain-text", "--tls-allow", "keda=x"], "means nothing"),
            (
                &["--tls-dir", "/certs", "--tls-allow", "cook=x"],
                "is no role",
            ),
        ] {
            let error = config("http://control-plane:18000", flags).unwrap_err();
            assert!(error.to_string().contains(reason), "{flags:?}: {error}");
        }
    }

    #[test]
    fn a_peer_is_a_host_and_a_port() {
        for wrong in ["", "scaler", ":18010", "scaler:0", "scaler:http", "scaler:"] {
            assert!(host_and_port(wrong).is_err(), "{wrong}");
        }
        let args = [
            "scaler",
            "--plain-text",
            "--control-plane=http://x:1",
            "--peer=a:1,[::1]:2",
            "--peer=c:3",
        ];
        let args = Args::parse_from(args.into_iter().chain(["--peer-service=all:4"]));
        assert_eq!(
            Config::try_from(args).unwrap().peers,
            ["a:1", "[::1]:2", "c:3", "all:4"]
        );
    }
}
