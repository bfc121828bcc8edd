//! Certificates for tests: authorities, what they sign for the parts of Wakegate, folders that change as a mounted
//! Secret does, and connections of a test's own.

mod authority;
mod certificates;
mod identity;
mod leak;
mod link;
mod mount;

pub use authority::{Authority, Role};
pub use certificates::Certificates;
pub use identity::Identity;
pub use link::Link;
pub use mount::Mount;
