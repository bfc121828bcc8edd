//! What went wrong with a watch.

use std::{error::Error, fmt::Write as _, time::Duration};

use kube::runtime::watcher;

/// What went wrong, as far as something follows from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The server does not have the kind.
    Missing,
    /// The server may not tell us.
    Forbidden {
        /// What was asked for.
        verb: &'static str,
    },
    /// The server answered with another error.
    Refused {
        /// What was asked for.
        verb: &'static str,
        /// What it said.
        reason: String,
    },
    /// There is no server.
    Unreachable {
        /// Why not.
        reason: String,
    },
    /// A watch ended as watches do: a server that goes down, a version that is too old.
    Cut,
}

impl Trouble {
    /// The longest wait before the next attempt.
    pub(super) fn limit(&self) -> Duration {
        match self {
            // Nothing is asked of anybody: what is held waits for the next attempt.
            Self::Unreachable { .. } | Self::Cut => Duration::from_secs(2),
            Self::Missing => Duration::from_secs(5),
            Self::Forbidden { .. } | Self::Refused { .. } => Duration::from_secs(10),
        }
    }
}

impl From<&watcher::Error> for Trouble {
    fn from(error: &watcher::Error) -> Self {
        match error {
            watcher::Error::InitialListFailed(error) => of_request("list", error),
            watcher::Error::WatchStartFailed(error) => of_request("watch", error),
            watcher::Error::WatchError(status) => of_status("watch", status),
            watcher::Error::WatchFailed(_) => Self::Cut,
            watcher::Error::NoResourceVersion => Self::Refused {
                verb: "list",
                reason: error.to_string(),
            },
        }
    }
}

fn of_request(verb: &'static str, error: &kube::Error) -> Trouble {
    if let kube::Error::Api(status) = error {
        return of_status(verb, status);
    }
    let reason = with_causes(error);
    let is_away = matches!(
        error,
        kube::Error::Service(_) | kube::Error::HyperError(_) | kube::Error::ReadEvents(_)
    );
    if is_away {
        return Trouble::Unreachable { reason };
    }
    // A token that cannot be read, an answer that is no JSON.
    Trouble::Refused { verb, reason }
}

fn of_status(verb: &'static str, status: &kube::core::Status) -> Trouble {
    match status.code {
        404 => Trouble::Missing,
        403 => Trouble::Forbidden { verb },
        410 => Trouble::Cut,
        code => Trouble::Refused {
            verb,
            reason: format!("{code} {}: {}", status.reason, status.message),
        },
    }
}

fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    fn of(code: u16) -> Trouble {
        let status = Status::failure("no such thing", "Reason").with_code(code);
        let error = kube::Error::Api(status.boxed());
        Trouble::from(&watcher::Error::InitialListFailed(error))
    }

    #[test]
    fn what_the_server_says_counts() {
        assert_eq!(of(404), Trouble::Missing);
        assert_eq!(of(403), Trouble::Forbidden { verb: "list" });
        assert_eq!(of(410), Trouble::Cut);
        let reason = "503 Reason: no such thing".to_owned();
        let verb = "list";
        assert_eq!(of(503), Trouble::Refused { verb, reason });
    }

    #[test]
    fn a_server_that_is_away_is_asked_more_often_than_one_that_refuses() {
        let away = Trouble::Unreachable {
            reason: String::new(),
        };
        assert!(away.limit() < of(403).limit());
    }
}
