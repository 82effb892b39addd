//! Memory as the operating system counts it.

/// What of the process is in memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Resident {
    /// Bytes now.
    pub bytes: f64,
    /// The most bytes there ever were.
    pub peak: f64,
}

impl Resident {
    /// Reads the counts of this process; zero where there is no Linux to ask.
    pub fn now() -> Resident {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        Resident { bytes: kibibytes(&status, "VmRSS:"), peak: kibibytes(&status, "VmHWM:") }
    }
}

fn kibibytes(status: &str, name: &str) -> f64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    number.unwrap_or(0.0) * 1024.0
}

#[cfg(test)]
mod tests {
    use super::kibibytes;

    #[test]
    fn counts_are_read() {
        let status = "Name:\tworkloads\nVmHWM:\t   20480 kB\nVmRSS:\t   1024 kB\n";
        assert_eq!(
            [kibibytes(status, "VmHWM:"), kibibytes(status, "VmRSS:")],
            [20_971_520.0, 1_048_576.0]
        );
        assert_eq!(kibibytes("", "VmRSS:"), 0.0);
    }
}
