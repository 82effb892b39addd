//! Which curves there are: one for each claim about how a cost grows.

use super::figures::Figures;
use super::{Line, Plot, Scaling};
use crate::setting::Scale;

/// A curve: a plot without its values, and the runs that give them.
#[derive(Clone, Debug)]
pub struct Curve {
    /// The name of the file, without its ending.
    pub file: &'static str,
    title: &'static str,
    x: (&'static str, bool),
    y: (&'static str, bool),
    lines: Vec<Measured>,
}

/// A line of a curve: one metric, at several runs.
#[derive(Clone, Debug)]
struct Measured {
    name: &'static str,
    dashed: bool,
    points: Vec<Point>,
}

/// A value along the horizontal axis, and the run and metric that give the other.
#[derive(Clone, Debug)]
struct Point {
    x: f64,
    run: Run,
    metric: String,
}

/// A run: a workload at a scale.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// The name of the workload.
    pub workload: String,
    /// How many times the rows.
    pub scale: Scale,
}

impl Run {
    /// The name in the output.
    fn name(&self) -> String {
        self.scale.name_of(&self.workload)
    }
}

impl Curve {
    /// The runs that it needs.
    pub fn runs(&self) -> impl Iterator<Item = &Run> {
        self.lines.iter().flat_map(|line| &line.points).map(|point| &point.run)
    }

    /// With values; without points whose values are missing. `None` where no line has two.
    pub fn plot(&self, figures: &Figures) -> Option<Plot> {
        let line = |line: &Measured| {
            let value = |point: &Point| {
                let y = figures.get(&point.run.name(), &point.metric)?;
                // A logarithmic axis has no place for nothing.
                (y > 0.0 || !self.y.1).then_some((point.x, y))
            };
            let points = line.points.iter().filter_map(value).collect();
            Line { name: line.name.to_owned(), points, dashed: line.dashed }
        };
        let lines: Vec<Line> = self.lines.iter().map(line).collect();
        let scaling = |(label, log): (&str, bool)| Scaling { label: label.to_owned(), log };
        let (title, x, y) = (self.title.to_owned(), scaling(self.x), scaling(self.y));
        lines.iter().any(|line| line.points.len() > 1).then_some(Plot { title, x, y, lines })
    }
}

const MICROS: &str = "µs of CPU time per change";
const PUSH: &str = "push_cpu";
const AGAIN: &str = "requery_cpu";
const QUERIES: [u32; 6] = [10, 100, 1_000, 10_000, 100_000, 1_000_000];
const SHAPES: [u32; 4] = [10, 100, 1_000, 10_000];
const WIDTHS: [u32; 6] = [1, 10, 100, 1_000, 10_000, 100_000];
const DEPTHS: [u32; 6] = [0, 1, 2, 3, 4, 5];
const SCALES: [Scale; 3] = [Scale::TENTH, Scale::ONE, Scale::TEN];
const LONG: &str = "L10000000";
const TRANSACTIONS: f64 = 1e7;

/// A line over the members of a family, which have the horizontal value in their names.
fn family(
    name: &'static str,
    family: &str,
    members: &[u32],
    scale: Scale,
    metric: &str,
) -> Measured {
    let point = |member: &u32| {
        let run = Run { workload: format!("{family}{member}"), scale };
        Point { x: f64::from(*member), run, metric: metric.to_owned() }
    };
    let points = members.iter().map(point).collect();
    Measured { name, points, dashed: metric == AGAIN }
}

/// A line over the scales; the horizontal value is the number of issues.
fn sizes(name: &'static str, workload: &str, metric: &str) -> Measured {
    let point = |scale: &Scale| {
        let run = Run { workload: workload.to_owned(), scale: *scale };
        Point { x: f64::from(scale.sizes().issues), run, metric: metric.to_owned() }
    };
    let points = SCALES.iter().map(point).collect();
    Measured { name, points, dashed: false }
}

/// A line over the course of the long run.
fn course(name: &'static str, what: &str, dashed: bool) -> Measured {
    let point = |percent: u32| {
        let run = Run { workload: LONG.to_owned(), scale: Scale::ONE };
        let x = TRANSACTIONS * f64::from(percent) / 100.0;
        Point { x, run, metric: format!("{what}_at_{percent:03}") }
    };
    Measured { name, points: (5..=100).step_by(5).map(point).collect(), dashed }
}

/// All curves.
pub fn curves() -> Vec<Curve> {
    let one = Scale::ONE;
    let shapes = |metric: &str| {
        let names = [
            ("range literals (Tr)", "Tr"),
            ("open ranges with limit (To)", "To"),
            ("IN lists (Ti)", "Ti"),
            ("columns read (Tc)", "Tc"),
            ("other tables (Tt)", "Tt"),
            ("equality (Te)", "Te"),
        ];
        names.map(|(name, short)| family(name, short, &SHAPES, one, metric))
    };
    vec![
        Curve {
            file: "queries",
            title: "Cost of a change by the number of live queries",
            x: ("live queries", true),
            y: (MICROS, true),
            lines: vec![
                family("by owner, 1000 results (W5)", "W5q", &QUERIES, one, PUSH),
                family("by issue, all different (W5c)", "W5cq", &QUERIES, Scale::TEN, PUSH),
                family("W5, evaluated again", "W5q", &QUERIES, one, AGAIN),
                family("W5c, evaluated again", "W5cq", &QUERIES, Scale::TEN, AGAIN),
            ],
        },
        Curve {
            file: "query-bytes",
            title: "Memory of a live query by their number",
            x: ("live queries", true),
            y: ("bytes per live query", true),
            lines: vec![
                family("W5, allocator", "W5q", &QUERIES, one, "bytes_per_live_query_measured"),
                family("W5, memory_usage()", "W5q", &QUERIES, one, "bytes_per_live_query"),
                family(
                    "W5c, allocator",
                    "W5cq",
                    &QUERIES,
                    Scale::TEN,
                    "bytes_per_live_query_measured",
                ),
                family("W5c, memory_usage()", "W5cq", &QUERIES, Scale::TEN, "bytes_per_live_query"),
            ],
        },
        Curve {
            file: "shapes",
            title: "Cost of a change by the number of different shapes",
            x: ("live queries, by what their shapes differ in", true),
            y: (MICROS, true),
            lines: shapes(PUSH)
                .into_iter()
                .chain([family("Tr, evaluated again", "Tr", &SHAPES, one, AGAIN)])
                .collect(),
        },
        Curve {
            file: "shapes-levels",
            title: "Levels reached by a change, by the number of different shapes",
            x: ("live queries, by what their shapes differ in", true),
            y: ("levels reached per change", true),
            lines: shapes("levels_reached").into(),
        },
        Curve {
            file: "size",
            title: "Cost of a change by the size of the data",
            x: ("issues (six rows in all for each)", true),
            y: (MICROS, true),
            lines: vec![
                sizes("no query (W0)", "W0", PUSH),
                sizes("list (W4)", "W4", PUSH),
                sizes("tree, edits (W4b)", "W4b", PUSH),
                sizes("tree, comments (W4c)", "W4c", PUSH),
                sizes("1000 queries (W5q1000)", "W5q1000", PUSH),
                sizes("groups (W9)", "W9", PUSH),
                sizes("top of counts (W11)", "W11", PUSH),
            ],
        },
        Curve {
            file: "width",
            title: "Cost of a change by the width of its transaction",
            x: ("changes per transaction", true),
            y: (MICROS, true),
            lines: vec![
                family("list (X)", "X", &WIDTHS, one, PUSH),
                family("tree (Xt)", "Xt", &WIDTHS, one, PUSH),
            ],
        },
        Curve {
            file: "depth",
            title: "Cost of a change in a tree of six levels",
            x: ("depth of the changed row (0: the top)", false),
            y: (MICROS, true),
            lines: vec![
                family("new title (D)", "D", &DEPTHS, one, PUSH),
                family("the same, one table (Ds)", "Ds", &DEPTHS, one, PUSH),
                family("to the head of its list (D)", "D", &DEPTHS, one, "push_move_cpu"),
                family("its head, one table (Ds)", "Ds", &DEPTHS, one, "push_move_cpu"),
                family("evaluated again", "D", &DEPTHS, one, AGAIN),
            ],
        },
        Curve {
            file: "memory",
            title: "Memory over ten million transactions",
            x: ("transactions", false),
            y: ("bytes", false),
            lines: vec![
                course("heap, as allocated", "heap", false),
                course("resident, by the system", "resident", true),
            ],
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::curves;
    use crate::plot::figures::Figures;
    use crate::workloads::named;

    #[test]
    fn the_runs_exist() {
        for curve in curves() {
            for run in curve.runs() {
                assert_eq!(named(&run.workload).len(), 1, "{}: {}", curve.file, run.workload);
            }
        }
    }

    #[test]
    fn a_curve_needs_two_points() {
        let size = curves().into_iter().find(|curve| curve.file == "size").expect("a curve");
        let mut figures = Figures::default();
        figures.add("W4@10", "push_cpu", 3.0);
        assert!(size.plot(&figures).is_none());
        figures.add("W4", "push_cpu", 2.0);
        let plot = size.plot(&figures).expect("two points");
        assert_eq!(plot.lines[1].points, [(100_000.0, 2.0), (1_000_000.0, 3.0)]);
    }
}
