//! Whether what Wakegate needs is there and up.

use super::{Context, Found};
use crate::doctor::{
    objects::{DEPLOYMENT, Object, SCALED_OBJECT, WAKE_POLICY, text_at},
    part::{CONTROL_PLANE, SCALER, image, is_part},
    rules::installation::{NO_KEDA, NO_PART, NO_POLICIES, PART_DOWN, PART_WEAK, VERSIONS},
};

/// A daemon, and what is when it is not there.
struct Part {
    name: &'static str,
    shown: &'static str,
    effect: &'static str,
}

const DAEMONS: [Part; 2] = [
    Part {
        name: CONTROL_PLANE,
        shown: "control plane",
        effect: "new Envoys get no routes, and hold nothing; the others go on by what they know",
    },
    Part {
        name: SCALER,
        shown: "scaler",
        effect: "requests at zero are held until the time-out, and wake nothing",
    },
];

pub(super) fn check(context: &Context<'_>, found: &mut Found) {
    let objects = context.objects;
    if objects.is_cluster() {
        if objects.lacks(SCALED_OBJECT) {
            found.cluster.push(NO_KEDA.at("", &[]));
        }
        if objects.lacks(WAKE_POLICY) {
            found.cluster.push(NO_POLICIES.at("", &[]));
        }
    }
    let mut tags = Vec::new();
    for part in &DAEMONS {
        let deployments = objects.all(DEPLOYMENT).iter();
        let deployments: Vec<_> = deployments.filter(|it| is_part(it, part.name)).collect();
        if deployments.is_empty() && objects.is_whole() && objects.has_all(DEPLOYMENT, "") {
            let facts = [
                ("part", part.shown),
                ("effect", part.effect),
                ("name", part.name),
            ];
            found.cluster.push(NO_PART.at("", &facts));
        }
        for deployment in &deployments {
            if objects.is_cluster() {
                replicas(deployment, part, found);
            }
        }
        tags.push(deployments.first().and_then(|it| tag(it, part.name)));
    }
    versions(context, &tags, found);
}

/// What comes behind an image's name: a tag. Digests differ between images of one release.
fn tag<'a>(deployment: &'a Object, name: &str) -> Option<&'a str> {
    tag_of(image(deployment, name)?)
}

fn tag_of(image: &str) -> Option<&str> {
    let last = image.rsplit('/').next()?;
    let (name, _) = last.split_once('@').unwrap_or((last, ""));
    name.split_once(':').map(|(_, tag)| tag)
}

fn replicas(deployment: &Object, part: &Part, found: &mut Found) {
    let number = |pointer: &str, default| {
        let number = deployment.at(pointer).and_then(serde_json::Value::as_u64);
        number.unwrap_or(default)
    };
    let (ready, wanted) = (
        number("/status/readyReplicas", 0),
        number("/spec/replicas", 1),
    );
    let labels = deployment.at("/spec/selector/matchLabels");
    let labels = labels.and_then(serde_json::Value::as_object);
    let labels = labels.into_iter().flatten();
    let selector: Vec<_> = labels
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    let facts = [
        ("part", part.shown),
        ("effect", part.effect),
        ("ready", &*ready.to_string()),
        ("wanted", &*wanted.to_string()),
        ("namespace", &*deployment.id.namespace),
        ("selector", &*selector.join(",")),
    ];
    let rule = match ready {
        0 => &PART_DOWN,
        ready if ready < wanted => &PART_WEAK,
        _ => return,
    };
    found.say(&deployment.id, rule.at("status.readyReplicas", &facts));
}

fn versions(context: &Context<'_>, tags: &[Option<&str>], found: &mut Found) {
    let [Some(one), scaler] = *tags else {
        return;
    };
    let [_, of_scaler] = &DAEMONS;
    let mut deployments = context.objects.all(DEPLOYMENT).iter();
    let deployment = deployments.find(|it| is_part(it, of_scaler.name));
    let scaler = deployment.zip(scaler).map(|(deployment, tag)| {
        let field = "spec.template.spec.containers[].image".to_owned();
        (&deployment.id, field, tag)
    });
    let filters = context.attachments.iter().filter_map(|it| {
        let mut urls = ["/code/image/url", "/url"].into_iter();
        let url = urls.find_map(|url| text_at(it.value, url))?;
        Some((&it.object.id, it.field.clone(), tag_of(url)?))
    });
    for (id, field, other) in scaler.into_iter().chain(filters) {
        // What moves by itself is no release.
        if other != one && other != "latest" {
            let facts = [("one", one), ("other", other)];
            found.say(id, VERSIONS.at(field, &facts));
        }
    }
}
