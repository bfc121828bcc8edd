//! The one table of what the filter counts: names as Envoy has them, kinds, and what each means, which is for
//! docs/operations.md alone and not in the module.

use crate::abi::MetricType;

/// What Envoy is told of a metric.
pub(super) type Metric = (MetricType, &'static str);

macro_rules! metrics {
    ($($metric:ident = $kind:ident $name:literal: $text:literal;)+) => {
        $(pub(super) const $metric: Metric = (MetricType::$kind, $name);)+
        /// All of them, with their texts, in the order of the page.
        #[cfg(test)]
        const ALL: &[(Metric, &str)] = &[$(($metric, $text)),+];
    };
}

metrics! {
    HELD = Gauge "wakegate_held": "Requests held now; a filter VM that dies leaves its share in it until Envoy ends";
    HELD_TOTAL = Counter "wakegate_held_total": "Requests that were held";
    RELEASED_TOTAL = Counter "wakegate_released_total": "Held requests that were let go on";
    CLIENT_LEFT_TOTAL = Counter "wakegate_client_left_total": "Held requests whose client left";
    HOLD_TIMEOUT_TOTAL = Counter "wakegate_hold_timeout_total": "Held requests answered with 504";
    OVERFLOW_TOTAL = Counter "wakegate_overflow_total": "Requests answered for want of room, without a placeholder";
    PAUSED_TOTAL = Counter "wakegate_paused_total": "Requests answered because their backend is paused at zero";
    NO_CLUSTER_TOTAL = Counter "wakegate_no_cluster_total": "Requests answered because Envoy has no cluster for them";
    NO_WAKE_TOTAL = Counter "wakegate_no_wake_total": "Requests that wake nothing, answered at zero";
    PLACEHOLDER_TOTAL = Counter "wakegate_placeholder_total": "Requests answered with a placeholder, in place of a hold or for want of room";
    STATIC_ROUTE_TOTAL = Counter "wakegate_static_route_total": "Requests answered by a static route";
    LOST_TOTAL = Counter "wakegate_lost_total": "Released requests that Envoy could not deliver";
    LEARNED_ZERO_TOTAL = Counter "wakegate_learned_zero_total": "Backends found without a host that should have had one";
    PASSED_WITHOUT_TABLE_TOTAL = Counter "wakegate_passed_without_table_total": "Requests passed uncounted because there was no table yet";
    REFUSED_UPDATES_TOTAL = Counter "wakegate_refused_updates_total": "Updates that did not parse";
    COLD_START_MS = Histogram "wakegate_cold_start_ms": "From the first held request to the first release";
    THAW_MS = Histogram "wakegate_thaw_ms": "From the first release until nothing is held";
    CONTROL_PLANE_CONNECTED = Gauge "wakegate_control_plane_connected": "Filter VMs whose stream is up; Envoy's main thread has one as well";
    SCALER_CONNECTED = Gauge "wakegate_scaler_connected": "Filter VMs whose stream is up; Envoy's main thread has one as well";
    TABLE_VERSION = Gauge "wakegate_table_version": "The first 48 bits of the table's version";
}

#[cfg(test)]
mod tests {
    use std::{fmt::Write as _, fs};

    use super::*;

    const PAGE: &str = "../docs/operations.md";
    const BEGIN: &str = "<!-- metrics of the filter: written by `just gen` from filter-wasm/src/stats/metrics.rs -->\n";
    const END: &str = "<!-- end of metrics of the filter -->\n";

    /// `just gen` sets `WAKEGATE_GEN` and rewrites it.
    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test has no Args")]
    fn the_table_of_metrics_is_current() {
        let page = fs::read_to_string(PAGE).unwrap();
        let (before, rest) = page.split_once(BEGIN).unwrap();
        let (_, after) = rest.split_once(END).unwrap();
        let mut table = "| name | kind | what it counts |\n|---|---|---|\n".to_owned();
        for ((kind, name), text) in ALL {
            let kind = match kind {
                MetricType::Counter => "counter",
                MetricType::Gauge => "gauge",
                MetricType::Histogram => "histogram",
            };
            writeln!(table, "| `{name}` | {kind} | {text} |").unwrap();
        }
        let fresh = format!("{before}{BEGIN}\n{table}\n{END}{after}");
        if std::env::var("WAKEGATE_GEN").is_ok() {
            fs::write(PAGE, fresh).unwrap();
        } else {
            assert_eq!(page, fresh, "{PAGE} is stale: run `just gen`");
        }
    }
}
