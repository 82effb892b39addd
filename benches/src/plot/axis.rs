//! Where a value lies along an axis, and which values are named there.

/// An axis over a range of values.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    low: f64,
    high: f64,
    log: bool,
    /// The values that are named.
    pub(super) ticks: Vec<f64>,
}

impl Axis {
    /// An axis that reaches over all values. A logarithmic one is for values above zero.
    pub(super) fn over(values: impl Iterator<Item = f64> + Clone, log: bool) -> Axis {
        let low = values.clone().fold(f64::INFINITY, f64::min);
        let high = values.fold(f64::NEG_INFINITY, f64::max);
        if log { Axis::logarithmic(low, high) } else { Axis::linear(high) }
    }

    fn logarithmic(low: f64, high: f64) -> Axis {
        let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
        // Few decades are divided.
        let steps: &[f64] = if last - first > 3 { &[1.0] } else { &[1.0, 2.0, 5.0] };
        let all =
            (first..=last).flat_map(|decade| steps.iter().map(move |s| s * 10_f64.powi(decade)));
        let all: Vec<f64> = all.collect();
        let from = all.iter().rposition(|tick| *tick <= low * 1.000_001).unwrap_or(0);
        let to = all.iter().position(|tick| *tick >= high * 0.999_999).unwrap_or(all.len() - 1);
        // At least two, so that the axis has a length.
        let to = to.max(from + 1).min(all.len() - 1);
        let ticks = all[from.min(to)..=to].to_vec();
        Axis { low: ticks[0], high: ticks[ticks.len() - 1], log: true, ticks }
    }

    fn linear(high: f64) -> Axis {
        let high = if high > 0.0 { high } else { 1.0 };
        let decade = 10_f64.powf((high / 5.0).log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|s| s * decade);
        let step = step.into_iter().find(|step| high / step <= 6.0).unwrap_or(high);
        let count = (high / step - 1e-9).ceil() as u32;
        let ticks: Vec<f64> = (0..=count).map(|n| f64::from(n) * step).collect();
        Axis { low: 0.0, high: f64::from(count) * step, log: false, ticks }
    }

    /// Where a value lies, from 0 to 1.
    pub(super) fn place(&self, value: f64) -> f64 {
        let at = |value: f64| if self.log { value.log10() } else { value };
        let length = at(self.high) - at(self.low);
        if length > 0.0 { (at(value) - at(self.low)) / length } else { 0.5 }
    }
}

/// A value as it is named: `0.5`, `20`, `1 000`, `2 M`.
pub(super) fn name(value: f64) -> String {
    if value >= 1e6 {
        return format!("{} M", shortest(value / 1e6));
    }
    if value >= 1e3 {
        let thousands = (value / 1e3).floor();
        return format!("{thousands} {:03}", value - thousands * 1e3);
    }
    shortest(value)
}

fn shortest(value: f64) -> String {
    let text = format!("{value:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::{Axis, name};

    fn ticks(values: &[f64], log: bool) -> Vec<String> {
        Axis::over(values.iter().copied(), log).ticks.into_iter().map(name).collect()
    }

    #[test]
    fn ticks_enclose_the_values() {
        assert_eq!(ticks(&[10.0, 1e6], true), ["10", "100", "1 000", "10 000", "100 000", "1 M"]);
        assert_eq!(ticks(&[0.7, 4.0], true), ["0.5", "1", "2", "5"]);
        assert_eq!(ticks(&[3.0], true), ["2", "5"]);
        assert_eq!(ticks(&[10.0], true).len(), 2);
        assert_eq!(ticks(&[0.0, 5.0], false), ["0", "1", "2", "3", "4", "5"]);
        assert_eq!(ticks(&[130.0], false), ["0", "50", "100", "150"]);
    }

    #[test]
    fn values_lie_between_the_ends() {
        let axis = Axis::over([1.0, 100.0].into_iter(), true);
        assert_eq!([1.0, 10.0, 100.0].map(|value| axis.place(value)), [0.0, 0.5, 1.0]);
        let axis = Axis::over([5.0].into_iter(), false);
        assert_eq!([0.0, 5.0].map(|value| axis.place(value)), [0.0, 1.0]);
    }
}
