//! Static answers and the routes that have them, both ways.

use std::{collections::BTreeMap, sync::Arc};

use wakegate_core::{
    Body, File, HeaderMatch, HostMatch, Placeholder, RequestMatch, StaticAnswer, StaticAnswerError,
    StaticRoute,
};

use super::{
    name,
    route::{header_match, host_match, host_text},
};
use crate::{DecodeError, v1};

impl From<&Placeholder> for v1::Placeholder {
    fn from(placeholder: &Placeholder) -> Self {
        let Placeholder {
            answer,
            overflow_only,
        } = placeholder;
        Self {
            answer: Some(v1::StaticAnswer::from(answer.as_ref())),
            overflow_only: *overflow_only,
        }
    }
}

pub(super) fn placeholder(
    of: &str,
    placeholder: v1::Placeholder,
) -> Result<Placeholder, DecodeError> {
    let of = format!("{of}: policy.placeholder");
    Ok(Placeholder {
        answer: static_answer(&of, placeholder.answer)?,
        overflow_only: placeholder.overflow_only,
    })
}

impl From<&StaticRoute> for v1::StaticRoute {
    fn from(route: &StaticRoute) -> Self {
        let StaticRoute {
            requests,
            answer,
            always,
        } = route;
        Self {
            requests: requests.iter().map(v1::RequestMatch::from).collect(),
            answer: Some(v1::StaticAnswer::from(answer.as_ref())),
            always: *always,
        }
    }
}

pub(super) fn static_routes(
    of: &str,
    routes: Vec<v1::StaticRoute>,
) -> Result<Vec<StaticRoute>, DecodeError> {
    if routes.len() > StaticRoute::MAX {
        return Err(DecodeError::Value {
            of: of.to_owned(),
            field: "policy.static_routes",
            value: format!("{} routes", routes.len()),
            expected: "at most 100 are allowed",
        });
    }
    let routes = routes.into_iter().enumerate();
    let routes = routes.map(|(number, route)| {
        let of = format!("{of}: policy.static_routes[{number}]");
        let requests = route.requests.into_iter();
        let requests = requests.map(|request| request_match(&of, request));
        Ok(StaticRoute {
            requests: requests.collect::<Result<_, _>>()?,
            answer: static_answer(&of, route.answer)?,
            always: route.always,
        })
    });
    routes.collect()
}

impl From<&RequestMatch> for v1::RequestMatch {
    fn from(request: &RequestMatch) -> Self {
        let RequestMatch {
            hosts,
            path_prefixes,
            headers,
        } = request;
        Self {
            hosts: hosts.iter().map(host_text).collect(),
            single_label_wildcards: hosts
                .iter()
                .any(|host| matches!(host, HostMatch::SingleLabel(_))),
            path_prefixes: path_prefixes.clone(),
            headers: headers.iter().map(v1::HeaderMatch::from).collect(),
        }
    }
}

fn request_match(of: &str, request: v1::RequestMatch) -> Result<RequestMatch, DecodeError> {
    let single_label = request.single_label_wildcards;
    let hosts = request.hosts.into_iter();
    let hosts = hosts.map(|host| host_match(of, host, single_label));
    let headers = request.headers.into_iter();
    let headers = headers.map(|header| header_match(of, header));
    Ok(RequestMatch {
        hosts: hosts.collect::<Result<_, _>>()?,
        path_prefixes: request.path_prefixes,
        headers: headers.collect::<Result<Vec<HeaderMatch>, _>>()?,
    })
}

impl From<&StaticAnswer> for v1::StaticAnswer {
    fn from(answer: &StaticAnswer) -> Self {
        let StaticAnswer {
            status,
            headers,
            body,
        } = answer;
        let headers = headers.iter().map(|(name, value)| v1::Header {
            name: name.clone(),
            value: value.clone(),
        });
        let body = match body {
            Body::Text(text) => v1::static_answer::Body::Text(text.clone()),
            Body::ByPath(files) => v1::static_answer::Body::ByPath(v1::Files {
                files: files.iter().map(to_file).collect(),
            }),
        };
        Self {
            status: u32::from(*status),
            headers: headers.collect(),
            body: Some(body),
        }
    }
}

fn to_file((path, file): (&String, &File)) -> v1::File {
    v1::File {
        path: path.clone(),
        content_type: file.content_type.clone(),
        text: file.text.clone(),
    }
}

fn static_answer(
    of: &str,
    answer: Option<v1::StaticAnswer>,
) -> Result<Arc<StaticAnswer>, DecodeError> {
    let Some(answer) = answer else {
        return Err(DecodeError::missing(of, "answer"));
    };
    let refused = |source| DecodeError::StaticAnswer {
        of: of.to_owned(),
        source,
    };
    let status = u16::try_from(answer.status);
    let headers = answer.headers.into_iter();
    let answer = StaticAnswer {
        status: status.map_err(|_| refused(StaticAnswerError::Status(answer.status)))?,
        headers: headers.map(|header| (header.name, header.value)).collect(),
        body: match answer.body {
            None => Body::Text(String::new()),
            Some(v1::static_answer::Body::Text(text)) => Body::Text(text),
            Some(v1::static_answer::Body::ByPath(files)) => Body::ByPath(by_path(of, files.files)?),
        },
    };
    answer.check().map_err(refused)?;
    Ok(Arc::new(answer))
}

fn by_path(of: &str, files: Vec<v1::File>) -> Result<BTreeMap<String, File>, DecodeError> {
    let mut by_path = BTreeMap::new();
    for file in files {
        name(of, "answer.by_path.path", &file.path)?;
        let v1::File {
            path,
            content_type,
            text,
        } = file;
        if by_path.contains_key(&path) {
            return Err(DecodeError::Value {
                of: of.to_owned(),
                field: "answer.by_path.path",
                value: path,
                expected: "which is there already",
            });
        }
        by_path.insert(path, File { content_type, text });
    }
    Ok(by_path)
}
