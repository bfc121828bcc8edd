//! Flags as typed.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

/// Helps with Wakegate, which scales HTTP workloads to zero inside of Envoy.
///
/// It reads and prints; only `uninstall` writes to a cluster.
#[derive(Clone, Debug, Parser)]
#[command(name = "wakegate", version)]
pub struct Args {
    #[expect(
        missing_docs,
        reason = "a doc comment here would become the help text of the command"
    )]
    #[command(subcommand)]
    pub command: Command,
}

/// What is asked for.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Say what has to change to move from the KEDA HTTP add-on to Wakegate, and in which order.
    ///
    /// Objects come from the cluster of the kubeconfig, or from --filename. For each it says what stays, what differs
    /// (note), what to change by hand (change) and what cannot work (problem). Nothing is written.
    ///
    /// Exit status: 0 nothing to do, or notes alone; 1 changes; 2 problems; 3 not everything could be read; 64 a command
    /// line that is not understood.
    Migrate(MigrateArgs),

    /// Say what is wrong with an installation of Wakegate, what it does to requests, and the way out.
    ///
    /// Objects come from the cluster of the kubeconfig, or from --filename. Each finding has a severity: error (requests
    /// are lost, or nothing is held), warning (the same when something else happens as well) or note. Nothing is
    /// written. Of Secrets only the names are looked at, and the certificates of those that are Wakegate's by their names
    /// or by its pods.
    ///
    /// Exit status: 0 nothing, or notes alone; 1 warnings; 2 errors; 3 not everything could be read; 64 a command line
    /// that is not understood.
    Doctor(DoctorArgs),

    /// Take away what Wakegate wrote into a cluster, while KEDA runs: the chart does this before it is uninstalled.
    ///
    /// The control plane is stopped first. Each workload that Wakegate scaled is brought back to the replicas of before,
    /// or to one; then its ScaledObject goes, and last the Lease and the Secrets of the own authority. What somebody
    /// else wrote stays. It may be run again.
    ///
    /// Exit status: 0 all is gone and no workload is at zero; 1 a workload is still at zero; 3 not everything could be
    /// taken away; 64 a command line that is not understood.
    Uninstall(UninstallArgs),
}

/// What `uninstall` is told.
#[derive(Clone, Debug, clap::Args)]
pub struct UninstallArgs {
    /// The context of the kubeconfig [default: its current one]
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,

    /// The namespace of Wakegate
    #[arg(short, long, value_name = "NS", default_value = "wakegate")]
    pub namespace: String,

    /// A Secret of the own authority in another namespace; may be given again
    #[arg(long, value_name = "NS/NAME", value_parser = namespaced)]
    pub secret: Vec<(String, String)>,

    /// How long workloads are waited for
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 120,
        value_parser = clap::value_parser!(u64).range(1..=3600)
    )]
    pub timeout_secs: u64,
}

fn namespaced(text: &str) -> Result<(String, String), String> {
    match text.split_once('/') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() => {
            Ok((namespace.to_owned(), name.to_owned()))
        }
        _ => Err("NAMESPACE/NAME is wanted".to_owned()),
    }
}

/// What `migrate` is told.
#[derive(Clone, Debug, clap::Args)]
pub struct MigrateArgs {
    /// A file of YAML or JSON, a directory of them with what is below, or - for standard input; may be given again
    #[arg(
        short = 'f',
        long = "filename",
        value_name = "PATH",
        num_args = 1..
    )]
    pub filename: Vec<PathBuf>,

    /// The context of the kubeconfig [default: its current one]
    #[arg(long, value_name = "NAME", conflicts_with = "filename")]
    pub context: Option<String>,

    /// A namespace to read, that of the add-on among them; may be given again [default: every namespace]
    #[arg(
        short,
        long,
        value_name = "NS",
        value_delimiter = ',',
        conflicts_with = "filename"
    )]
    pub namespace: Vec<String>,

    /// Where KEDA finds Wakegate's scaler, as the control plane's flag of the same name says
    #[arg(
        long,
        value_name = "HOST:PORT",
        default_value = "wakegate-scaler.wakegate:9090"
    )]
    pub scaler_address: String,

    /// How the report is printed
    #[arg(short, long, value_name = "FORMAT", value_enum, default_value = "text")]
    pub output: Output,
}

/// What `doctor` is told.
#[derive(Clone, Debug, clap::Args)]
pub struct DoctorArgs {
    /// A file of YAML or JSON, a directory of them with what is below, or - for standard input; may be given again
    #[arg(
        short = 'f',
        long = "filename",
        value_name = "PATH",
        num_args = 1..
    )]
    pub filename: Vec<PathBuf>,

    /// The context of the kubeconfig [default: its current one]
    #[arg(long, value_name = "NAME", conflicts_with = "filename")]
    pub context: Option<String>,

    /// A namespace to read, those of Gateways and of Wakegate among them; may be given again [default: every namespace]
    #[arg(
        short,
        long,
        value_name = "NS",
        value_delimiter = ',',
        conflicts_with = "filename"
    )]
    pub namespace: Vec<String>,

    /// How the report is printed
    #[arg(short, long, value_name = "FORMAT", value_enum, default_value = "text")]
    pub output: Output,
}

/// How a report is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For reading
    Text,
    /// For programs; the page of the command (docs/doctor.md, docs/migrate-from-http-add-on.md) says what its fields mean
    Json,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_flags_do_not_contradict_each_other() {
        Args::command().debug_assert();
    }

    #[test]
    fn files_and_a_cluster_are_not_read_together() {
        let parse = |line: &str| Args::try_parse_from(line.split(' ')).is_ok();
        assert!(parse("wakegate migrate"));
        assert!(parse("wakegate migrate -n shop,keda --context prod"));
        assert!(parse("wakegate migrate -f a.yaml b.yaml -f c -o json"));
        assert!(!parse("wakegate migrate -f a.yaml -n shop"));
        assert!(!parse("wakegate migrate -f a.yaml --context prod"));
        assert!(!parse("wakegate"));
    }

    #[test]
    fn a_secret_has_a_namespace() {
        let parse = |line: &str| Args::try_parse_from(line.split(' ')).is_ok();
        assert!(parse("wakegate uninstall --secret keda/wakegate-keda-tls"));
        assert!(!parse("wakegate uninstall --secret wakegate-keda-tls"));
    }
}
