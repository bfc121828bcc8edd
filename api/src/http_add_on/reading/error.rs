//! What is wrong with an object.

use std::{fmt::Display, ops::RangeInclusive};

use thiserror::Error;

use crate::GoDurationError;

/// A field that cannot be read. The whole object is not taken then: its parts may lean on each other.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{field}: {problem}")]
pub struct ReadError {
    /// Its path, such as `spec.timeouts.readiness`.
    pub field: String,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with a field, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Problem {
    /// A port by its number and by its name.
    #[error("port and portName are both there: remove one")]
    TwoPorts,
    /// A port by neither.
    #[error("the port of the Service is missing: set port or portName")]
    NoPort,
    /// A text that says something by being there, and is empty.
    #[error("it is empty: write a name, or remove it")]
    Empty,
    /// A number beyond its bounds.
    #[error("{value} is not from {least} to {most}: write a number within")]
    OutOfRange {
        /// As it stands there.
        value: i64,
        /// The smallest that may be.
        least: i64,
        /// The largest that may be.
        most: i64,
    },
    /// A text that is no duration.
    #[error(transparent)]
    Duration(#[from] GoDurationError),
    /// A duration that something is divided by or averaged over.
    #[error("it is zero: write a duration above, such as 1s")]
    Zero,
    /// A text that is none of a few.
    #[error("{value:?} is none of {}", .known.join(", "))]
    Unknown {
        /// As it stands there.
        value: String,
        /// What may stand there.
        known: &'static [&'static str],
    },
    /// An InterceptorRoute that scales by nothing.
    #[error("there is nothing to scale by: set concurrency, requestRate or both")]
    NoMetric,
    /// An HTTPScaledObject that scales by two things.
    #[error("an HTTPScaledObject scales by one of concurrency and requestRate: remove one")]
    TwoMetrics,
    /// A cold start of which nothing is said.
    #[error("it says nothing: set fallback, placeholder or maxPendingRequests, or remove it")]
    NothingSaid,
    /// No placeholder for the requests that there is no room for.
    #[error("Placeholder needs an answer: set coldStart.placeholder, or write Reject")]
    NoPlaceholder,
    /// An answer with two bodies.
    #[error("body and bodyFromConfigMap are both there: remove one")]
    TwoBodies,
    /// A body that should not stand in an object.
    #[error(
        "it has {n_chars} characters, and at most {most} may be: put it into a ConfigMap and set bodyFromConfigMap"
    )]
    BodyTooLong {
        /// So many it has.
        n_chars: usize,
        /// So many it may have.
        most: usize,
    },
    /// A static route for no requests.
    #[error("there are no rules: write one, {{}} for every request")]
    NoRules,
    /// One header, asked for twice.
    #[error("{name:?} is there twice: remove one")]
    TwiceTheHeader {
        /// Its name.
        name: String,
    },
    /// More replicas at the least than at the most.
    #[error("{min} is above replicas.max, which is {max}: lower it, or raise replicas.max")]
    MinAboveMax {
        /// The least.
        min: u32,
        /// The most.
        max: u32,
    },
    /// A session's age of less than a second.
    #[error("it is shorter than 1s: write 1s or more, or remove it")]
    BelowASecond,
    /// A name of a cookie with characters that none may have.
    #[error("{name:?} is no name of a cookie: 1 to 256 letters, digits and !#$%&'*+-.^_`|~")]
    CookieName {
        /// As it stands there.
        name: String,
    },
}

impl ReadError {
    pub(super) fn new(field: impl Display, problem: impl Into<Problem>) -> Self {
        Self {
            field: field.to_string(),
            problem: problem.into(),
        }
    }
}

/// A result with the field that it is about.
pub(super) fn at<T>(
    field: impl Display,
    result: Result<T, impl Into<Problem>>,
) -> Result<T, ReadError> {
    result.map_err(|problem| ReadError::new(field, problem))
}

/// A number within bounds, in the type that has them.
pub(super) fn within<T: TryFrom<i64>>(
    field: impl Display,
    value: i64,
    bounds: RangeInclusive<i64>,
) -> Result<T, ReadError> {
    let (least, most) = (*bounds.start(), *bounds.end());
    let number = bounds.contains(&value).then_some(value);
    let number = number.and_then(|value| T::try_from(value).ok());
    number.ok_or_else(|| ReadError::new(field, Problem::OutOfRange { value, least, most }))
}

/// A text that says something.
pub(super) fn not_empty(field: impl Display, text: &str) -> Result<String, ReadError> {
    if text.is_empty() {
        return Err(ReadError::new(field, Problem::Empty));
    }
    Ok(text.to_owned())
}
