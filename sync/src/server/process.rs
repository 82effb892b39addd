//! What the system says of this process, where it says so in `/proc`; by the names that all
//! processes which Prometheus watches have.

use crate::measure::Exposition;

/// How many ticks of the system's clock a second has, in `/proc`.
const TICKS: f64 = 100.0;

/// Writes what is known. `started_unix_s` is when the process began.
pub(super) fn write(into: &mut Exposition, started_unix_s: f64) {
    into.gauge(
        "process_start_time_seconds",
        "When the process began, in seconds since 1970.",
        started_unix_s,
    );
    if let Some(bytes) = resident_bytes() {
        into.gauge("process_resident_memory_bytes", "Memory that the process holds.", bytes as f64);
    }
    if let Some(seconds) = cpu_seconds() {
        into.counter(
            "process_cpu_seconds_total",
            "Time that the process has spent on processors.",
            seconds,
        );
    }
    if let Ok(files) = std::fs::read_dir("/proc/self/fd") {
        into.gauge("process_open_fds", "Files and sockets that are open.", files.count() as f64);
    }
}

fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

fn cpu_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name before may hold anything.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS)
}
