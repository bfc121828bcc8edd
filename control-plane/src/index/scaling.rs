//! What is said of a workload's scaling, by whom, and what holds where they disagree.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::Duration,
};

use wakegate_api::{Settings, annotations::PREFIX, wake_policy::ScaledObjectBy};
use wakegate_wire::v1;

use super::{Index, ServiceId, reader};
use crate::object::{Code, Finding, Kind, Object, ObjectId};

/// The window of a rate, when nobody gives another.
const RATE_WINDOW: Duration = Duration::from_mins(1);

/// The concurrency target of a workload without any target.
const CONCURRENCY: f64 = 100.0;

/// The most replicas, when nobody says.
const MAX_REPLICAS: u32 = 100;

/// How long without demand before zero, when nobody says; KEDA's own default.
const COOLDOWN: Duration = Duration::from_mins(5);

/// What one object says.
#[derive(Clone, Debug)]
pub(super) struct Said {
    pub(super) by: ObjectId,
    settings: Settings,
    /// The annotations of KEDA's by which it pauses.
    pausing: BTreeMap<String, String>,
}

/// What holds for a workload.
#[derive(Clone, Debug)]
pub(super) struct Scaling {
    pub(super) min_replicas: u32,
    pub(super) max_replicas: u32,
    pub(super) cooldown: Duration,
    pub(super) initial_cooldown: Duration,
    pub(super) targets: v1::Targets,
    pub(super) is_paused: bool,
    pub(super) is_external: bool,
    /// As they stand on our ScaledObject.
    pub(super) pausing: BTreeMap<String, String>,
}

impl Index {
    /// All who have a say about the workload of these Services, which are in one namespace: the policies on the
    /// Services, the Services, then the routes that lead to them, the older before the younger. A route elsewhere
    /// may wake them, and says nothing of their scaling.
    pub(super) fn said<'a>(&self, services: impl IntoIterator<Item = &'a ServiceId>) -> Vec<Said> {
        let (mut policies, mut said, mut routes) = (Vec::new(), Vec::new(), BTreeSet::new());
        for id in services {
            let Some(service) = self.objects.service(id) else {
                continue;
            };
            policies.extend(self.objects.policy_on(&id.object(), None));
            let (settings, _) = reader::settings(&service.metadata);
            let created = reader::created_ms(&service.metadata);
            said.push((created, self.said_by(id.object(), settings)));
            let users = self.users_of(id);
            let users =
                users.filter(|(user, _)| user.namespace == id.namespace && !user.is_add_on());
            routes.extend(users.map(|(user, _)| user));
        }
        said.sort_by(|(a, one), (b, other)| (a, &one.by).cmp(&(b, &other.by)));
        let mut later: Vec<_> = routes
            .into_iter()
            .filter_map(|id| Some((self.objects.get(id)?.metadata(), id)))
            .map(|(metadata, id)| (reader::created_ms(metadata), id))
            .collect();
        // By name alone, so that an Ingress and an HTTPRoute of one age are in no order of kinds.
        later.sort_by_key(|(created, id)| (*created, &id.name, id.kind));
        let later = later.into_iter().filter_map(|(_, id)| {
            let settings = self.routes.get(id)?.settings.clone();
            Some(self.said_by(id.clone(), settings))
        });
        policies.sort_by(|one, other| one.age().cmp(&other.age()));
        let policies = policies
            .into_iter()
            .map(|policy| self.said_by(policy.id, policy.rules.settings.clone()));
        policies
            .chain(said.into_iter().map(|(_, said)| said))
            .chain(later)
            .collect()
    }

    fn said_by(&self, by: ObjectId, settings: Settings) -> Said {
        let object = self.objects.get(&by).map(Object::metadata);
        let annotations = object.and_then(|metadata| metadata.annotations.as_ref());
        let pausing = annotations.into_iter().flatten();
        let pausing = pausing
            .filter(|(key, _)| wakegate_api::scaled_object::PAUSING.contains(&key.as_str()))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        Said {
            by,
            settings,
            pausing,
        }
    }
}

/// What holds of all that is said of `workload`, and who loses by it.
pub(super) fn merge(workload: &str, said: &[Said], findings: &mut Vec<Finding>) -> Scaling {
    let mut merge = Merge {
        workload,
        said,
        findings,
    };
    let min = merge.first("min-replicas", |said| said.min_replicas);
    let max = merge.first("max-replicas", |said| said.max_replicas);
    let cooldown = merge.first("cooldown", |said| said.cooldown);
    let cooldown = cooldown.map_or(COOLDOWN, |(_, cooldown)| cooldown);
    let initial = merge.first("initial-cooldown", |said| said.initial_cooldown);
    let concurrency = merge.first("target-concurrency", |said| said.target_concurrency);
    let rate = merge.first("target-rate", |said| said.target_rate);
    let window = merge.first("rate-window", |said| said.rate_window);
    let paused = merge.first("paused", |said| said.paused);
    let by = merge.first("scaled-object", |said| said.scaled_object);
    let is_paused = paused.is_some_and(|(_, paused)| paused);
    let min_replicas = min.map_or(0, |(_, min)| min);
    let max_replicas = max.map_or(MAX_REPLICAS.max(min_replicas), |(_, max)| max);
    if let (Some((low, _)), Some((high, _))) = (min, max)
        && max_replicas < min_replicas
    {
        let reason =
            format!("{max_replicas} is below the {min_replicas} that {low} asks for at least");
        merge.lose(high, "max-replicas", &reason);
    }
    Scaling {
        min_replicas,
        max_replicas: max_replicas.max(min_replicas),
        cooldown,
        initial_cooldown: initial.map_or(cooldown, |(_, initial)| initial),
        targets: targets_of(
            concurrency.map(|(_, concurrency)| concurrency),
            rate.map(|(_, rate)| rate),
            window.map_or(RATE_WINDOW, |(_, window)| window),
        ),
        is_paused,
        is_external: by.is_some_and(|(_, by)| by == ScaledObjectBy::External),
        pausing: pausing(said, is_paused),
    }
}

/// The workload that is named for a Service.
pub(super) fn target(
    service: &str,
    said: &[Said],
    findings: &mut Vec<Finding>,
) -> Option<wakegate_api::ScaleTarget> {
    let mut merge = Merge {
        workload: service,
        said,
        findings,
    };
    let named = merge.first("scale-target", |said| said.scale_target.clone().map(Shown));
    named.map(|(_, Shown(target))| target)
}

fn pausing(said: &[Said], is_paused: bool) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for (key, value) in said.iter().flat_map(|said| &said.pausing) {
        all.entry(key.clone()).or_insert_with(|| value.clone());
    }
    if is_paused {
        let paused = wakegate_api::scaled_object::PAUSED.to_owned();
        all.insert(paused, true.to_string());
    }
    all
}

fn targets_of(concurrency: Option<f64>, rate: Option<f64>, window: Duration) -> v1::Targets {
    let concurrency = match rate {
        Some(_) => concurrency.unwrap_or_default(),
        None => concurrency.unwrap_or(CONCURRENCY),
    };
    v1::Targets {
        concurrency,
        rate: rate.unwrap_or_default(),
        rate_window_ms: u64::try_from(window.as_millis()).unwrap_or(u64::MAX),
        // A target rate is per second.
        rate_granularity_ms: 1_000,
    }
}

struct Merge<'a, 'f> {
    workload: &'a str,
    said: &'a [Said],
    findings: &'f mut Vec<Finding>,
}

impl<'a> Merge<'a, '_> {
    /// The first who says it wins; who says something else is told.
    fn first<T: PartialEq + fmt::Debug>(
        &mut self,
        name: &str,
        get: impl Fn(&Settings) -> Option<T>,
    ) -> Option<(&'a ObjectId, T)> {
        let mut all = self
            .said
            .iter()
            .filter_map(|said| Some((&said.by, get(&said.settings)?)));
        let (winner, value) = all.next()?;
        let losers: Vec<_> = all.filter(|(_, other)| *other != value).collect();
        for (loser, other) in losers {
            let reason = format!("{other:?} is not in force: {winner} says {value:?}");
            self.lose(loser, name, &reason);
        }
        Some((winner, value))
    }

    fn lose(&mut self, loser: &ObjectId, name: &str, reason: &str) {
        let field = if loser.kind == Kind::WakePolicy {
            format!("spec.scale.{}", field_of(name))
        } else {
            format!("metadata.annotations[{PREFIX}{name}]")
        };
        let reason = format!(
            "for {} {reason}; say it once or say the same",
            self.workload
        );
        let finding = Finding::new(loser, field, reason).with(Code::Conflicted);
        self.findings.push(finding);
    }
}

/// The field of a policy that says what an annotation says.
fn field_of(annotation: &str) -> String {
    if annotation == "scale-target" {
        return "target".to_owned();
    }
    let mut words = annotation.split('-');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |field, word| {
        let (head, tail) = word.split_at_checked(1).unwrap_or((word, ""));
        format!("{field}{}{tail}", head.to_ascii_uppercase())
    })
}

/// Shown as it is written.
#[derive(PartialEq)]
struct Shown(wakegate_api::ScaleTarget);

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
