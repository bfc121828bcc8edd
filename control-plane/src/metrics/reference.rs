//! The control plane's part of the tables of metrics in docs/operations.md is what its registry says. `just gen` sets
//! `WAKEGATE_GEN` and rewrites it.

use std::fs;

use prometheus_client::registry::Registry;
use wakegate_runtime::reference;

use super::{AckOutcome, EntityKind, EntityLabel, KindLabel, Metrics, UpdateKind};
use crate::object::Kind;

const PAGE: &str = "../docs/operations.md";

impl Metrics {
    /// Gives each of them a series: without one its labels are not seen.
    fn exemplify(&self) {
        let kind = Kind::Service;
        self.watch_restarted(kind);
        self.watch_failed(kind);
        self.out_of_reach(kind.as_str(), true);
        drop(self.objects.get_or_create(&KindLabel { kind }));
        let kind = EntityKind::Route;
        drop(self.entities.get_or_create(&EntityLabel { kind }));
        self.update_sent(UpdateKind::Full);
        self.acked(AckOutcome::Applied);
        drop(self.streams.subscribed("filter"));
        self.writers.exemplify();
        self.authority.exemplify();
        self.refusals.exemplify();
        self.tls.exemplify();
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test has no Args")]
fn the_table_of_metrics_is_current() {
    let mut registry = Registry::default();
    Metrics::register(&mut registry).exemplify();
    let table = reference::table(&registry).unwrap();
    let page = fs::read_to_string(PAGE).unwrap();
    let fresh = reference::with_part(&page, "metrics of the control plane", &table).unwrap();
    if std::env::var("WAKEGATE_GEN").is_ok() {
        fs::write(PAGE, fresh).unwrap();
    } else {
        assert_eq!(page, fresh, "{PAGE} is stale: run `just gen`");
    }
}
