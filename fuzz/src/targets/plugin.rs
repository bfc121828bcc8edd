//! The filter's configuration.

use wakegate_wire::PluginConfig;

use super::ensure;
use crate::{Form, Outcome, Target};

pub(super) const TARGET: Target = Target {
    name: "plugin",
    form: Form::Objects,
    run,
    seeds,
};

fn seeds() -> Vec<Vec<u8>> {
    let seeds = [
        r#"{"control_plane":{"cluster":"c"},"scaler":{"cluster":"s"}}"#,
        r#"{"control_plane":{"cluster":"c"},"scaler":{"cluster":"s"},"scope":{"namespaces":["a","b"],"gateway":"a/b",
            "ingress_class":"nginx"},"tick_ms":100,"max_held":7,"probe":{"enabled":false,"method":"GET","path":"/x"},
            "headers":{"cold_start":"x-cold","server_timing":false}}"#,
    ];
    seeds.map(|seed| seed.as_bytes().to_vec()).into()
}

fn run(input: &[u8]) -> Result<Outcome, String> {
    let config = match PluginConfig::parse(input) {
        Ok(config) => config,
        Err(error) => return Ok(Outcome::of(&error.to_string())),
    };
    ensure(!config.tick().is_zero(), || "a tick of nothing".to_owned())?;
    ensure(config.max_held > 0, || "nothing may be held".to_owned())?;
    let names = [&config.control_plane.cluster, &config.scaler.cluster];
    ensure(names.iter().all(|name| !name.is_empty()), || {
        "a cluster without a name".to_owned()
    })?;
    ensure(
        PluginConfig::parse(input).is_ok_and(|again| again == config),
        || "it reads otherwise the second time".to_owned(),
    )?;
    Ok(Outcome::of("read").with(config.scope.namespaces.len()))
}
