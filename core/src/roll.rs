//! How many workers a proxy has, by a list that all of them sign: a control plane knows those that are with it, and
//! they may be spread over several.

use std::time::Duration;

/// A worker that has not signed for so long is gone. Each signs once a second.
const GONE: Duration = Duration::from_secs(5);

/// Entries that are kept: more than there are workers in one process.
const MAX_ENTRIES: usize = 1_024;

/// Ordinal and second, in four bytes each.
const ENTRY_BYTES: usize = 8;

/// The list with the worker `ordinal` signed in, and how many are in it. What of `roll` is no entry is passed over.
pub fn sign_roll(roll: &[u8], ordinal: u32, now: Duration) -> (Vec<u8>, u32) {
    let now = second(now);
    let (entries, _) = roll.as_chunks::<ENTRY_BYTES>();
    let is_there = |entry: &&[u8; ENTRY_BYTES]| {
        let (other, at) = read(**entry);
        // Clocks may step, and each worker has its own.
        other != ordinal && u64::from(at.abs_diff(now)) <= GONE.as_secs()
    };
    let others = entries.iter().filter(is_there).take(MAX_ENTRIES - 1);
    let own = write(ordinal, now);
    let all: Vec<[u8; ENTRY_BYTES]> = others.copied().chain([own]).collect();
    let n_workers = u32::try_from(all.len()).unwrap_or(u32::MAX);
    (all.concat(), n_workers)
}

fn second(now: Duration) -> u32 {
    // Of a number that is only compared with others of the same age.
    u32::try_from(now.as_secs() & u64::from(u32::MAX)).unwrap_or_default()
}

fn write(ordinal: u32, at: u32) -> [u8; ENTRY_BYTES] {
    let both = (u64::from(ordinal) << 32) | u64::from(at);
    both.to_be_bytes()
}

fn read(entry: [u8; ENTRY_BYTES]) -> (u32, u32) {
    let both = u64::from_be_bytes(entry);
    let low = u32::try_from(both & u64::from(u32::MAX)).unwrap_or_default();
    (u32::try_from(both >> 32).unwrap_or_default(), low)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Duration {
        Duration::from_secs(1_800_000_000 + secs)
    }

    #[test]
    fn who_signs_is_counted_once_and_who_does_not_any_more_is_gone() {
        let (mut roll, mut n_workers) = (Vec::new(), 0);
        for second in 0..3 {
            for worker in [1, 2, 3] {
                (roll, n_workers) = sign_roll(&roll, worker, at(second));
            }
        }
        assert_eq!(n_workers, 3);
        (roll, n_workers) = sign_roll(&roll, 2, at(7));
        assert_eq!(n_workers, 3);
        (roll, n_workers) = sign_roll(&roll, 2, at(8));
        assert_eq!(n_workers, 1);
        assert_eq!(sign_roll(&roll, 7, at(8)).1, 2);
    }

    #[test]
    fn a_clock_that_steps_back_drops_who_is_far_ahead() {
        let (roll, _) = sign_roll(&[], 1, at(100));
        assert_eq!(sign_roll(&roll, 2, at(97)).1, 2);
        assert_eq!(sign_roll(&roll, 2, at(50)).1, 1);
    }

    #[test]
    fn garbage_is_passed_over_and_the_list_has_an_end() {
        assert_eq!(sign_roll(b"garbage", 1, at(0)).1, 1);
        let mut roll = Vec::new();
        for worker in 0..2_000 {
            roll = sign_roll(&roll, worker, at(0)).0;
        }
        assert_eq!(roll.len(), MAX_ENTRIES * ENTRY_BYTES);
    }
}
