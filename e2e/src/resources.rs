//! What a process has used: as Linux tells it.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

/// `man proc`: utime and stime of /proc/pid/stat count in hundredths of a second on every Linux that
/// we run on.
const TICK: Duration = Duration::from_millis(10);

/// V8 keeps so much address space behind the memory of a wasm module, at least, so that no access needs a
/// check of its bounds.
const WASM_GUARD: u64 = 1 << 30;

/// Processor time in user and in system mode.
pub fn cpu_time(pid: u32) -> Result<Duration> {
    cpu_of(&proc_file(pid, "stat")?)
}

/// Resident memory in bytes.
pub fn resident_bytes(pid: u32) -> Result<f64> {
    memory_of(&proc_file(pid, "status")?, "VmRSS:")
}

/// The most that its resident memory ever was, in bytes.
pub fn peak_bytes(pid: u32) -> Result<f64> {
    memory_of(&proc_file(pid, "status")?, "VmHWM:")
}

/// The resident part of the memories of wasm modules in V8, in bytes.
pub fn wasm_bytes(pid: u32) -> Result<f64> {
    Ok(wasm_of(&proc_file(pid, "smaps")?))
}

fn proc_file(pid: u32, name: &str) -> Result<String> {
    let path = format!("/proc/{pid}/{name}");
    fs::read_to_string(&path).with_context(|| format!("read {path}"))
}

fn cpu_of(stat: &str) -> Result<Duration> {
    // The name in parentheses may hold anything; utime and stime are the 12th and 13th after it.
    let fields = stat
        .rsplit_once(')')
        .context("/proc/pid/stat has a name")?
        .1;
    let ticks = fields
        .split_ascii_whitespace()
        .skip(11)
        .take(2)
        .map(str::parse::<u32>);
    let ticks: u32 = ticks
        .sum::<Result<_, _>>()
        .context("read utime and stime")?;
    Ok(TICK * ticks)
}

fn memory_of(status: &str, field: &str) -> Result<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let kib = line
        .and_then(kib)
        .with_context(|| format!("find {field}"))?;
    Ok(kib * 1024.0)
}

/// A wasm memory is a mapping that can be written, with a guard of gigabytes right behind it that cannot be
/// touched.
fn wasm_of(smaps: &str) -> f64 {
    let mut sum = 0.0;
    let mut before: Option<Mapping> = None;
    for line in smaps.lines() {
        if let Some(mapping) = Mapping::of(line) {
            if let Some(before) = before.filter(|it| it.is_writable)
                && before.end == mapping.start
                && !mapping.is_accessible
                && mapping.end - mapping.start >= WASM_GUARD
            {
                sum += before.resident;
            }
            before = Some(mapping);
        } else if let (Some(kib), Some(mapping)) =
            (line.strip_prefix("Rss:").and_then(kib), &mut before)
        {
            mapping.resident = kib * 1024.0;
        }
    }
    sum
}

/// "  1234 kB"
fn kib(text: &str) -> Option<f64> {
    text.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// One line of addresses in smaps, and what follows it.
#[derive(Debug, Clone, Copy)]
struct Mapping {
    start: u64,
    end: u64,
    is_writable: bool,
    is_accessible: bool,
    resident: f64,
}

impl Mapping {
    fn of(line: &str) -> Option<Self> {
        let (range, rest) = line.split_once(' ')?;
        let (start, end) = range.split_once('-')?;
        let rights = rest.get(..4)?;
        Some(Self {
            start: u64::from_str_radix(start, 16).ok()?,
            end: u64::from_str_radix(end, 16).ok()?,
            is_writable: rights.starts_with("rw"),
            is_accessible: !rights.starts_with("---"),
            resident: 0.0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_found_behind_any_name() {
        let stat = "42 (a (b) c) S 1 42 42 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 9 0 7";
        assert_eq!(cpu_of(stat).unwrap(), Duration::from_secs(3));
    }

    #[test]
    fn memory_is_read_in_bytes() {
        let status = "Name:\tenvoy\nVmHWM:\t  900 kB\nVmRSS:\t  512 kB\n";
        assert_eq!(memory_of(status, "VmRSS:").ok(), Some(524_288.0));
        assert_eq!(memory_of(status, "VmHWM:").ok(), Some(921_600.0));
    }

    #[test]
    fn wasm_memory_is_what_stands_before_a_guard() {
        let smaps = "\
7f0000000000-7f0000400000 rw-p 00000000 00:00 0 \n\
Size: 4096 kB\nRss: 1024 kB\n\
7f0000400000-7f0200000000 ---p 00000000 00:00 0 \n\
Size: 8384512 kB\nRss: 0 kB\n\
7f0300000000-7f0300400000 rw-p 00000000 00:00 0 \n\
Size: 4096 kB\nRss: 2048 kB\n\
7f0300400000-7f0300401000 ---p 00000000 00:00 0 \n\
Size: 4 kB\nRss: 0 kB\n";
        assert!((wasm_of(smaps) - 1_048_576.0).abs() < 1.0);
    }
}
