//! A strict reader of what Prometheus scrapes.

use std::collections::{BTreeMap, BTreeSet};

/// A family of metrics.
#[derive(Debug, Default)]
pub(crate) struct Family {
    pub(crate) kind: String,
    /// By the name of the sample and its labels, sorted: `name{a="b"}`.
    pub(crate) samples: BTreeMap<String, f64>,
}

/// All families of a scrape.
#[derive(Debug, Default)]
pub(crate) struct Scraped(pub(crate) BTreeMap<String, Family>);

impl Scraped {
    /// Reads a scrape.
    ///
    /// # Panics
    /// Anything that the format or its conventions do not allow.
    pub(crate) fn read(text: &str) -> Scraped {
        assert!(text.ends_with('\n'), "the last line does not end");
        let mut all = Scraped::default();
        let (mut helped, mut typed): (Option<String>, Option<String>) = (None, None);
        let mut seen = BTreeSet::new();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').unwrap_or((rest, ""));
                assert!(is_name(name) && !help.trim().is_empty(), "{line}");
                assert!(seen.insert(name.to_owned()), "{name} is there twice");
                assert_eq!(helped, typed, "a family without a type, before {line}");
                helped = Some(name.to_owned());
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').expect("a type");
                assert_eq!(helped.as_deref(), Some(name), "described before: {line}");
                assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
                assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
                if kind == "histogram" {
                    assert!(name.ends_with("_seconds"), "{line}");
                }
                typed = Some(name.to_owned());
                let family = Family { kind: kind.to_owned(), samples: BTreeMap::new() };
                all.0.insert(name.to_owned(), family);
            } else {
                let of = typed.as_deref().unwrap_or_default();
                assert_eq!(helped.as_deref(), Some(of), "a sample before its type: {line}");
                all.sample(of, line);
            }
        }
        assert_eq!(helped, typed, "a family without a type at the end");
        all.check();
        all
    }

    fn sample(&mut self, of: &str, line: &str) {
        let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no value: {line}"));
        let value: f64 = value.parse().unwrap_or_else(|_| panic!("no number: {line}"));
        assert!(value.is_finite(), "{line}");
        let (name, labels) = match series.split_once('{') {
            Some((name, rest)) => (name, labels(rest, line)),
            None => (series, Vec::new()),
        };
        let family = self.0.get_mut(of).unwrap_or_else(|| panic!("no family: {line}"));
        let is_own = match family.kind.as_str() {
            "histogram" => {
                ["_bucket", "_sum", "_count"].iter().any(|end| name.strip_suffix(end) == Some(of))
            }
            _ => name == of,
        };
        assert!(is_own, "{line} is not of {of}");
        assert!(family.kind == "gauge" || value >= 0.0, "{line}");
        let mut labels: Vec<String> =
            labels.into_iter().map(|(label, value)| format!("{label}={value:?}")).collect();
        labels.sort();
        let key = match labels.is_empty() {
            true => name.to_owned(),
            false => format!("{name}{{{}}}", labels.join(",")),
        };
        assert!(family.samples.insert(key, value).is_none(), "twice: {line}");
    }

    fn check(&self) {
        for (name, family) in &self.0 {
            if family.kind != "histogram" {
                continue;
            }
            let mut buckets: Vec<(f64, f64)> = Vec::new();
            for (series, count) in &family.samples {
                if let Some(rest) = series.strip_prefix(&format!("{name}_bucket{{le=\"")) {
                    let bound = rest.trim_end_matches("\"}").replace("+Inf", "inf");
                    buckets.push((bound.parse().expect("a bound"), *count));
                }
            }
            buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
            assert!(buckets.windows(2).all(|two| two[0].1 <= two[1].1), "{name}: {buckets:?}");
            let last = buckets.last().expect("buckets");
            assert!(
                last.0.is_infinite() && last.1 == self.value(&format!("{name}_count")),
                "{name}"
            );
            assert!(family.samples.contains_key(&format!("{name}_sum")), "{name}");
        }
    }

    /// The value of a series: `name`, or `name{a="b",c="d"}` with sorted labels.
    pub(crate) fn value(&self, series: &str) -> f64 {
        self.get(series).unwrap_or_else(|| panic!("there is no {series}"))
    }

    pub(crate) fn get(&self, series: &str) -> Option<f64> {
        self.0.values().find_map(|family| family.samples.get(series).copied())
    }

    /// All samples of a family together.
    pub(crate) fn sum(&self, family: &str) -> f64 {
        self.0.get(family).map_or(0.0, |family| family.samples.values().sum())
    }
}

fn is_name(text: &str) -> bool {
    let mut chars = text.chars();
    let letter = |c: char| c.is_ascii_alphabetic() || c == '_' || c == ':';
    chars.next().is_some_and(letter) && chars.all(|c| letter(c) || c.is_ascii_digit())
}

/// The labels behind an opening brace.
fn labels(rest: &str, line: &str) -> Vec<(String, String)> {
    let mut chars = rest.chars().peekable();
    let mut labels = Vec::new();
    loop {
        let mut name = String::new();
        while let Some(c) = chars.next_if(|c| *c != '=') {
            name.push(c);
        }
        assert!(is_name(&name) && !name.contains(':'), "a label of {line}");
        assert_eq!((chars.next(), chars.next()), (Some('='), Some('"')), "{line}");
        let mut value = String::new();
        loop {
            match chars.next() {
                Some('\\') => match chars.next() {
                    Some('n') => value.push('\n'),
                    Some(c @ ('\\' | '"')) => value.push(c),
                    other => panic!("an escaped {other:?} in {line}"),
                },
                Some('"') => break,
                Some(c) => value.push(c),
                None => panic!("an open label in {line}"),
            }
        }
        assert!(!labels.iter().any(|(known, _)| *known == name), "{name} twice in {line}");
        labels.push((name, value));
        match chars.next() {
            Some(',') => {}
            Some('}') => break,
            other => panic!("{other:?} after a label of {line}"),
        }
    }
    assert_eq!(chars.next(), None, "{line}");
    labels
}
