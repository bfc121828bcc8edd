//! What Wakegate reads from Kubernetes objects by rules of its own: the annotations `wakegate.dev/…`,
//! the objects of the KEDA HTTP add-on, and the little of KEDA's ScaledObject that matters here. No I/O; the
//! control plane asks.

pub mod annotations;
mod bounds;
mod duration;
mod go_duration;
pub mod http_add_on;
mod known_fields;
mod plain_schema;
pub mod scaled_object;
pub mod wake_policy;

pub use self::annotations::{AnnotationError, Overflow, ScaleTarget, Settings};
pub use self::bounds::HOLD_TIMEOUT;
pub use self::duration::parse_duration;
pub use self::go_duration::{GoDuration, GoDurationError};
pub use self::known_fields::{KnownFields, UnknownField};
pub use self::scaled_object::ScaledObject;
pub use self::wake_policy::{WakePolicy, WakePolicySpec};
