//! Bodies of answers, which may be in ConfigMaps.

use wakegate_api::http_add_on::{Body, Response};

use crate::migrate::{
    check::Context,
    objects::{AddOn, Kind},
    rules::{
        Finding,
        objects::{CONFIG_MAP, CONFIG_MAP_KEY},
    },
};

pub(super) fn check(context: &Context<'_>, object: &AddOn) -> Vec<Finding> {
    let placeholder = object.reading.cold_start.placeholder.iter();
    let placeholder = placeholder.map(|answer| {
        let field = "spec.coldStart.placeholder.response".to_owned();
        (field, answer)
    });
    let answers = object.reading.static_answers.iter().enumerate();
    let answers = answers.map(|(at, answer)| {
        let field = format!("spec.staticRoutes[{at}].response");
        (field, &answer.response)
    });
    placeholder
        .chain(answers)
        .filter_map(|(field, response)| body(context, object, &field, response))
        .collect()
}

fn body(
    context: &Context<'_>,
    object: &AddOn,
    field: &str,
    response: &Response,
) -> Option<Finding> {
    let Body::ConfigMap { name, key } = &response.body else {
        return None;
    };
    let namespace = &object.id.namespace;
    let field = format!("{field}.bodyFromConfigMap");
    let place = (namespace.clone(), name.clone());
    let missing = || Some(CONFIG_MAP.at(format!("{field}.name"), &[("config-map", name)]));
    match context.objects.config_maps.get(&place) {
        None if context.objects.has_all(Kind::ConfigMap, namespace) => missing(),
        None => None,
        Some(None) => missing(),
        Some(Some(there)) => {
            let data = there.data.as_ref();
            let key = key.as_ref()?;
            if data.is_some_and(|data| data.contains_key(key)) {
                return None;
            }
            let keys: Vec<&str> = data
                .into_iter()
                .flatten()
                .map(|(key, _)| key.as_str())
                .collect();
            let keys = keys.join(", ");
            let facts = [("config-map", name.as_str()), ("key", key), ("keys", &keys)];
            Some(CONFIG_MAP_KEY.at(format!("{field}.key"), &facts))
        }
    }
}
