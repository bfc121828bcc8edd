//! Objects of the KEDA HTTP Add-on.

use wakegate_core::{Alias, Key, KeyReport, Targets, Workload};

use crate::harness::{count, web};

/// What the control plane says of an object of the add-on.
pub(crate) fn of_add_on(kind: &str, name: &str, targets: Targets) -> Workload {
    let alias = Alias {
        kind: kind.to_owned(),
        name: name.to_owned(),
    };
    Workload {
        id: format!("shop/{kind}/{name}"),
        keys: vec![key(kind, name)],
        aliases: vec![alias],
        targets,
        ..web()
    }
}

pub(crate) fn key(kind: &str, name: &str) -> Key {
    Key::from(format!("{kind}/shop/{name}").as_str())
}

/// The numbers of one key: held, running, started.
pub(crate) fn counted(key: Key, (held, running, started): (u32, u32, u64)) -> KeyReport {
    KeyReport {
        key,
        ..count(held, running, started)
    }
}
