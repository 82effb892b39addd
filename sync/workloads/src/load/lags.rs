//! How long writes took to arrive.

use serde_json::{Value as Json, json};

/// How long writes took to arrive at clients, in microseconds: over all writes and clients.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Lags {
    /// Half took no longer.
    pub p50: f64,
    /// 99 of 100 took no longer.
    pub p99: f64,
    /// The longest.
    pub max: f64,
    /// How many writes did not arrive at a client.
    pub missing: u64,
}

impl Lags {
    /// The lags of writes `first…`, sent at these times, at clients with these arrivals: each the newest
    /// write in a poke and the time. As writes are made one after another, one has arrived with the first
    /// poke that holds it or a later one.
    pub(crate) fn of<'a>(
        first: u64,
        sent: &[u64],
        clients: impl Iterator<Item = &'a [(u64, u64)]>,
    ) -> Lags {
        let (mut all, mut missing) = (Vec::new(), 0);
        for arrivals in clients {
            let mut arrivals = arrivals.iter().peekable();
            for (write, sent) in (first..).zip(sent) {
                while arrivals.next_if(|(newest, _)| *newest < write).is_some() {}
                match arrivals.peek() {
                    Some((_, at)) => all.push(at.saturating_sub(*sent)),
                    None => missing += 1,
                }
            }
        }
        all.sort_unstable();
        let at = |share: f64| {
            let place = (all.len().saturating_sub(1) as f64 * share).round() as usize;
            all.get(place).map_or(0.0, |lag| *lag as f64)
        };
        Lags { p50: at(0.5), p99: at(0.99), max: at(1.0), missing }
    }

    pub(crate) fn to_json(self) -> Json {
        json!({"p50": self.p50, "p99": self.p99, "max": self.max, "missing": self.missing})
    }

    pub(crate) fn from_json(json: &Json) -> Option<Lags> {
        let number = |name: &str| json[name].as_f64();
        Some(Lags {
            p50: number("p50")?,
            p99: number("p99")?,
            max: number("max")?,
            missing: json["missing"].as_u64()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_arrives_with_it_or_with_a_later_one() {
        let sent = [100, 200, 300, 400];
        let one: &[(u64, u64)] = &[(4, 90), (6, 320), (7, 330), (8, 450)];
        let other: &[(u64, u64)] = &[(7, 350)];
        let lags = Lags::of(5, &sent, [one].into_iter());
        assert_eq!(lags, Lags { p50: 120.0, p99: 220.0, max: 220.0, missing: 0 });
        assert_eq!(Lags::of(5, &sent, [one, other].into_iter()).missing, 1);
        assert_eq!(Lags::from_json(&lags.to_json()), Some(lags));
    }
}
