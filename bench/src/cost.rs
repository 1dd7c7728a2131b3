//! What a stage costs: time, allocations, memory.

use std::hint::black_box;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// What one stage cost.
#[derive(Clone, Copy, Debug, Default, serde::Serialize)]
pub(crate) struct Cost {
    /// Milliseconds of this thread on its core, of the fastest run.
    pub(crate) ms: f64,
    /// Allocations of one run, growing included.
    pub(crate) allocations: u64,
    /// The most that was allocated at once, beyond what was before.
    pub(crate) peak_bytes: u64,
    /// What was still allocated when the stage was done, beyond what was before.
    pub(crate) retained_bytes: i64,
}

impl Cost {
    /// The cheaper of two runs of one stage.
    pub(crate) fn or(self, other: Self) -> Self {
        if other.ms < self.ms { other } else { self }
    }

    /// Several stages, one after the other, each keeping its result.
    pub(crate) fn and(self, next: Self) -> Self {
        let later_peak =
            i64::try_from(next.peak_bytes).unwrap_or(i64::MAX).saturating_add(self.retained_bytes);
        Self {
            ms: self.ms + next.ms,
            allocations: self.allocations + next.allocations,
            peak_bytes: self.peak_bytes.max(u64::try_from(later_peak).unwrap_or(0)),
            retained_bytes: self.retained_bytes + next.retained_bytes,
        }
    }
}

/// How long this thread has been on a core. Unlike the time of day it does not run on while other programs have the core.
fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let nanos = u32::try_from(time.tv_nsec).unwrap_or_default();
    Duration::new(u64::try_from(time.tv_sec).unwrap_or_default(), nanos)
}

/// The result of some work, and its cost.
pub(crate) fn cost<T>(work: impl FnOnce() -> T) -> (T, Cost) {
    let mut value = None;
    let mut ms = 0.0;
    let memory = allocation_counter::measure(|| {
        let start = thread_time();
        value = Some(black_box(work()));
        ms = (thread_time() - start).as_secs_f64() * 1e3;
    });
    let cost = Cost {
        ms,
        allocations: memory.count_total,
        peak_bytes: memory.bytes_max,
        retained_bytes: memory.bytes_current,
    };
    match value {
        Some(value) => (value, cost),
        None => unreachable!("`measure` runs its argument"),
    }
}

/// How much memory goes when a value goes.
pub(crate) fn held<T>(value: T) -> i64 {
    -allocation_counter::measure(|| drop(value)).bytes_current
}
