//! What cannot be read: its field, and what to do about it.

use wakegate_api::http_add_on::{HttpScaledObject, InterceptorRoute};

use super::yaml;

#[track_caller]
fn check_route(spec: &str, expected: &str) {
    let text = format!(
        "apiVersion: http.keda.sh/v1beta1\nkind: InterceptorRoute\nmetadata: {{name: a}}\nspec: {spec}"
    );
    let route: InterceptorRoute = yaml::read(&text);
    let error = route.spec.read().unwrap_err();
    assert_eq!(error.to_string(), expected, "{spec}");
}

/// A route that is well but for `more`.
#[track_caller]
fn check_more(more: &str, expected: &str) {
    let spec = format!(
        "{{target: {{service: a, port: 80}}, scalingMetric: {{concurrency: {{targetValue: 1}}}}, {more}}}"
    );
    check_route(&spec, expected);
}

#[track_caller]
fn check_object(spec: &str, expected: &str) {
    let text = format!(
        "apiVersion: http.keda.sh/v1alpha1\nkind: HTTPScaledObject\nmetadata: {{name: a}}\nspec: {spec}"
    );
    let object: HttpScaledObject = yaml::read(&text);
    let error = object.spec.read().unwrap_err();
    assert_eq!(error.to_string(), expected, "{spec}");
}

#[track_caller]
fn check_object_more(more: &str, expected: &str) {
    check_object(
        &format!("{{scaleTargetRef: {{service: a, port: 80}}, {more}}}"),
        expected,
    );
}

#[test]
fn a_port_is_named_once_and_is_one() {
    let metric = "scalingMetric: {concurrency: {targetValue: 1}}";
    for (target, expected) in [
        (
            "{service: a}",
            "spec.target: the port of the Service is missing: set port or portName",
        ),
        (
            "{service: a, port: 80, portName: ''}",
            "spec.target: port and portName are both there: remove one",
        ),
        (
            "{service: a, port: 0}",
            "spec.target.port: 0 is not from 1 to 65535: write a number within",
        ),
        (
            "{service: a, port: 65536}",
            "spec.target.port: 65536 is not from 1 to 65535: write a number within",
        ),
        (
            "{service: a, portName: ''}",
            "spec.target.portName: it is empty: write a name, or remove it",
        ),
        (
            "{service: '', port: 80}",
            "spec.target.service: it is empty: write a name, or remove it",
        ),
    ] {
        check_route(&format!("{{target: {target}, {metric}}}"), expected);
    }
    check_more(
        "coldStart: {fallback: {service: {name: b}}}",
        "spec.coldStart.fallback.service: the port of the Service is missing: set port or portName",
    );
    check_object(
        "{scaleTargetRef: {service: a, port: 80, portName: http}}",
        "spec.scaleTargetRef: port and portName are both there: remove one",
    );
    check_object(
        "{scaleTargetRef: {service: a, port: -1}}",
        "spec.scaleTargetRef.port: -1 is not from 1 to 65535: write a number within",
    );
    check_object_more(
        "coldStartTimeoutFailoverRef: {service: b}",
        "spec.coldStartTimeoutFailoverRef: the port of the Service is missing: set port or portName",
    );
}

#[test]
fn a_metric_can_be_computed() {
    let target = "target: {service: a, port: 80}";
    for (metric, expected) in [
        (
            "{}",
            "spec.scalingMetric: there is nothing to scale by: set concurrency, requestRate or both",
        ),
        (
            "{concurrency: {targetValue: 0}}",
            "spec.scalingMetric.concurrency.targetValue: 0 is not from 1 to 2147483647: write a number within",
        ),
        (
            "{requestRate: {targetValue: 1, granularity: 0s}}",
            "spec.scalingMetric.requestRate.granularity: it is zero: write a duration above, such as 1s",
        ),
        (
            "{requestRate: {targetValue: 1, granularity: -1s}}",
            "spec.scalingMetric.requestRate.granularity: it is negative: write 0s or more",
        ),
        (
            "{requestRate: {targetValue: 1, window: soon}}",
            "spec.scalingMetric.requestRate.window: it is not a duration: write a number with a unit, such as \
             1m30s or 500ms",
        ),
    ] {
        check_route(&format!("{{{target}, scalingMetric: {metric}}}"), expected);
    }
    check_object_more(
        "scalingMetric: {concurrency: {}, requestRate: {}}",
        "spec.scalingMetric: an HTTPScaledObject scales by one of concurrency and requestRate: remove one",
    );
    check_object_more(
        "scalingMetric: {concurrency: {targetValue: 2147483648}}",
        "spec.scalingMetric.concurrency.targetValue: 2147483648 is not from 1 to 2147483647: write a number \
         within",
    );
    check_object_more(
        "targetPendingRequests: 0",
        "spec.targetPendingRequests: 0 is not from 1 to 2147483647: write a number within",
    );
}

#[test]
fn requests_are_meant_without_doubt() {
    check_more(
        "rules: [{}, {paths: [{value: /}, {value: ''}]}]",
        "spec.rules[1].paths[1].value: it is empty: write a name, or remove it",
    );
    check_more(
        "rules: [{headers: [{name: a}, {name: a, value: b}]}]",
        "spec.rules[0].headers[1].name: \"a\" is there twice: remove one",
    );
    check_object_more(
        "headers: [{name: ''}]",
        "spec.headers[0].name: it is empty: write a name, or remove it",
    );
    check_more(
        "staticRoutes: [{rules: [], response: {}}]",
        "spec.staticRoutes[0].rules: there are no rules: write one, {} for every request",
    );
    check_more(
        "staticRoutes: [{rules: [{}], response: {}, responseMode: Never}]",
        "spec.staticRoutes[0].responseMode: \"Never\" is none of Always, WhenUnavailable",
    );
}

#[test]
fn an_answer_can_be_given() {
    let response = "spec.coldStart.placeholder.response";
    let long = "é".repeat(32_769);
    for (text, expected) in [
        (
            "{body: a, bodyFromConfigMap: {name: b}}".to_owned(),
            format!("{response}: body and bodyFromConfigMap are both there: remove one"),
        ),
        (
            "{bodyFromConfigMap: {name: ''}}".to_owned(),
            format!("{response}.bodyFromConfigMap.name: it is empty: write a name, or remove it"),
        ),
        (
            "{statusCode: 600}".to_owned(),
            format!("{response}.statusCode: 600 is not from 100 to 599: write a number within"),
        ),
        (
            format!("{{body: {long}}}"),
            format!(
                "{response}.body: it has 32769 characters, and at most 32768 may be: put it into a ConfigMap \
                 and set bodyFromConfigMap"
            ),
        ),
    ] {
        let more = format!("coldStart: {{placeholder: {{response: {text}}}}}");
        check_more(&more, &expected);
    }
    check_more(
        "staticRoutes: [{rules: [{}], response: {statusCode: 99}}]",
        "spec.staticRoutes[0].response.statusCode: 99 is not from 100 to 599: write a number within",
    );
}

#[test]
fn a_cold_start_and_its_timeouts_make_sense() {
    for (more, expected) in [
        (
            "coldStart: {}",
            "spec.coldStart: it says nothing: set fallback, placeholder or maxPendingRequests, or remove it",
        ),
        (
            "coldStart: {maxPendingRequests: 0}",
            "spec.coldStart.maxPendingRequests: 0 is not from 1 to 2147483647: write a number within",
        ),
        (
            "coldStart: {maxPendingRequests: 1, overflow: Placeholder}",
            "spec.coldStart.overflow: Placeholder needs an answer: set coldStart.placeholder, or write Reject",
        ),
        (
            "coldStart: {maxPendingRequests: 1, overflow: Drop}",
            "spec.coldStart.overflow: \"Drop\" is none of Reject, Placeholder",
        ),
        (
            "timeouts: {readiness: '30'}",
            "spec.timeouts.readiness: it is not a duration: write a number with a unit, such as 1m30s or 500ms",
        ),
        (
            "timeouts: {responseHeader: 9999999h}",
            "spec.timeouts.responseHeader: it is longer than any duration can be: write at most 2562047h",
        ),
    ] {
        check_more(more, expected);
    }
    check_object_more(
        "timeouts: {conditionWait: ''}",
        "spec.timeouts.conditionWait: it is not a duration: write a number with a unit, such as 1m30s or 500ms",
    );
}

#[test]
fn sessions_are_checked_although_they_are_not_in_force() {
    let session = "spec.sessionPersistence";
    for (text, expected) in [
        ("{type: Header}", ".type: \"Header\" is none of Cookie"),
        (
            "{type: Cookie, absoluteTimeout: 999ms}",
            ".absoluteTimeout: it is shorter than 1s: write 1s or more, or remove it",
        ),
        (
            "{type: Cookie, cookie: {}}",
            ".cookie.name: it is empty: write a name, or remove it",
        ),
        (
            "{type: Cookie, cookie: {name: a=b}}",
            ".cookie.name: \"a=b\" is no name of a cookie: 1 to 256 letters, digits and !#$%&'*+-.^_`|~",
        ),
    ] {
        let expected = format!("{session}{expected}");
        check_more(&format!("sessionPersistence: {text}"), &expected);
    }
}

#[test]
fn replicas_and_periods_are_no_less_than_they_can_be() {
    for (more, expected) in [
        (
            "replicas: {min: -1}",
            "spec.replicas.min: -1 is not from 0 to 2147483647: write a number within",
        ),
        (
            "replicas: {max: 0}",
            "spec.replicas.max: 0 is not from 1 to 2147483647: write a number within",
        ),
        (
            "replicas: {min: 101}",
            "spec.replicas.min: 101 is above replicas.max, which is 100: lower it, or raise replicas.max",
        ),
        (
            "scaledownPeriod: -1",
            "spec.scaledownPeriod: -1 is not from 0 to 2147483647: write a number within",
        ),
        (
            "initialCooldownPeriod: -1",
            "spec.initialCooldownPeriod: -1 is not from 0 to 2147483647: write a number within",
        ),
    ] {
        check_object_more(more, expected);
    }
}
