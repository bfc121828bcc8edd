//! What the filter finds in the table: a request that is another route's is never held for ours.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::borrow::Cow;

use serde_json::json;
use wakegate_control_plane::{
    index::Index,
    object::{Kind, Object, ObjectId},
    snapshot::Snapshot,
};
use wakegate_core::{RequestHead, Route, RouteTable};

struct Get;

impl RequestHead for Get {
    fn method(&self) -> Cow<'_, [u8]> {
        b"GET".into()
    }

    fn header(&self, _name: &str) -> Option<Cow<'_, [u8]>> {
        None
    }
}

type Change = (ObjectId, Option<Object>);

fn service() -> Change {
    let id = ObjectId::new(Kind::Service, "shop", "web");
    let service = json!({"metadata": {}, "spec": {"ports": [{"port": 80}]}});
    let service = serde_json::from_value(service).unwrap();
    (id, Some(Object::Service(service)))
}

/// A route for a path of a host, to the Service; whether it is ours is its annotation alone.
fn route(name: &str, is_ours: bool, host: &str, path: &str) -> Change {
    let hosts: Vec<&str> = [host].into_iter().filter(|host| *host != "*").collect();
    let route = json!({
        "metadata": {"annotations": {"wakegate.dev/scale-to-zero": is_ours.to_string()}},
        "spec": {
            "hostnames": hosts,
            "rules": [{
                "matches": [{"path": {"type": "PathPrefix", "value": path}}],
                "backendRefs": [{"name": "web", "port": 80}],
            }],
        },
    });
    let route = serde_json::from_value(route).unwrap();
    let id = ObjectId::new(Kind::HttpRoute, "shop", name);
    (id, Some(Object::HttpRoute(route)))
}

fn filter_of(snapshot: &Snapshot) -> RouteTable {
    let routes = snapshot.routes.values();
    let routes = routes.map(|entry| Route::try_from(entry.entity.message.clone()).unwrap());
    let mut table = RouteTable::default();
    table.replace(routes.collect());
    table
}

/// The route that a request is held for; none when it passes.
fn held_for<'t>(filter: &'t RouteTable, host: &str, path: &str) -> Option<&'t str> {
    let route = filter.lookup(host.as_bytes(), path.as_bytes(), &Get)?;
    (!route.targets.is_empty()).then(|| route.id.as_str())
}

#[test]
fn a_path_that_another_route_has_is_not_held_for_ours() {
    let mut index = Index::default();
    index.apply(
        vec![
            service(),
            route("a", true, "shop.test", "/"),
            route("b", false, "shop.test", "/static"),
            route("c", false, "other.test", "/"),
        ],
        Vec::new(),
    );
    let (a, b) = (Some("HTTPRoute/shop/a/0/0"), Some("HTTPRoute/shop/b/0/0"));
    let check = |index: &Index, expected: [Option<&str>; 2], ids: &[&str]| {
        let snapshot = index.snapshot();
        let filter = filter_of(&snapshot);
        let found = ["/", "/static/x"].map(|path| held_for(&filter, "shop.test", path));
        assert_eq!(found, expected);
        let known: Vec<_> = filter.iter().map(|route| route.id.as_str()).collect();
        assert_eq!(known, ids);
    };
    check(&index, [a, None], &[a.unwrap(), b.unwrap()]);

    index.apply(vec![route("b", true, "shop.test", "/static")], Vec::new());
    check(&index, [a, b], &[a.unwrap(), b.unwrap()]);

    // With the first route of ours go those that stood before it, and come again with it.
    index.apply(vec![route("b", false, "shop.test", "/static")], Vec::new());
    index.apply(vec![route("a", false, "shop.test", "/")], Vec::new());
    check(&index, [None, None], &[]);
    index.apply(vec![route("a", true, "shop.test", "/")], Vec::new());
    check(&index, [a, None], &[a.unwrap(), b.unwrap()]);

    // Without its Service, ours holds nothing.
    let (id, _) = service();
    index.apply(vec![(id, None)], Vec::new());
    check(&index, [None, None], &[]);
}

/// A route that is attached to one Gateway.
fn attached(name: &str, gateway: &str) -> Change {
    let (id, object) = route(name, true, "shop.test", "/");
    let Some(Object::HttpRoute(mut route)) = object else {
        return (id, object);
    };
    let parents = json!([{"name": gateway, "namespace": "infra"}]);
    route.spec.parent_refs = serde_json::from_value(parents).unwrap();
    (id, Some(Object::HttpRoute(route)))
}

#[test]
fn routes_of_different_gateways_are_not_in_each_others_way() {
    let mut index = Index::default();
    let all = vec![
        service(),
        attached("a", "private"),
        attached("b", "public"),
        attached("c", "public"),
    ];
    index.apply(all, Vec::new());
    let snapshot = index.snapshot();
    let found: Vec<String> = snapshot.findings.iter().map(ToString::to_string).collect();
    let shadowed = found.iter().filter(|found| found.contains("requests on"));
    let shadowed: Vec<_> = shadowed.collect();
    let [one] = shadowed.as_slice() else {
        unreachable!("{found:#?}")
    };
    assert!(one.contains("HTTPRoute/shop/b/0/0 asks"), "{one}");
    assert!(one.starts_with("HTTPRoute shop/c:"), "{one}");
}

/// Numbers that look like chance, and are the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        // Knuth's MMIX.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = self.0.wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % n
    }

    fn of<T: Copy>(&mut self, items: &[T]) -> T {
        *items.get(self.below(items.len())).unwrap()
    }
}

const HOSTS: [&str; 7] = [
    "*",
    "*.test",
    "*.shop.test",
    "shop.test",
    "a.shop.test",
    "b.a.shop.test",
    "x.test",
];
const PATHS: [&str; 4] = ["/", "/a", "/a/b", "/c"];

fn random_route(dice: &mut Dice) -> Change {
    let name = format!("r{}", dice.below(12));
    let (is_ours, host, path) = (dice.below(3) == 0, dice.of(&HOSTS), dice.of(&PATHS));
    let (id, object) = route(&name, is_ours, host, path);
    (id, object.filter(|_| dice.below(4) > 0))
}

#[test]
fn routes_that_are_left_out_make_no_difference_to_any_request() {
    // With a route of ours on every host nothing is left out; nobody asks for its path.
    let (all, mut n_left_out) = (route("all", true, "*", "/not-asked-for"), 0);
    for seed in 0..50 {
        let mut dice = Dice(seed);
        let (mut index, mut whole) = (Index::default(), Index::default());
        index.apply(vec![service()], Vec::new());
        whole.apply(vec![service(), all.clone()], Vec::new());
        for _ in 0..40 {
            let changes: Vec<_> = (0..=dice.below(3))
                .map(|_| random_route(&mut dice))
                .collect();
            index.apply(changes.clone(), Vec::new());
            whole.apply(changes, Vec::new());
            let (few, whole) = (filter_of(&index.snapshot()), filter_of(&whole.snapshot()));
            n_left_out += whole.len() - 1 - few.len();
            for host in HOSTS {
                let host = host.replace('*', "y");
                for path in PATHS {
                    let (found, expected) =
                        (held_for(&few, &host, path), held_for(&whole, &host, path));
                    assert_eq!(found, expected, "{seed}: {host}{path}");
                }
            }
        }
    }
    assert!(n_left_out > 1_000, "{n_left_out}");
}
