//! The end-to-end harness: the real programs on real sockets, and what a test needs to drive and
//! watch them. It knows Wakegate from outside only: flags, files, ports and protocols.

pub mod sample;
