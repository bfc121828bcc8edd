//! What a target is.

use std::path::PathBuf;

use crate::Form;

/// Something that reads bytes of others.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, which is also that of its folder in `corpus`.
    pub name: &'static str,
    /// What its inputs are.
    pub form: Form,
    /// Reads an input; an error says which property does not hold.
    pub run: fn(&[u8]) -> Result<Outcome, String>,
    /// Inputs that are well.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// What kind of an input one was: those of a new kind are worth going on from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Outcome(u64);

impl Target {
    /// The folder of the inputs that are kept.
    pub fn corpus(&self) -> PathBuf {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/corpus");
        PathBuf::from(folder).join(self.name)
    }
}

impl Outcome {
    /// The kind of what a text says, whatever the numbers and quotations in it.
    pub fn of(text: &str) -> Self {
        let mut is_quoted = false;
        let kept = text.chars().filter(|c| {
            is_quoted ^= matches!(c, '"' | '`');
            !is_quoted && c.is_ascii_alphabetic()
        });
        // FNV-1a.
        let hash = kept.take(200).fold(0xcbf2_9ce4_8422_2325_u64, |hash, c| {
            (hash ^ u64::from(c)).wrapping_mul(0x100_0000_01b3)
        });
        Self(hash)
    }

    /// The kind of what this and so many of something say.
    #[must_use]
    pub fn with(self, n: usize) -> Self {
        // By powers of two: seven routes are nothing new after six.
        let size = u64::from(n.checked_ilog2().map_or(0, |log| log + 1));
        Self(
            self.0
                .rotate_left(9)
                .wrapping_add(size)
                .wrapping_mul(0x100_0000_01b3),
        )
    }
}
