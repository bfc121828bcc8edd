//! A lookup finds what a naive scan finds, whatever way the table came about.

#[cfg(test)] // for the lints: all of it is test code
#[path = "table_lookup/oracle.rs"]
mod oracle;
#[cfg(test)]
#[path = "table_lookup/random.rs"]
mod random;

use std::{borrow::Cow, cell::RefCell, collections::BTreeMap};

use proptest::{collection::vec, prelude::*};
use wakegate_core::{Finding, RequestHead, Route, RouteId, RouteTable};

use self::random::Request;

/// Answers from a request, and remembers what it was asked.
struct Head<'r> {
    request: &'r Request,
    asked: RefCell<Vec<String>>,
}

impl<'r> From<&'r Request> for Head<'r> {
    fn from(request: &'r Request) -> Self {
        Self {
            request,
            asked: RefCell::default(),
        }
    }
}

impl RequestHead for Head<'_> {
    fn method(&self) -> Cow<'_, [u8]> {
        self.asked.borrow_mut().push(":method".to_owned());
        self.request.method.as_bytes().into()
    }

    fn header(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        self.asked.borrow_mut().push(name.to_owned());
        let value = self.request.headers.get(name)?;
        Some(value.as_slice().into())
    }
}

/// What the routes are, said as simply as possible: by name, the last one counts.
#[derive(Default)]
struct Model(BTreeMap<RouteId, Route>);

impl Model {
    fn apply(&mut self, upserted: &[Route], removed: &[RouteId]) {
        for id in removed {
            self.0.remove(id);
        }
        for route in upserted {
            self.0.insert(route.id.clone(), route.clone());
        }
    }

    fn routes(&self) -> Vec<Route> {
        self.0.values().cloned().collect()
    }
}

fn table(routes: &[Route]) -> (RouteTable, Vec<Route>) {
    let mut table = RouteTable::default();
    table.replace(routes.to_vec());
    let mut model = Model::default();
    model.apply(routes, &[]);
    (table, model.routes())
}

fn found(table: &RouteTable, request: &Request) -> Option<RouteId> {
    let route = table.lookup(&request.host, &request.path, &Head::from(request))?;
    Some(route.id.clone())
}

proptest! {
    // Without a file of old failures: what was learned from one belongs into a test with a name.
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn lookup_equals_a_naive_scan(
        routes in vec(random::route(), 0..40),
        requests in vec(random::request(), 40),
    ) {
        let (table, routes) = table(&routes);
        for request in &requests {
            let expected = oracle::lookup(&routes, request).map(|route| route.id.clone());
            prop_assert_eq!(found(&table, request), expected, "{:?}", request);
        }
    }

    #[test]
    fn lookup_asks_only_what_a_candidate_needs_and_only_once(
        routes in vec(random::route(), 0..40),
        request in random::request(),
    ) {
        let (table, routes) = table(&routes);
        let head = Head::from(&request);
        table.lookup(&request.host, &request.path, &head);
        let needed = oracle::needed(&routes, &request);
        let mut asked = head.asked.into_inner();
        asked.sort();
        prop_assert!(asked.iter().all(|name| needed.contains(name)), "{:?} {:?}", asked, needed);
        prop_assert!(asked.windows(2).all(|pair| pair[0] != pair[1]), "{:?}", asked);
    }

    #[test]
    fn a_sequence_of_changes_equals_its_result(
        changes in vec((vec(random::route(), 0..8), vec(random::id(), 0..8)), 0..8),
    ) {
        let mut applied = RouteTable::default();
        let mut model = Model::default();
        for (upserted, removed) in changes {
            model.apply(&upserted, &removed);
            applied.apply(upserted, &removed);
            let mut replaced = RouteTable::default();
            replaced.replace(model.routes());
            prop_assert_eq!(&applied, &replaced);
            prop_assert!(applied.iter().map(|route| &**route).eq(model.0.values()));
            prop_assert_eq!(applied.len(), model.0.len());
        }
        let all: Vec<RouteId> = model.0.into_keys().collect();
        applied.apply(vec![], &all);
        prop_assert_eq!(applied, RouteTable::default());
    }

    #[test]
    fn findings_are_true_and_every_equal_match_is_found(
        routes in vec(random::route(), 0..40),
        requests in vec(random::request(), 40),
    ) {
        let (table, routes) = table(&routes);
        let findings = table.findings();
        let is_unreachable = |id: &RouteId| findings.iter().any(|finding| {
            matches!(finding, Finding::Unreachable { route, .. } if route == id)
        });
        for request in &requests {
            if let Some(id) = found(&table, request) {
                prop_assert!(!is_unreachable(&id), "{} has {:?}", id, request);
            }
        }
        let conflicts: Vec<_> = findings
            .iter()
            .filter_map(|finding| match finding {
                Finding::Conflict { winner, loser, .. } => Some((winner.clone(), loser.clone())),
                Finding::Unreachable { .. } => None,
            })
            .collect();
        prop_assert_eq!(conflicts, oracle::conflicts(&routes));
    }
}
