//! The values that plots are made of: what runs have measured, by workload and metric.

use std::collections::HashMap;

/// Values of the library over the memory source.
#[derive(Clone, Debug, Default)]
pub struct Figures(HashMap<(String, String), f64>);

impl Figures {
    /// Adds a value; of two of the same name the last counts.
    pub fn add(&mut self, workload: &str, metric: &str, value: f64) {
        self.0.insert((workload.to_owned(), metric.to_owned()), value);
    }

    /// Adds what stands in lines of JSON, as `workloads --json` prints them. Lines of other engines
    /// and sources and checksums are passed over.
    ///
    /// # Errors
    /// A line that is no such line.
    pub fn add_lines(&mut self, lines: &str) -> Result<(), String> {
        for line in lines.lines().filter(|line| !line.trim().is_empty()) {
            let parsed: serde_json::Value =
                serde_json::from_str(line).map_err(|error| format!("{error}: {line}"))?;
            let field = |name: &str| {
                let field = parsed.get(name).and_then(serde_json::Value::as_str);
                field.ok_or_else(|| format!("no {name}: {line}"))
            };
            if field("engine")? != "penstock" || field("source")? != "memory" {
                continue;
            }
            if let Some(value) = parsed.get("value").and_then(serde_json::Value::as_f64) {
                self.add(field("workload")?, field("metric")?, value);
            }
        }
        Ok(())
    }

    /// A value, by the workload's name in the output (`W4@10`) and the metric's.
    pub fn get(&self, workload: &str, metric: &str) -> Option<f64> {
        self.0.get(&(workload.to_owned(), metric.to_owned())).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::Figures;

    #[test]
    fn lines_are_read() {
        let line = |engine: &str, value: &str| {
            format!(
                "{{\"engine\":\"{engine}\",\"source\":\"memory\",\"workload\":\"W4@10\",\
                 \"metric\":\"push_cpu\",\"value\":{value}}}\n"
            )
        };
        let mut figures = Figures::default();
        let lines = [line("penstock", "2.5"), line("hand", "0.5"), line("penstock", "\"1:2\"")];
        assert_eq!(figures.add_lines(&lines.concat()), Ok(()));
        assert_eq!(figures.get("W4@10", "push_cpu"), Some(2.5));
        assert_eq!(figures.get("W4", "push_cpu"), None);
        assert!(figures.add_lines("W4 2.5").is_err());
    }
}
