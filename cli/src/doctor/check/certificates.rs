//! Whether the certificates that Wakegate's parts show each other are good, and will be.

use super::{Context, Found};
use crate::doctor::{
    certificate::{AUTHORITIES, OWN, Standing, Term, is_ours, mounted, shown, terms},
    objects::{Object, SECRET},
    rules::installation::{
        CERTIFICATE_ENDED, CERTIFICATE_ENDS, CERTIFICATE_UNREADABLE, CERTIFICATE_UNSEEN,
    },
};

/// What the own authority writes on its Secrets.
const GENERATED: &str = "wakegate.dev/generated";

pub(super) fn check(context: &Context<'_>, found: &mut Found) {
    let mounted = mounted(context.objects);
    for secret in context.objects.all(SECRET) {
        let place = (secret.id.namespace.clone(), secret.id.name.clone());
        if is_ours(secret) || mounted.contains(&place) {
            for key in [OWN, AUTHORITIES] {
                of_key(secret, key, context.now, found);
            }
        }
    }
    let closed: Vec<_> = context.objects.closed().iter().map(|it| &**it).collect();
    if !closed.is_empty() {
        let facts = [("secrets", &*closed.join(", "))];
        found.cluster.push(CERTIFICATE_UNSEEN.at("", &facts));
    }
}

fn of_key(secret: &Object, key: &str, now: i64, found: &mut Found) {
    let (subject, effect) = match key {
        OWN => (
            "the certificate",
            "whoever is shown it refuses the connection",
        ),
        _ => (
            "the last authority",
            "whoever has it refuses every connection",
        ),
    };
    let Some(terms) = terms(secret, key) else {
        return;
    };
    let mut facts = vec![("effect", effect), ("fix", fix(secret))];
    let field = format!("data[{key}]");
    let term = match terms.as_deref() {
        Ok(terms) => governing(key, terms),
        Err(problem) => {
            facts.push(("problem", problem));
            found.say(&secret.id, CERTIFICATE_UNREADABLE.at(field, &facts));
            return;
        }
    };
    let Some(term) = term else {
        return;
    };
    let (rule, what) = match term.standing(now) {
        Standing::Good => return,
        Standing::NotYet => (
            &CERTIFICATE_ENDED,
            format!("{subject} begins at {} only", shown(term.start())),
        ),
        Standing::Ended => (
            &CERTIFICATE_ENDED,
            format!("{subject} ended at {}", shown(term.end())),
        ),
        Standing::EndsSoon => (
            &CERTIFICATE_ENDS,
            format!("{subject} ends at {}", shown(term.end())),
        ),
    };
    facts.push(("what", &what));
    found.say(&secret.id, rule.at(field, &facts));
}

/// Of a chain its first, which is the own one; of authorities the one that lasts longest: others may be on their way out.
fn governing<'a>(key: &str, terms: &'a [Term]) -> Option<&'a Term> {
    match key {
        OWN => terms.first(),
        _ => terms.iter().max_by_key(|it| it.end()),
    }
}

fn fix(secret: &Object) -> &'static str {
    if secret.annotations().any(|(key, _)| key == GENERATED) {
        "see why the control plane does not renew it: its log, and wakegate_control_plane_certificate_renewals_total"
    } else {
        "have it renewed by whatever wrote it; the daemons take up what is new in a mounted Secret by themselves"
    }
}
