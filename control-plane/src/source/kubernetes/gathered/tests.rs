use std::{fs, path::Path};

use serde_json::json;

use super::*;
use crate::{index::Index, source::kubernetes::trouble::Trouble};

/// Watches of Services and of HTTPRoutes.
struct Watches(Gathered);

const SERVICES: usize = 0;
const ROUTES: usize = 1;

impl Watches {
    fn new() -> Self {
        let places = [Kind::Service, Kind::HttpRoute].map(|kind| Place {
            kind,
            namespace: None,
            name: None,
        });
        Self(Gathered::new(&places))
    }

    /// Both have read their lists: these Services, no route.
    fn synced(services: &[&str]) -> Self {
        let mut this = Self::new();
        this.list(SERVICES, services);
        this.list(ROUTES, &[]);
        this.0.take().unwrap();
        this
    }

    fn on(&mut self, at: usize, event: Event<Received>) -> Option<Kind> {
        self.0.on_news(at, News::Event(Box::new(event)))
    }

    /// Returns whether it counts as a list anew.
    fn list(&mut self, at: usize, names: &[&str]) -> bool {
        self.on(at, Event::Init);
        for name in names {
            self.on(at, Event::InitApply(object(name, 80)));
        }
        self.on(at, Event::InitDone).is_some()
    }

    /// What is taken: names that came or changed, and names that are gone.
    fn taken(&mut self) -> Option<Vec<String>> {
        let changes = self.0.take()?.changes.into_iter();
        let shown = changes.map(|(id, object)| {
            let sign = if object.is_some() { "+" } else { "-" };
            format!("{sign}{}", id.name)
        });
        Some(shown.collect())
    }
}

fn object(name: &str, port: u16) -> Received {
    let value = json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "shop", "resourceVersion": "1"},
        "spec": {"ports": [{"port": port}]},
    });
    serde_json::from_value(value).unwrap()
}

/// Of a newer schema than ours.
fn odd(name: &str) -> Received {
    let mut object = object(name, 80);
    object.content["spec"]["ports"] = json!("many");
    object
}

#[test]
fn nothing_is_taken_until_every_list_was_read() {
    let mut watches = Watches::new();
    watches.list(SERVICES, &["web"]);
    assert_eq!(watches.taken(), None);
    watches.on(ROUTES, Event::Init);
    assert_eq!(watches.taken(), None);
    watches.on(ROUTES, Event::InitDone);
    assert_eq!(watches.taken().unwrap(), ["+web"]);
    assert_eq!(watches.taken(), None);
}

#[test]
fn a_first_sync_may_be_of_nothing() {
    let mut watches = Watches::new();
    watches.list(SERVICES, &[]);
    watches.list(ROUTES, &[]);
    assert_eq!(watches.taken().unwrap(), [""; 0]);
}

#[test]
fn the_last_of_several_changes_counts() {
    let mut watches = Watches::synced(&["web"]);
    watches.on(SERVICES, Event::Apply(object("api", 80)));
    watches.on(SERVICES, Event::Delete(object("api", 80)));
    watches.on(SERVICES, Event::Apply(object("web", 81)));
    assert_eq!(watches.taken().unwrap(), ["-api", "+web"]);
}

#[test]
fn a_list_that_comes_anew_takes_away_what_it_lacks_and_not_before_its_end() {
    let mut watches = Watches::synced(&["a", "b", "c"]);
    watches.on(SERVICES, Event::Init);
    watches.on(SERVICES, Event::InitApply(object("a", 80)));
    watches.on(SERVICES, Event::InitApply(object("d", 80)));
    assert_eq!(watches.taken().unwrap(), ["+a", "+d"]);
    // The list breaks off, and the next one knows less.
    assert_eq!(
        watches.0.on_news(SERVICES, News::Trouble(Trouble::Cut)),
        None
    );
    assert!(watches.list(SERVICES, &["b"]));
    assert_eq!(watches.taken().unwrap(), ["-a", "+b", "-c", "-d"]);
}

#[test]
fn trouble_changes_nothing() {
    let mut watches = Watches::synced(&["web"]);
    watches.0.on_news(SERVICES, News::Trouble(Trouble::Cut));
    assert_eq!(watches.taken(), None);
}

#[test]
fn a_kind_that_is_missing_is_synced() {
    let mut watches = Watches::new();
    watches.list(SERVICES, &["web"]);
    watches.0.on_news(ROUTES, News::Missing);
    assert_eq!(watches.taken().unwrap(), ["+web"]);
    assert!(!watches.list(ROUTES, &["late"]));
    assert_eq!(watches.taken().unwrap(), ["+late"]);
}

#[test]
fn a_kind_that_goes_takes_its_objects_along_once_that_is_sure() {
    let mut watches = Watches::synced(&["web"]);
    for _ in 1..LOOKS_UNTIL_GONE {
        watches.0.on_news(SERVICES, News::Missing);
        assert_eq!(watches.taken(), None);
    }
    watches.0.on_news(SERVICES, News::Missing);
    assert_eq!(watches.taken().unwrap(), ["-web"]);

    let mut watches = Watches::synced(&["web"]);
    for _ in 0..LOOKS_UNTIL_GONE {
        watches.0.on_news(SERVICES, News::Missing);
        watches.list(SERVICES, &["web"]);
        assert_eq!(watches.taken().unwrap(), ["+web"]);
    }
}

#[test]
fn an_object_that_cannot_be_read_is_a_finding_and_its_last_version_stays() {
    let mut watches = Watches::synced(&["web"]);
    watches.on(SERVICES, Event::Apply(odd("web")));
    watches.on(SERVICES, Event::Apply(odd("new")));
    watches.on(SERVICES, Event::Apply(object("other", 80)));
    let reload = watches.0.take().unwrap();
    assert_eq!(reload.changes.len(), 1);
    let found: Vec<String> = reload.findings.iter().map(ToString::to_string).collect();
    assert!(
        found[0].starts_with("Service shop/new: spec.ports: "),
        "{found:?}"
    );
    assert!(found[0].ends_with("; it is not used"), "{found:?}");
    assert!(
        found[1].ends_with("its last good version stays in force"),
        "{found:?}"
    );

    watches.on(SERVICES, Event::Apply(object("web", 80)));
    watches.on(SERVICES, Event::Delete(odd("new")));
    let reload = watches.0.take().unwrap();
    assert_eq!(reload.findings, []);
    assert_eq!(reload.changes.len(), 1, "of `new` nothing was in force");
}

#[test]
fn a_finding_that_comes_or_goes_is_news_by_itself() {
    let mut watches = Watches::synced(&[]);
    watches.on(SERVICES, Event::Apply(odd("web")));
    assert_eq!(watches.taken().unwrap(), [""; 0]);
    watches.on(SERVICES, Event::Apply(odd("web")));
    assert_eq!(watches.taken(), None);
    watches.list(SERVICES, &[]);
    assert_eq!(watches.0.take().unwrap().findings, []);
}

/// The objects of a fixture that an API server would take, as it would send them.
fn fixture(dir: &Path) -> Vec<(ObjectId, Value)> {
    let text = fs::read_to_string(dir.join("objects.yaml")).unwrap();
    let documents = text.split("\n---").filter_map(|document| {
        let value: Value = serde_saphyr::from_str(document.trim_start_matches("---")).ok()?;
        let is_it = |kind: &Kind| {
            value["kind"] == kind.as_str() && value["apiVersion"] == kind.api_version()
        };
        let kind = Kind::ALL.into_iter().find(is_it)?;
        let namespace = value["metadata"]["namespace"].as_str();
        let namespace = namespace.unwrap_or(if kind.is_of_cluster() { "" } else { "default" });
        let id = ObjectId::new(kind, namespace, value["metadata"]["name"].as_str()?);
        Some((id, value))
    });
    documents.collect()
}

#[test]
fn what_is_trimmed_makes_no_difference_to_the_table() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut n_objects = 0;
    for dir in fs::read_dir(fixtures).unwrap() {
        let dir = dir.unwrap().path();
        let (mut whole, mut trimmed) = (Vec::new(), Vec::new());
        for (id, value) in fixture(&dir) {
            let object: Received = serde_json::from_value(value.clone()).unwrap();
            let from_server = converted(&id, object).ok();
            let from_file = document::typed(id.kind, value).ok();
            assert_eq!(from_server.is_some(), from_file.is_some(), "{id}");
            n_objects += usize::from(from_file.is_some());
            trimmed.push((id.clone(), from_server));
            whole.push((id, from_file));
        }
        let table = |changes| Index::default().apply(changes, Vec::new()).unwrap();
        let (trimmed, whole) = (table(trimmed), table(whole));
        assert_eq!(
            format!("{trimmed:#?}"),
            format!("{whole:#?}"),
            "{}",
            dir.display()
        );
    }
    assert!(n_objects > 30, "only {n_objects} objects were compared");
}
