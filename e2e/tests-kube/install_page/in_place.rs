//! What is run in place of a line of a page, because the tests have no network, no load balancer and no istiod. Every
//! other line is run as it stands.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};

/// A line of a page, and what stands for it.
pub(super) struct InPlace {
    pub(super) line: &'static str,
    /// `{chart}`, `{registry}` and `{images}` are what the test has.
    pub(super) run: &'static str,
    /// Why the line itself cannot be run.
    #[expect(dead_code, reason = "for who reads the table")]
    pub(super) why: &'static str,
}

/// Of docs/install.md and of the page for Envoy Gateway.
pub(super) const INSTALL: &[InPlace] = &[
    InPlace {
        line: "helm repo add kedacore https://kedacore.github.io/charts",
        run: "helm version",
        why: "a chart repository of the network",
    },
    InPlace {
        line: "helm install keda kedacore/keda --version 2.21.0 --namespace keda --create-namespace --wait",
        run: "kubectl wait --for=condition=Established crd/scaledobjects.keda.sh",
        why: "a chart of the network; the cluster has the same KEDA, from its sources",
    },
    InPlace {
        line: "helm install eg oci://docker.io/envoyproxy/gateway-helm --version v1.9.1 --namespace envoy-gateway-system --create-namespace --wait",
        run: "helm install eg {chart} --set topologyInjector.enabled=false --namespace envoy-gateway-system --create-namespace --wait",
        why: "a chart of the network: the same one of its Go module; the injector wants Nodes in zones",
    },
    InPlace {
        line: "./justw images",
        run: "test -f {images}/filter/index.json",
        why: "needs crates; `./justw e2e-kube` has made the filter's before, and pods run the daemons without images",
    },
    InPlace {
        line: "./justw push registry.example.com/wakegate",
        run: "./justw push {registry}/wakegate tested filter",
        why: "a registry of the network: one of this machine, for the image that was made",
    },
    InPlace {
        line: "cargo install --locked --path cli",
        run: "wakegate --version",
        why: "builds for minutes; the program is on the PATH, as cargo built it for the tests",
    },
    InPlace {
        line: "kubectl apply -f envoy-config/envoy-gateway/shop.yaml",
        run: "sed 's|image: .*|image: wakegate/sample-app|' envoy-config/envoy-gateway/shop.yaml | kubectl apply -f -",
        why: "an image of the network: the app that this node has",
    },
    InPlace {
        line: "address=$(kubectl get gateway edge --output jsonpath='{.status.addresses[0].value}')",
        run: "address=$(kubectl get service --namespace envoy-gateway-system --selector gateway.envoyproxy.io/owning-gateway-name=edge --output jsonpath='{.items[0].spec.clusterIP}')",
        why: "without a load balancer the Gateway has no address: that of its Service inside of the cluster",
    },
];

/// Of the page for Istio.
pub(super) const ISTIO: &[InPlace] = &[InPlace {
    line: r"digest=$(./justw images filter | sed -n 's/.* sha256:\([0-9a-f]*\),.*/\1/p')",
    run: r#"digest=$(sed 's/.*"digest":"sha256:\([0-9a-f]*\)".*/\1/' {images}/filter/index.json)"#,
    why: "needs crates; the image that was made before has the same",
}];

/// What is run for lines, and which of the table have been asked for.
pub(super) struct Table {
    rows: &'static [InPlace],
    places: Vec<(&'static str, String)>,
    used: BTreeSet<&'static str>,
}

impl Table {
    /// With what the test has.
    pub(super) fn new(rows: &'static [InPlace], places: Vec<(&'static str, String)>) -> Self {
        Self {
            rows,
            places,
            used: BTreeSet::new(),
        }
    }

    /// The line itself, unless it is in the table.
    pub(super) fn run_for(&mut self, line: &str) -> String {
        let Some(other) = self.rows.iter().find(|it| it.line == line) else {
            return line.to_owned();
        };
        self.used.insert(other.line);
        let fill = |run: String, (name, value): &(&str, String)| run.replace(name, value);
        self.places.iter().fold(other.run.to_owned(), fill)
    }

    /// An error when there is something for a line that no page has any more.
    pub(super) fn is_used_up(&self) -> Result<()> {
        let mut left = self.rows.iter().filter(|it| !self.used.contains(it.line));
        let left = left.next().map(|it| it.line);
        ensure!(left.is_none(), "no page says {left:?} any more");
        Ok(())
    }
}

#[test]
fn what_stands_for_a_version_is_that_version() {
    let keda = include_str!("../../tools/keda/go.mod");
    let envoy_gateway = include_str!("../../tools/envoy-gateway/go.mod");
    for (modules, module, flag) in [
        (keda, "github.com/kedacore/keda/v2 v", "--version "),
        (
            envoy_gateway,
            "github.com/envoyproxy/gateway v",
            "--version v",
        ),
    ] {
        let (_, version) = modules.split_once(module).expect(module);
        let version = version.split_whitespace().next().unwrap();
        let asked = format!("{flag}{version} ");
        let n = INSTALL.iter().filter(|it| it.line.contains(&asked)).count();
        assert_eq!(n, 1, "lines with `{asked}`");
    }
}
