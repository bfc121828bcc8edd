//! The network of a pod whose programs bind all addresses: a namespace of its own, with its address on one end of a
//! link whose other end is here.

use std::net::Ipv4Addr;
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, Command};

/// `$1` is the process that keeps the namespace, `$2` the pod's address, `$3` the link's name. Whatever is not the pod
/// itself it finds by 198.18.0.1, which `scripts/in-namespace` put here.
const CONNECT: &str = r#"
ip link add "$3" type veth peer name eth0 netns "$1"
ip link set "$3" up
ip route replace "$2/32" dev "$3" src 198.18.0.1
echo 1 >/proc/sys/net/ipv4/ip_forward
nsenter --net="/proc/$1/ns/net" sh -euc '
ip link set lo up
ip address add "$1/32" dev eth0
ip link set eth0 up
ip route add 198.18.0.1 dev eth0
ip route add default via 198.18.0.1 dev eth0
' sh "$2"
"#;

/// A network, which goes with what keeps it.
#[derive(Debug)]
pub(super) struct Network {
    keeper: Child,
}

impl Network {
    /// One for a pod of this address, which must not be on a device here.
    pub(super) async fn new(address: Ipv4Addr) -> Result<Self> {
        let mut keeper = Command::new("unshare")
            .args(["--net", "sh", "-c", "echo; exec sleep infinity"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("start what keeps a network")?;
        // It has its namespace when it says a word.
        let mut word = [0];
        let output = keeper.stdout.as_mut().context("it has an output")?;
        output.read_exact(&mut word).await?;
        let network = Self { keeper };
        let [_, _, c, d] = address.octets();
        let output = Command::new("sh")
            .args(["-euc", CONNECT, "sh"])
            .args([network.pid()?.to_string(), address.to_string()])
            .arg(format!("pod-{c}-{d}"))
            .output()
            .await
            .context("connect a network")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.success(),
            "connect {address}: {}",
            said.trim()
        );
        Ok(network)
    }

    /// What runs another command in it.
    pub(super) fn enter(&self) -> Result<[String; 2]> {
        Ok([
            "nsenter".to_owned(),
            format!("--net=/proc/{}/ns/net", self.pid()?),
        ])
    }

    fn pid(&self) -> Result<u32> {
        self.keeper.id().context("what keeps a network has ended")
    }
}
