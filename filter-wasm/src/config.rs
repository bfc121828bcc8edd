//! The plugin configuration, as Envoy hands it over.

use proxy_wasm::{hostcalls, types::BufferType};
use wakegate_wire::{ConfigError, PluginConfig};

/// Reads the configuration of the root that is being configured.
///
/// # Errors
/// The field that is wrong and why.
pub(crate) fn read() -> Result<PluginConfig, ConfigError> {
    let json = hostcalls::get_buffer(BufferType::PluginConfiguration, 0, usize::MAX);
    PluginConfig::parse(&json.ok().flatten().unwrap_or_default())
}
