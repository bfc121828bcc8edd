//! The filter's counters, gauges and histograms among Envoy's own.
//!
//! All workers of a proxy share them: gauges are moved by differences, never set, but for the table's
//! version, which is the same for all.

mod metrics;

use std::{cell::Cell, time::Duration};

use wakegate_core::{Tally, Worker};

use self::metrics::Metric;
use crate::host;

#[derive(Debug)]
pub(crate) struct Stats {
    held: Gauge,
    control_plane_connected: Gauge,
    scaler_connected: Gauge,
    table_version: Option<u32>,
    held_total: Option<u32>,
    released_total: Option<u32>,
    client_left_total: Option<u32>,
    hold_timeout_total: Option<u32>,
    overflow_total: Option<u32>,
    paused_total: Option<u32>,
    no_cluster_total: Option<u32>,
    no_wake_total: Option<u32>,
    placeholder_total: Option<u32>,
    static_route_total: Option<u32>,
    lost_total: Option<u32>,
    passed_without_table_total: Option<u32>,
    learned_zero_total: Option<u32>,
    refused_updates_total: Option<u32>,
    cold_start_ms: Option<u32>,
    thaw_ms: Option<u32>,
}

/// This worker's share of a gauge.
#[derive(Debug)]
struct Gauge {
    metric: Option<u32>,
    share: Cell<i64>,
}

impl Gauge {
    fn define((kind, name): Metric) -> Self {
        Self {
            metric: host::define(kind, name),
            share: Cell::new(0),
        }
    }

    fn set(&self, share: i64) {
        let change = share.saturating_sub(self.share.replace(share));
        if let Some(metric) = self.metric.filter(|_| change != 0) {
            host::increment(metric, change);
        }
    }
}

impl Drop for Gauge {
    /// A root that goes takes its share with it.
    fn drop(&mut self) {
        self.set(0);
    }
}

impl Stats {
    pub(crate) fn define() -> Self {
        let define = |(kind, name): Metric| host::define(kind, name);
        Self {
            held: Gauge::define(metrics::HELD),
            control_plane_connected: Gauge::define(metrics::CONTROL_PLANE_CONNECTED),
            scaler_connected: Gauge::define(metrics::SCALER_CONNECTED),
            table_version: define(metrics::TABLE_VERSION),
            held_total: define(metrics::HELD_TOTAL),
            released_total: define(metrics::RELEASED_TOTAL),
            client_left_total: define(metrics::CLIENT_LEFT_TOTAL),
            hold_timeout_total: define(metrics::HOLD_TIMEOUT_TOTAL),
            overflow_total: define(metrics::OVERFLOW_TOTAL),
            paused_total: define(metrics::PAUSED_TOTAL),
            no_cluster_total: define(metrics::NO_CLUSTER_TOTAL),
            no_wake_total: define(metrics::NO_WAKE_TOTAL),
            placeholder_total: define(metrics::PLACEHOLDER_TOTAL),
            static_route_total: define(metrics::STATIC_ROUTE_TOTAL),
            lost_total: define(metrics::LOST_TOTAL),
            passed_without_table_total: define(metrics::PASSED_WITHOUT_TABLE_TOTAL),
            learned_zero_total: define(metrics::LEARNED_ZERO_TOTAL),
            refused_updates_total: define(metrics::REFUSED_UPDATES_TOTAL),
            cold_start_ms: define(metrics::COLD_START_MS),
            thaw_ms: define(metrics::THAW_MS),
        }
    }

    /// Brings Envoy's numbers up to what the worker counted.
    pub(crate) fn update(&self, worker: &mut Worker) {
        self.held.set(i64::from(worker.n_held()));
        let Tally {
            held,
            released,
            client_left,
            hold_timeout,
            overflow,
            paused,
            no_cluster,
            no_wake,
            placeholder,
            static_route,
            lost,
            passed_without_table,
            learned_zero,
            cold_starts,
            thaws,
        } = worker.take_tally();
        for (counter, by) in [
            (self.held_total, held),
            (self.released_total, released),
            (self.client_left_total, client_left),
            (self.hold_timeout_total, hold_timeout),
            (self.overflow_total, overflow),
            (self.paused_total, paused),
            (self.no_cluster_total, no_cluster),
            (self.no_wake_total, no_wake),
            (self.placeholder_total, placeholder),
            (self.static_route_total, static_route),
            (self.lost_total, lost),
            (self.passed_without_table_total, passed_without_table),
            (self.learned_zero_total, learned_zero),
        ] {
            if let Some(counter) = counter.filter(|_| by > 0) {
                host::increment(counter, i64::try_from(by).unwrap_or(i64::MAX));
            }
        }
        record_all(self.cold_start_ms, &cold_starts);
        record_all(self.thaw_ms, &thaws);
    }

    pub(crate) fn connected(&self, control_plane: bool, scaler: bool) {
        self.control_plane_connected.set(i64::from(control_plane));
        self.scaler_connected.set(i64::from(scaler));
    }

    /// The first 48 bits of the version's hexadecimal digits: what a gauge holds exactly.
    pub(crate) fn table_version(&self, version: &str) {
        let digits = version.get(..12).unwrap_or(version);
        let number = u64::from_str_radix(digits, 16).unwrap_or(0);
        if let Some(metric) = self.table_version {
            host::record(metric, number);
        }
    }

    pub(crate) fn refused_update(&self) {
        if let Some(counter) = self.refused_updates_total {
            host::increment(counter, 1);
        }
    }
}

fn record_all(histogram: Option<u32>, durations: &[Duration]) {
    for duration in durations {
        if let Some(histogram) = histogram {
            let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
            host::record(histogram, millis);
        }
    }
}
