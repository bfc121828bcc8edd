//! Where objects come from. Both ways fill one [`Objects`](super::objects::Objects).

pub(crate) mod cluster;
pub(crate) mod files;

/// Something that could not be read: a report of the rest says less than it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// A file, or a kind with its namespace.
    pub what: String,
    /// Why not.
    pub reason: String,
}
