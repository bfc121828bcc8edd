//! The add-on's Deployments, and what their environment says for all routes.

use k8s_openapi::api::apps::v1::Deployment;

use super::{
    Context, Found,
    settings::{
        MAX_PENDING, READINESS, REQUEST, RESPONSE_HEADER, Setting, containers, duration, said,
    },
};
use crate::migrate::{
    objects::Part,
    rules::{
        Finding, Rule,
        installation::{
            COLD_START_HEADER, ENV_FROM, ENV_OF_ENVOY, INTERCEPTOR, OPERATOR, RESPONSE_HEADER_ENV,
            SCALER, TLS, WATCH_NAMESPACE,
        },
    },
};

/// What is for Envoy to do here: the variable, the value that asks for nothing, and how Envoy does it.
const OF_ENVOY: [(&str, &str, &str); 5] = [
    (
        "KEDA_HTTP_CONNECT_TIMEOUT",
        "500ms",
        "set the connect_timeout of the clusters, where it matters",
    ),
    (
        "KEDA_HTTP_LOG_REQUESTS",
        "false",
        "turn on Envoy's access log",
    ),
    (
        "KEDA_HTTP_DRAIN_TIMEOUT",
        "30s",
        "set Envoy's --drain-time-s, or what the gateway calls it",
    ),
    (
        "OTEL_EXPORTER_OTLP_METRICS_ENABLED",
        "false",
        "have Envoy send its metrics",
    ),
    (
        "OTEL_EXPORTER_OTLP_TRACES_ENABLED",
        "false",
        "turn on tracing in Envoy",
    ),
];

pub(super) fn check(context: &Context<'_>, found: &mut Found) {
    let parts: [(Part, &'static Rule); 3] = [
        (Part::Operator, &OPERATOR),
        (Part::Interceptor, &INTERCEPTOR),
        (Part::Scaler, &SCALER),
    ];
    for (part, rule) in parts {
        for (id, deployment) in context.objects.parts(part) {
            let findings = found.entry(id.clone()).or_default();
            if runs(deployment) {
                findings.push(rule.at("spec.replicas", &[]));
            }
            findings.extend(environment(part, deployment));
        }
    }
}

/// Whether it has pods, or is about to.
pub(in crate::migrate) fn runs(deployment: &Deployment) -> bool {
    let replicas = deployment.spec.as_ref().and_then(|spec| spec.replicas);
    replicas != Some(0)
}

fn environment(part: Part, deployment: &Deployment) -> Vec<Finding> {
    match part {
        Part::Operator => {
            let setting = said(deployment, "KEDA_HTTP_OPERATOR_WATCH_NAMESPACE");
            of(&WATCH_NAMESPACE, setting, "").into_iter().collect()
        }
        Part::Interceptor => of_interceptor(deployment),
        Part::Scaler => Vec::new(),
    }
}

fn of_interceptor(deployment: &Deployment) -> Vec<Finding> {
    let is = |env, value: &str| {
        let setting = said(deployment, env);
        setting.filter(|setting| setting.value.eq_ignore_ascii_case(value))
    };
    let watched = said(deployment, "KEDA_HTTP_WATCH_NAMESPACE");
    let header = duration(deployment, &RESPONSE_HEADER);
    let tls = is("KEDA_HTTP_PROXY_TLS_ENABLED", "true");
    let cold_start = is("KEDA_HTTP_ENABLE_COLD_START_HEADER", "false");
    let mut findings: Vec<Finding> = [
        of(&WATCH_NAMESPACE, watched, ""),
        of(&TLS, tls, ""),
        of(&RESPONSE_HEADER_ENV, header, ""),
        of(&COLD_START_HEADER, cold_start, ""),
    ]
    .into_iter()
    .flatten()
    .collect();
    for (env, nothing, way) in OF_ENVOY {
        let setting = said(deployment, env).filter(|it| it.value != nothing);
        findings.extend(of(&ENV_OF_ENVOY, setting, way));
    }
    findings.extend(unknown(deployment));
    findings
}

fn of(rule: &'static Rule, setting: Option<Setting>, way: &str) -> Option<Finding> {
    let Setting { env, value } = setting?;
    let facts = [("value", value.as_str()), ("way", way)];
    Some(rule.at(format!("env {env}"), &facts))
}

/// What is set for all routes and does not stand in the Deployment.
fn unknown(deployment: &Deployment) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, container) in containers(deployment).enumerate() {
        if container
            .env_from
            .as_ref()
            .is_some_and(|all| !all.is_empty())
        {
            let field = format!("spec.template.spec.containers[{at}].envFrom");
            findings.push(ENV_FROM.at(field, &[("what", "all that it brings")]));
        }
        for env in container.env.iter().flatten() {
            let known = [READINESS, RESPONSE_HEADER].concat();
            let matters = known.contains(&env.name.as_str())
                || [REQUEST, MAX_PENDING].contains(&env.name.as_str());
            if matters && env.value_from.is_some() {
                let facts = [("what", "its value")];
                findings.push(ENV_FROM.at(format!("env {}", env.name), &facts));
            }
        }
    }
    findings
}
