//! Clocks: CPU time of the process, and the wall time of single operations.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// A running measurement of CPU time, over all threads of the process.
#[derive(Clone, Copy, Debug)]
pub struct CpuTimer(Duration);

impl CpuTimer {
    /// Starts now.
    pub fn start() -> CpuTimer {
        CpuTimer(process_cpu())
    }

    /// Microseconds of CPU time since the start.
    pub fn micros(&self) -> f64 {
        (process_cpu() - self.0).as_secs_f64() * 1e6
    }
}

fn process_cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// The wall times of the operations of one loop. Takes one reading of the clock per operation
/// (about 25 ns), which the CPU time of the loop includes.
#[derive(Debug)]
pub struct Laps {
    last: Instant,
    nanos: Vec<u64>,
}

impl Laps {
    /// Starts the first operation; `count` is how many there will be.
    pub fn start(count: usize) -> Laps {
        let nanos = Vec::with_capacity(count);
        Laps { last: Instant::now(), nanos }
    }

    /// Starts an operation after others that do not count.
    pub fn resume(&mut self) {
        self.last = Instant::now();
    }

    /// Ends an operation and starts the next.
    #[inline]
    pub fn lap(&mut self) {
        let now = Instant::now();
        self.nanos.push((now - self.last).as_nanos() as u64);
        self.last = now;
    }

    /// The times in microseconds below which the given shares of operations stay.
    pub fn percentiles<const N: usize>(mut self, shares: [f64; N]) -> [f64; N] {
        self.nanos.sort_unstable();
        let last = self.nanos.len().saturating_sub(1);
        shares.map(|share| {
            let at = (last as f64 * share).round() as usize;
            self.nanos.get(at).map_or(0.0, |nanos| *nanos as f64 / 1e3)
        })
    }
}
