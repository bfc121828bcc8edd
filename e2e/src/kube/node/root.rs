//! The file system of a container: in a mount namespace of its own, with the programs and libraries of this machine
//! that it needs and its volumes, and nothing else.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::{Container, Pod};
use tokio::process::Command;

/// What happens in the namespace before the program. `$1` is an empty folder, `$2` the user.
const BEGIN: &str = r#"
root=$1 user=$2
shift 2
mount -t tmpfs -o mode=755 none "$root"
cd "$root"
place() {
    if [ -d "$1" ]; then mkdir -p ".$2"; else mkdir -p ".${2%/*}"; : >".$2"; fi
    mount --bind "$1" ".$2"
}
for part in lib lib64; do
    [ ! -d /usr/$part ] || { place /usr/$part /usr/$part; ln -s usr/$part $part; }
done
for device in null zero random urandom; do place /dev/$device /dev/$device; done
mkdir proc
mount --bind /proc proc
mkdir -p -m 1777 tmp dev/shm
mount -t tmpfs none dev/shm
ln -s /proc/self/fd/1 dev/stdout
ln -s /proc/self/fd/2 dev/stderr
mkdir -p etc
echo 'hosts: files' >etc/nsswitch.conf
echo 'multi on' >etc/host.conf
: >etc/resolv.conf
"#;

/// What makes it as the pod's security context says.
const READ_ONLY: &str = "mount -o remount,ro \"$root\"\n";
const END: &str = "exec chroot $user \"$root\" \"$@\"\n";

/// The file system of a container.
#[derive(Debug)]
pub(super) struct Root {
    script: String,
    user: String,
}

impl Root {
    /// With these files and folders of this machine, each at its place.
    pub(super) fn new<'a>(
        pod: &Pod,
        container: &Container,
        binds: impl IntoIterator<Item = (&'a Path, &'a str)>,
    ) -> Self {
        let mut script = BEGIN.to_owned();
        for (source, place) in binds {
            for part in ["place '", &source.to_string_lossy(), "' '", place, "'\n"] {
                script += part;
            }
        }
        let own = container.security_context.as_ref();
        if own.and_then(|own| own.read_only_root_filesystem) == Some(true) {
            script += READ_ONLY;
        }
        script += END;
        let pod = pod
            .spec
            .as_ref()
            .and_then(|it| it.security_context.as_ref());
        let user = own.and_then(|own| own.run_as_user);
        let user = user.or_else(|| pod.and_then(|pod| pod.run_as_user));
        let group = own.and_then(|own| own.run_as_group);
        let group = group.or_else(|| pod.and_then(|pod| pod.run_as_group));
        // Without root's rights over users there is only the one that there is.
        let user = user.filter(|_| maps_users()).map(|user| {
            let group = group.unwrap_or(user);
            format!("--userspec={user}:{group} --groups={group}")
        });
        Self {
            script,
            user: user.unwrap_or_default(),
        }
    }

    /// Runs a program there, after `enter`; `folder` is an empty one to mount it at.
    pub(super) fn command<A: AsRef<OsStr>>(
        &self,
        enter: Option<[String; 2]>,
        folder: &PathBuf,
        program: impl IntoIterator<Item = A>,
    ) -> Command {
        let mut words = enter.into_iter().flatten().chain(["unshare".to_owned()]);
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words);
        command.args(["--mount", "--propagation", "private", "sh", "-euc"]);
        command.arg(&self.script).arg("sh").arg(folder);
        command.arg(&self.user).args(program);
        command
    }
}

/// Whether this namespace has more users than one.
fn maps_users() -> bool {
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let count = map.split_whitespace().nth(2);
    count.and_then(|count| count.parse().ok()).unwrap_or(0u64) > 65_536
}
