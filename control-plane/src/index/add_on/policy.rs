//! How the requests of an InterceptorRoute or HTTPScaledObject are held, and what is answered meanwhile.

use std::{sync::Arc, time::Duration};

use wakegate_api::{
    HOLD_TIMEOUT,
    http_add_on::{Reading, ResponseMode, StaticAnswer, Timeout},
};
use wakegate_core::{ColdStartHeader, Placeholder, Policy, RequestMatch, StaticRoute};

use super::{
    answer::{self, Room},
    encoded, read_header, read_hosts,
};
use crate::index::reader::Reader;

/// What a placeholder and a static route have for a status where nobody says.
const PLACEHOLDER_STATUS: u16 = 503;
const STATIC_STATUS: u16 = 200;

/// What the object says, and our defaults where it says nothing: with the add-on a hold without a time-out never
/// ends.
pub(super) fn read(reader: &mut Reader<'_>, reading: &Reading) -> Arc<Policy> {
    let default = Policy::default();
    let hold_timeout = match reading.timeouts.readiness {
        Some(Timeout::After(timeout)) => timeout,
        Some(Timeout::Off) => *HOLD_TIMEOUT.end(),
        None => default.hold_timeout,
    };
    let cold_start = &reading.cold_start;
    let n_routes = reading.requests.iter().map(|it| it.path_prefixes.len());
    let mut room = Room::of(n_routes.sum());
    let placeholder = cold_start.placeholder.as_ref().map(|response| {
        let field = "spec.coldStart.placeholder.response";
        Placeholder {
            answer: answer::read(reader, (field, response), PLACEHOLDER_STATUS, &mut room),
            overflow_only: cold_start.holds(),
        }
    });
    Arc::new(Policy {
        hold_timeout: bounded(reader, hold_timeout),
        max_held: cold_start
            .max_pending
            .map_or(default.max_held, std::num::NonZeroU32::get),
        cold_start_header: ColdStartHeader::KedaHttp,
        request_timeout: match reading.timeouts.request {
            Some(Timeout::After(timeout)) => Some(timeout),
            Some(Timeout::Off) | None => None,
        },
        placeholder,
        static_routes: static_routes(reader, &reading.static_answers, &mut room),
        ..default
    })
}

fn bounded(reader: &mut Reader<'_>, timeout: Duration) -> Duration {
    let (least, most) = (*HOLD_TIMEOUT.start(), *HOLD_TIMEOUT.end());
    if timeout > most {
        let reason = format!("nothing is held for longer than {most:?}");
        reader.find("spec.timeouts", reason);
    }
    timeout.clamp(least, most)
}

fn static_routes(
    reader: &mut Reader<'_>,
    answers: &[StaticAnswer],
    room: &mut Room,
) -> Vec<StaticRoute> {
    let mut routes = Vec::new();
    for (at, said) in answers.iter().enumerate() {
        let field = format!("spec.staticRoutes[{at}]");
        if at == StaticRoute::MAX {
            let reason = format!(
                "there are {}, and {} count at most",
                answers.len(),
                StaticRoute::MAX
            );
            reader.find(&field, reason);
            break;
        }
        let requests = said.requests.iter().filter_map(|requests| {
            Some(RequestMatch {
                hosts: read_hosts(reader, &format!("{field}.rules"), &requests.hosts)?,
                path_prefixes: requests
                    .path_prefixes
                    .iter()
                    .map(|path| encoded(path))
                    .collect(),
                headers: requests.headers.iter().map(read_header).collect(),
            })
        });
        let requests: Vec<RequestMatch> = requests.collect();
        // No requests at all would be every one.
        if requests.is_empty() {
            continue;
        }
        let response = format!("{field}.response");
        routes.push(StaticRoute {
            requests,
            answer: answer::read(reader, (&response, &said.response), STATIC_STATUS, room),
            always: said.mode == ResponseMode::Always,
        });
    }
    routes
}
