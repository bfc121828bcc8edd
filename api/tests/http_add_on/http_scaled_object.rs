//! What an HTTPScaledObject means.

use std::{num::NonZeroU32, time::Duration};

use wakegate_api::{
    ScaleTarget,
    http_add_on::{
        ColdStart, Header, HostPattern, HttpScaledObject, Metrics, ORPHAN_SCALED_OBJECT, Port,
        Reading, RequestRate, Requests, SKIP_SCALED_OBJECT, Scaling, Timeout, Timeouts,
        orphans_scaled_object, skips_scaled_object,
    },
};

use super::yaml;

/// With `more` behind what every object needs.
#[track_caller]
fn object(more: &str) -> HttpScaledObject {
    let text = format!(
        "apiVersion: http.keda.sh/v1alpha1
kind: HTTPScaledObject
metadata: {{name: shop, namespace: web}}
spec:
  scaleTargetRef: {{name: shop, service: shop-svc, port: 8080}}
{more}"
    );
    let object: HttpScaledObject = yaml::read(&text);
    let again = serde_json::to_value(&object).unwrap();
    assert_eq!(
        serde_json::from_value::<HttpScaledObject>(again).unwrap(),
        object
    );
    object
}

#[track_caller]
fn read(more: &str) -> Reading {
    object(more).spec.read().unwrap()
}

fn concurrency(target: u32) -> Metrics {
    Metrics {
        concurrency: NonZeroU32::new(target),
        request_rate: None,
    }
}

fn fields(reading: &Reading) -> Vec<&str> {
    let notes = reading.not_in_force.iter();
    notes.map(|it| it.field.as_str()).collect()
}

#[test]
fn the_least_object_has_the_defaults_and_means_every_request() {
    let reading = read("");
    let everything = Requests {
        hosts: vec![HostPattern::Any],
        path_prefixes: vec!["/".to_owned()],
        headers: Vec::new(),
    };
    let scaling = Scaling {
        workload: Some(ScaleTarget {
            api_version: None,
            kind: "Deployment".to_owned(),
            name: "shop".to_owned(),
        }),
        min_replicas: 0,
        max_replicas: NonZeroU32::new(100).unwrap(),
        cooldown: Duration::from_mins(5),
        initial_cooldown: Duration::ZERO,
    };
    assert_eq!(reading.target.to_string(), "shop-svc:8080");
    assert_eq!(reading.requests, [everything]);
    assert_eq!(reading.metrics, concurrency(100));
    assert_eq!(reading.cold_start, ColdStart::default());
    assert_eq!(reading.timeouts, Timeouts::default());
    assert_eq!(reading.static_answers, []);
    assert_eq!(reading.scaling, Some(scaling));
    assert_eq!(reading.not_in_force, []);
}

#[test]
fn hosts_paths_and_headers_are_one_rule() {
    let reading = read(
        "  hosts: [shop.com, '*.shop.com']
  pathPrefixes: [/a, '', b/c/]
  headers: [{name: X-Beta, value: 'yes'}]
",
    );
    let expected = Requests {
        hosts: vec![
            HostPattern::Exact("shop.com".to_owned()),
            HostPattern::Below("shop.com".to_owned()),
        ],
        path_prefixes: ["/a", "/", "/b/c"].map(str::to_owned).to_vec(),
        headers: vec![Header {
            name: "x-beta".to_owned(),
            value: Some("yes".to_owned()),
        }],
    };
    assert_eq!(reading.requests, [expected]);
    let reading = read("  hosts: [sh*p.com]\n");
    assert_eq!(reading.requests, []);
    assert_eq!(fields(&reading), ["spec.hosts[0]"]);
}

#[test]
fn scaling_is_as_it_is_said() {
    let reading = read(
        "  replicas: {min: 2, max: 5}
  scaledownPeriod: 60
  initialCooldownPeriod: 10
",
    );
    let scaling = reading.scaling.unwrap();
    assert_eq!((scaling.min_replicas, scaling.max_replicas.get()), (2, 5));
    assert_eq!(scaling.cooldown, Duration::from_mins(1));
    assert_eq!(scaling.initial_cooldown, Duration::from_secs(10));
}

#[test]
fn a_workload_without_a_name_is_not_said() {
    for (name, expected) in [
        ("", None),
        ("name: '', ", None),
        (
            "name: web, kind: Rollout, apiVersion: argoproj.io/v1alpha1, ",
            Some("Rollout/web"),
        ),
        (
            "name: web, kind: '', apiVersion: '', ",
            Some("Deployment/web"),
        ),
    ] {
        let text = format!(
            "apiVersion: http.keda.sh/v1alpha1\nkind: HTTPScaledObject\nmetadata: {{name: a}}
spec: {{scaleTargetRef: {{{name}service: web, portName: http}}}}"
        );
        let object: HttpScaledObject = yaml::read(&text);
        let reading = object.spec.read().unwrap();
        assert_eq!(reading.target.port, Port::Name("http".to_owned()));
        let workload = reading.scaling.unwrap().workload;
        let workload = workload.map(|it| it.to_string());
        assert_eq!(workload.as_deref(), expected);
    }
}

#[test]
fn the_metric_is_the_one_that_counts_in_the_add_on() {
    let rate = Metrics {
        concurrency: None,
        request_rate: Some(RequestRate {
            target: NonZeroU32::new(100).unwrap(),
            window: Duration::from_mins(1),
            granularity: Duration::from_secs(1),
        }),
    };
    for (text, expected) in [
        ("  targetPendingRequests: 20\n", concurrency(20)),
        (
            "  scalingMetric: {}\n  targetPendingRequests: 20\n",
            concurrency(20),
        ),
        ("  scalingMetric: {}\n", concurrency(100)),
        ("  scalingMetric: {concurrency: {}}\n", concurrency(100)),
        (
            "  scalingMetric: {concurrency: {targetValue: 7}}\n",
            concurrency(7),
        ),
        ("  scalingMetric: {requestRate: {}}\n", rate),
    ] {
        let reading = read(text);
        assert_eq!(reading.metrics, expected, "{text}");
        assert_eq!(reading.not_in_force, [], "{text}");
    }
    let reading = read("  scalingMetric: {requestRate: {}}\n  targetPendingRequests: 20\n");
    assert_eq!(reading.metrics, rate);
    assert_eq!(fields(&reading), ["spec.targetPendingRequests"]);
}

#[test]
fn the_readiness_timeout_is_the_failovers_then_the_objects_own() {
    let after = |secs| Some(Timeout::After(Duration::from_secs(secs)));
    let failover =
        |more: &str| format!("  coldStartTimeoutFailoverRef: {{service: spare, port: 80{more}}}\n");
    let wait = "  timeouts: {conditionWait: 7s}\n";
    for (text, expected) in [
        (wait.to_owned(), after(7)),
        ("  timeouts: {conditionWait: 0s}\n".to_owned(), None),
        (failover(""), after(30)),
        (failover(", timeoutSeconds: 5"), after(5)),
        (failover(", timeoutSeconds: 5") + wait, after(5)),
        (failover(", timeoutSeconds: 0") + wait, after(7)),
        (failover(", timeoutSeconds: -1"), None),
    ] {
        let reading = read(&text);
        assert_eq!(reading.timeouts.readiness, expected, "{text}");
        let fallback = reading.cold_start.fallback.as_ref();
        let is_noted = fields(&reading).contains(&"spec.coldStartTimeoutFailoverRef");
        assert_eq!(fallback.is_some(), is_noted, "{text}");
    }
}

#[test]
fn timeouts_of_zero_and_less_are_not_said() {
    let reading = read("  timeouts: {conditionWait: -5s, responseHeader: 0s}\n");
    assert_eq!(reading.timeouts, Timeouts::default());
    assert_eq!(reading.not_in_force, []);
    let reading = read("  timeouts: {responseHeader: 1m}\n");
    assert_eq!(fields(&reading), ["spec.timeouts.responseHeader"]);
}

#[test]
fn annotations_say_yes_by_one_value_only() {
    for (value, expected) in [("true", true), ("True", false), ("1", false)] {
        for annotation in [SKIP_SCALED_OBJECT, ORPHAN_SCALED_OBJECT] {
            let mut object = object("");
            let pair = (annotation.to_owned(), value.to_owned());
            object.metadata.annotations = Some([pair].into());
            let is_skip = annotation == SKIP_SCALED_OBJECT;
            let metadata = &object.metadata;
            assert_eq!(skips_scaled_object(metadata), expected && is_skip);
            assert_eq!(orphans_scaled_object(metadata), expected && !is_skip);
        }
    }
    assert!(!skips_scaled_object(&object("").metadata));
}

#[test]
fn the_status_names_things_as_the_add_on_does() {
    let mut spec = object("").spec;
    assert_eq!(spec.target_workload(), "//shop");
    assert_eq!(spec.target_service(), "shop-svc:8080");
    let target = &mut spec.scale_target_ref;
    target.api_version = Some("apps/v1".to_owned());
    target.kind = Some("Deployment".to_owned());
    (target.port, target.port_name) = (None, Some("http".to_owned()));
    assert_eq!(spec.target_workload(), "apps/v1/Deployment/shop");
    assert_eq!(spec.target_service(), "shop-svc:0");
    let object: HttpScaledObject = yaml::read(
        "apiVersion: http.keda.sh/v1alpha1
kind: HTTPScaledObject
metadata: {name: a}
spec: {scaleTargetRef: {service: a, port: 80}}
status:
  targetWorkload: apps/v1/Deployment/a
  targetService: a:80
  conditions:
  - {type: Ready, status: 'True', reason: Reconciled, message: '', lastTransitionTime: '2026-01-02T03:04:05Z'}
",
    );
    let status = object.status.unwrap();
    assert_eq!(status.target_service.as_deref(), Some("a:80"));
    assert_eq!(status.conditions[0].type_, "Ready");
}

#[test]
fn conditions_of_older_add_ons_do_not_keep_an_object_from_being_read() {
    let object: HttpScaledObject = yaml::read(
        "apiVersion: http.keda.sh/v1alpha1
kind: HTTPScaledObject
metadata: {name: a}
spec: {scaleTargetRef: {service: a, port: 80}}
status:
  conditions:
  - {type: Ready, status: 'True', reason: HTTPScaledObjectIsReady, timestamp: '2024-01-02T03:04:05Z'}
",
    );
    assert!(object.spec.read().is_ok());
    assert_eq!(object.status.unwrap().conditions, []);
}
