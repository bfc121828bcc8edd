//! Requests of one session at one pod.

#![expect(
    unreachable_pub,
    reason = "KubeSchema copies each type into a function"
)]

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::GoDuration;

/// The characters of a cookie's name: RFC 6265 has RFC 9110's token.
const TOKEN: &str = "^[-!#$%&'*+.^_`|~0-9A-Za-z]+$";

/// Requests of one session go to one pod, after Gateway API's GEP-1619.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.type == 'Cookie' || !has(self.cookie)")
    .message("only a session of type Cookie has one: remove cookie"))]
pub struct SessionPersistence {
    /// How a session is known: `Cookie`.
    #[schemars(extend("enum" = ["Cookie"]))]
    pub r#type: String,
    /// The age at which a session gets a pod anew, `1s` or more, as Go writes durations; none where it is not
    /// said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("duration(self) >= duration('1s')")
        .message("must be a duration of 1s or more, such as 30m"))]
    pub absolute_timeout: Option<GoDuration>,
    /// The cookie.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("minProperties" = 1))]
    pub cookie: Option<SessionCookie>,
}

/// The cookie by which a session is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionCookie {
    /// Its name; one that is the route's own where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256), regex(pattern = TOKEN))]
    pub name: Option<String>,
}
