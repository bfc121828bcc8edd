//! The traffic: hot through two Envoys at once, and held.

pub(crate) mod held;
pub(crate) mod hot;
pub(crate) mod turns;
pub(crate) mod wake;
