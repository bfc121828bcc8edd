//! What a lookup does, counted: searches in hash maps and routes compared.

use super::*;
use crate::table::request::Tally;

#[derive(Clone, Copy, Debug, Default)]
struct Work {
    probes: usize,
    candidates: usize,
}

impl Tally for &mut Work {
    fn probe(&mut self) {
        self.probes += 1;
    }

    fn candidate(&mut self) {
        self.candidates += 1;
    }
}

fn work(table: &RouteTable, host: &str, path: &str) -> Work {
    let mut work = Work::default();
    let head = Get(vec![]);
    let mut request = Request::new(path.as_bytes(), &head, &mut work);
    table.hosts.find(host.as_bytes(), &mut request);
    work
}

/// The `n`-th route of each kind of table that grows.
fn shapes(n: usize) -> Vec<Route> {
    let id = |kind: &str| format!("K/{kind}/{n}/0/0");
    let name = |kind: &str| format!("{kind}{n}.shop.com");
    let path = format!("/svc-{n}/v1");
    vec![
        route(&id("host"), &name("h")),
        route(&id("one-label"), &format!("?.{}", name("o"))),
        route(&id("any-depth"), &format!("*.{}", name("w"))),
        Route {
            path: exact(&path),
            ..route(&id("exact"), "one.com")
        },
        Route {
            path: prefix(&path),
            ..route(&id("prefix"), "one.com")
        },
        Route {
            path: exact(&path),
            ..route(&id("wildcard-exact"), "*.com")
        },
        Route {
            path: prefix(&path),
            ..route(&id("every-prefix"), "*")
        },
    ]
}

fn table_of(n_routes: usize) -> RouteTable {
    let mut table = RouteTable::default();
    table.replace((0..n_routes).flat_map(shapes).take(n_routes).collect());
    assert_eq!(table.len(), n_routes);
    table
}

#[test]
fn lookup_among_ten_thousand_routes_does_at_most_twice_what_it_does_among_ten() {
    let (small, large) = (table_of(10), table_of(10_000));
    let hosts = [
        "h0.shop.com",
        "h7777.shop.com",
        "a.o0.shop.com",
        "b.a.w0.shop.com",
        "one.com",
        "x.com",
        "org",
    ];
    let paths = [
        "/",
        "/svc-0/v1",
        "/svc-0/v1/a/b/c?q=1",
        "/svc-1234/v1",
        "/none/of/them",
    ];
    for (host, path) in hosts.iter().flat_map(|host| paths.map(|path| (host, path))) {
        let [few, many] = [&small, &large].map(|table| {
            let work = work(table, host, path);
            work.probes + work.candidates
        });
        assert!(few > 0, "{host} {path}: nothing was counted");
        assert!(many <= 2 * few, "{host} {path}: {many} against {few}");
    }
}

#[test]
fn count_is_that_of_what_is_done() {
    let table = table_of(10_000);
    let hit = work(&table, "h7.shop.com", "/");
    assert_eq!(
        (hit.probes, hit.candidates),
        (2, 1),
        "the host, the prefix, the route"
    );
    let same = (0..100).map(|n| Route {
        headers: vec![header(&format!("h{n}"), ValueMatch::Present)],
        ..route(&format!("{n}"), "*")
    });
    let same = super::table(same.collect());
    assert_eq!(
        work(&same, "h", "/").candidates,
        100,
        "routes by header are tried in turn"
    );
}

#[test]
fn host_and_path_made_to_cost_much_cost_little() {
    let table = table_of(10_000);
    let labels = format!("{}a", "a.".repeat(126));
    let most = work(&table, &labels, "/").probes;
    assert!((126..300).contains(&most), "{most}");
    let beyond = work(&table, &format!("{}a", "a.".repeat(30_000)), "/").probes;
    assert!(beyond < 5, "{beyond}");
    let slashes = work(&table, "one.com", &"/".repeat(60_000)).probes;
    assert!(slashes < 20, "{slashes}");
}
