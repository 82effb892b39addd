//! Curves as SVG: a plot for each claim about how a cost grows.
//!
//! [`curves`] says what is drawn, [`figures`] where the values come from, `axis` places values,
//! [`svg`] writes the picture.

mod axis;
pub mod curves;
pub mod figures;
pub mod svg;

/// A plot: what it shows and the values to show.
#[derive(Clone, Debug)]
pub struct Plot {
    /// What it claims.
    pub title: String,
    /// The quantity along the horizontal axis, with its unit.
    pub x: Scaling,
    /// The quantity along the vertical axis, with its unit.
    pub y: Scaling,
    /// The lines, in the order of the legend.
    pub lines: Vec<Line>,
}

/// What an axis shows, and how.
#[derive(Clone, Debug)]
pub struct Scaling {
    /// The quantity and its unit.
    pub label: String,
    /// Whether equal steps are equal ratios; otherwise the axis starts at zero.
    pub log: bool,
}

/// One line of a plot.
#[derive(Clone, Debug)]
pub struct Line {
    /// Its name in the legend.
    pub name: String,
    /// The points, from left to right.
    pub points: Vec<(f64, f64)>,
    /// Whether it is an alternative for comparison, drawn dashed.
    pub dashed: bool,
}
