//! The scaler's part of the tables of metrics in docs/operations.md is what its registry says. `just gen` sets
//! `WAKEGATE_GEN` and rewrites it.

use std::fs;

use prometheus_client::registry::Registry;
use tonic::Code;
use wakegate_runtime::reference;

use super::Metrics;

const PAGE: &str = "../docs/operations.md";

impl Metrics {
    /// Gives each of them a series: without one its labels are not seen.
    fn exemplify(&self) {
        self.table("applied");
        self.report("applied");
        self.call("IsActive", Code::Ok);
        drop(self.stream("Report"));
        self.peers([0; 3]);
        self.sent(0);
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
    let fresh = reference::with_part(&page, "metrics of the scaler", &table).unwrap();
    if std::env::var("WAKEGATE_GEN").is_ok() {
        fs::write(PAGE, fresh).unwrap();
    } else {
        assert_eq!(page, fresh, "{PAGE} is stale: run `just gen`");
    }
}
