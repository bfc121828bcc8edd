//! Bytes that Envoy hands over.
//!
//! Envoy asks the VM for memory in the middle of a host call, writes there, and says where. All of it
//! goes through one block that is used again and again: a request's headers cost no allocation.

use std::{cell::Cell, ops::Deref, ptr};

/// A block above this is given back: a whole table came through it, which is rare.
const MAX_KEPT_BYTES: usize = 64 << 10;

thread_local! {
    /// The block that is kept for the next host call.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    /// The block that Envoy writes to, until the host call returns.
    static LENT: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// What a host call returned: the first bytes of a block, until it is dropped.
#[derive(Debug, Default)]
pub(crate) struct Returned {
    block: Vec<u8>,
    size: usize,
}

/// Where Envoy may write `size` bytes; null when there is no memory, which Envoy takes for a failed call.
///
/// A block that Envoy asked for and did not use is freed here, at the next call.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_memory_allocate(size: usize) -> *mut u8 {
    let mut block = SPARE.take();
    // All of it is initialised from the first time on, so that nothing has to be cleared again.
    if let Some(missing) = size.checked_sub(block.len()) {
        if block.try_reserve_exact(missing).is_err() {
            return ptr::null_mut();
        }
        block.resize(size, 0);
    }
    let start = block.as_mut_ptr();
    LENT.set(block);
    start
}

impl Returned {
    /// What Envoy says that it wrote. Nothing else than the block that it was lent is ever read.
    pub(super) fn take(start: *const u8, size: usize) -> Self {
        let block = LENT.take();
        if start.is_null() || start != block.as_ptr() || size > block.len() {
            return Self::default();
        }
        Self { block, size }
    }
}

impl Deref for Returned {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.block.get(..self.size).unwrap_or_default()
    }
}

impl Drop for Returned {
    fn drop(&mut self) {
        if !self.block.is_empty() && self.block.len() <= MAX_KEPT_BYTES {
            SPARE.set(std::mem::take(&mut self.block));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Envoy does it.
    fn hand_over(bytes: &[u8]) -> Returned {
        let start = proxy_on_memory_allocate(bytes.len());
        let mut block = LENT.take();
        block[..bytes.len()].copy_from_slice(bytes);
        LENT.set(block);
        Returned::take(start, bytes.len())
    }

    #[test]
    fn one_block_serves_all_calls() {
        let first = hand_over(b"first");
        let at = first.as_ptr();
        drop(first);
        let second = hand_over(b"2nd");
        assert_eq!((&*second, second.as_ptr()), (b"2nd".as_slice(), at));
    }

    #[test]
    fn two_at_once_have_a_block_each() {
        let first = hand_over(b"first");
        let second = hand_over(b"second");
        assert_eq!(
            (&*first, &*second),
            (b"first".as_slice(), b"second".as_slice())
        );
    }

    #[test]
    fn a_large_block_is_not_kept() {
        drop(hand_over(&vec![1; MAX_KEPT_BYTES + 1]));
        let spare = SPARE.take();
        assert!(spare.is_empty());
    }

    #[test]
    fn what_was_not_lent_is_not_read() {
        let elsewhere = [1_u8, 2, 3];
        assert!(Returned::take(elsewhere.as_ptr(), 3).is_empty());
        let start = proxy_on_memory_allocate(4);
        assert!(Returned::take(start, 1 << 20).is_empty());
        assert!(Returned::take(ptr::null(), 0).is_empty());
    }
}
