//! An answer of an InterceptorRoute, with the text of the ConfigMap that it names -> what a filter sends.

use std::{collections::BTreeMap, sync::Arc};

use wakegate_api::http_add_on::{self, RESPONSE_BODY_LABEL, Response, YES};
use wakegate_core::{Body, File, StaticAnswer};

use super::content_type;
use crate::{
    index::reader::Reader,
    object::{ConfigMapObject, Kind, Object, ObjectId},
};

/// Bytes that the bodies of one object may take in an update: each of its routes carries them all.
const MAX_BYTES: usize = 16 << 20;

/// What is left of the bytes that the bodies of one object may have.
#[derive(Debug)]
pub(super) struct Room {
    n_bytes: usize,
    n_routes: usize,
}

impl Room {
    /// For an object with so many routes.
    pub(super) fn of(n_routes: usize) -> Self {
        let each = MAX_BYTES / n_routes.max(1);
        Self {
            n_bytes: each.min(StaticAnswer::MAX_BODY_BYTES),
            n_routes,
        }
    }

    fn take(&mut self, body: &Body) -> Result<(), String> {
        let n_bytes = match body {
            Body::Text(text) => text.len(),
            Body::ByPath(files) => files.values().map(|file| file.text.len()).sum(),
        };
        let left = self.n_bytes.checked_sub(n_bytes).ok_or_else(|| {
            let (n_left, n_routes) = (self.n_bytes, self.n_routes);
            format!(
                "a body of {n_bytes} bytes, where {n_left} are left of what all bodies of an object with {n_routes} \
                 routes may have"
            )
        })?;
        self.n_bytes = left;
        Ok(())
    }
}

/// What is sent for the answer at a field. What cannot be sent is found, and a client gets what it gets of the add-on
/// then.
pub(super) fn read(
    reader: &mut Reader<'_>,
    (field, response): (&str, &Response),
    default_status: u16,
    room: &mut Room,
) -> Arc<StaticAnswer> {
    let Response {
        status,
        body,
        headers,
    } = response;
    let (body, content_type) = match read_body(reader, body) {
        Ok(read) => read,
        Err(reason) => {
            let field = format!("{field}.bodyFromConfigMap");
            reader.find(
                &field,
                format!("{reason}; requests are answered with a 500"),
            );
            return Arc::new(failure());
        }
    };
    let mut answer = StaticAnswer {
        status: read_status(reader, field, *status, default_status),
        headers: read_headers(reader, field, headers),
        body,
    };
    let mut names = answer.headers.iter().map(|(name, _)| name);
    let is_said = names.any(|name| name.eq_ignore_ascii_case(CONTENT_TYPE));
    if let Some(kind) = content_type.filter(|_| !is_said) {
        answer
            .headers
            .push((CONTENT_TYPE.to_owned(), kind.to_owned()));
    }
    let checked = answer.check().map_err(|error| error.to_string());
    if let Err(error) = checked.and_then(|()| room.take(&answer.body)) {
        reader.find(field, format!("{error}; requests are answered with a 500"));
        answer = failure();
    }
    Arc::new(answer)
}

const CONTENT_TYPE: &str = "content-type";

fn failure() -> StaticAnswer {
    StaticAnswer {
        status: 500,
        headers: Vec::new(),
        body: Body::Text("Internal Server Error\n".to_owned()),
    }
}

fn read_status(reader: &mut Reader<'_>, field: &str, status: u16, default: u16) -> u16 {
    if status >= 200 {
        return status;
    }
    let reason = format!("{status} does not end a request: it is {default} instead");
    reader.find(&format!("{field}.statusCode"), reason);
    default
}

/// Those that Envoy can send.
fn read_headers(
    reader: &mut Reader<'_>,
    field: &str,
    headers: &BTreeMap<String, String>,
) -> Vec<(String, String)> {
    let mut read = Vec::new();
    for (name, value) in headers {
        let header = (name.clone(), value.clone());
        let alone = StaticAnswer {
            headers: vec![header.clone()],
            ..failure()
        };
        match alone.check() {
            Ok(()) => read.push(header),
            Err(error) => reader.find(
                &format!("{field}.headers"),
                format!("{error}; it is left out"),
            ),
        }
    }
    read
}

/// The body, and its content type where there is one for all requests.
fn read_body(
    reader: &mut Reader<'_>,
    body: &http_add_on::Body,
) -> Result<(Body, Option<&'static str>), String> {
    let (name, key) = match body {
        http_add_on::Body::Text(text) => {
            let kind = content_type::of_text(text);
            return Ok((Body::Text(text.clone()), kind));
        }
        http_add_on::Body::ConfigMap { name, key } => (name, key),
    };
    let namespace = Arc::clone(&reader.id().namespace);
    let id = ObjectId::new(Kind::ConfigMap, namespace, name.as_str());
    reader.follows().insert(id.clone());
    let Some(Object::ConfigMap(object)) = reader.objects().get(&id) else {
        return Err(format!(
            "there is no {id} with the label {RESPONSE_BODY_LABEL}: \"{YES}\""
        ));
    };
    let ConfigMapObject { metadata: _, data } = &**object;
    let Some(key) = key else {
        let files = data.iter().map(|(name, text)| {
            let kind = content_type::of_name(name).or_else(|| content_type::of_text(text));
            let (content_type, text) = (kind.map(str::to_owned), text.clone());
            (name.clone(), File { content_type, text })
        });
        return Ok((Body::ByPath(files.collect()), None));
    };
    let text = data.get(key);
    let text = text.ok_or_else(|| format!("{id} has no {key:?} in its data"))?;
    let kind = content_type::of_name(key).or_else(|| content_type::of_text(text));
    Ok((Body::Text(text.clone()), kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_all_routes_of_an_object_carry_together_is_bounded() {
        let text = |n_bytes| Body::Text("x".repeat(n_bytes));
        let mut room = Room::of(1);
        assert_eq!(room.take(&text(600_000)), Ok(()));
        assert!(room.take(&text(600_000)).is_err());
        assert_eq!(room.take(&text(400_000)), Ok(()));
        assert!(Room::of(1_000).take(&text(20_000)).is_err());
    }
}
