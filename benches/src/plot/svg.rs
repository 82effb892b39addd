//! A plot as SVG, without a background, in colours that can be read on light and on dark.

use std::fmt::Write as _;

use super::axis::{Axis, name};
use super::{Line, Plot};

const WIDTH: f64 = 820.0;
const HEIGHT: f64 = 440.0;
/// The area of the lines; right of it is the legend.
const LEFT: f64 = 78.0;
const RIGHT: f64 = 560.0;
const TOP: f64 = 48.0;
const BOTTOM: f64 = 380.0;

const COLOURS: [&str; 8] =
    ["#3f8ae0", "#d9782d", "#2f9e6b", "#c9556a", "#9168d8", "#a08224", "#2a9fb0", "#8a8f98"];

const STYLE: &str = "\
text{font:12px system-ui,sans-serif;fill:#6b7480}\
.title{font-size:15px;font-weight:600}\
.axis{stroke:#8a929d;stroke-width:1}\
.grid{stroke:#8a929d;stroke-width:1;stroke-opacity:.22}\
.line{fill:none;stroke-width:2;stroke-linejoin:round}\
.dashed{stroke-width:1.5;stroke-dasharray:5 4}\
@media (prefers-color-scheme:dark){text{fill:#a3adb8}}";

/// The picture. Lines without points are left out.
pub fn svg(plot: &Plot) -> String {
    let points = || plot.lines.iter().flat_map(|line| line.points.iter().copied());
    let x = Axis::over(points().map(|(x, _)| x), plot.x.log);
    let y = Axis::over(points().map(|(_, y)| y), plot.y.log);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         width=\"{WIDTH}\" height=\"{HEIGHT}\" role=\"img\">\n<title>{0}</title>\n\
         <style>{STYLE}</style>\n",
        escaped(&plot.title)
    );
    text(&mut svg, (LEFT, 24.0), "class=\"title\"", &plot.title);
    axes(&mut svg, &x, &y, [&plot.x.label, &plot.y.label]);
    let drawn = plot.lines.iter().filter(|line| !line.points.is_empty());
    for (number, line) in drawn.enumerate() {
        let places = line.points.iter().map(|&(at, value)| (across(&x, at), up(&y, value)));
        draw(&mut svg, line, COLOURS[number % COLOURS.len()], &places.collect::<Vec<_>>());
        legend(&mut svg, line, COLOURS[number % COLOURS.len()], number);
    }
    svg.push_str("</svg>\n");
    svg
}

fn across(axis: &Axis, value: f64) -> f64 {
    LEFT + axis.place(value) * (RIGHT - LEFT)
}

fn up(axis: &Axis, value: f64) -> f64 {
    BOTTOM - axis.place(value) * (BOTTOM - TOP)
}

fn axes(svg: &mut String, x: &Axis, y: &Axis, labels: [&str; 2]) {
    for &tick in &x.ticks {
        let at = across(x, tick);
        segment(svg, "grid", (at, TOP), (at, BOTTOM));
        text(svg, (at, BOTTOM + 18.0), "text-anchor=\"middle\"", &name(tick));
    }
    for &tick in &y.ticks {
        let at = up(y, tick);
        segment(svg, "grid", (LEFT, at), (RIGHT, at));
        text(svg, (LEFT - 8.0, at + 4.0), "text-anchor=\"end\"", &name(tick));
    }
    segment(svg, "axis", (LEFT, BOTTOM), (RIGHT, BOTTOM));
    segment(svg, "axis", (LEFT, TOP), (LEFT, BOTTOM));
    let [x_label, y_label] = labels;
    let middle = (LEFT + RIGHT) / 2.0;
    text(svg, (middle, BOTTOM + 42.0), "text-anchor=\"middle\"", x_label);
    let middle = (TOP + BOTTOM) / 2.0;
    let turned = format!("text-anchor=\"middle\" transform=\"rotate(-90 16 {middle})\"");
    text(svg, (16.0, middle), &turned, y_label);
}

fn draw(svg: &mut String, line: &Line, colour: &str, places: &[(f64, f64)]) {
    let list: Vec<String> = places.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    let class = class(line);
    // Writing to a string does not fail.
    let _ = writeln!(
        svg,
        "<polyline class=\"{class}\" stroke=\"{colour}\" points=\"{}\"/>",
        list.join(" ")
    );
    for (x, y) in places.iter().filter(|_| !line.dashed) {
        let _ = writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"/>");
    }
}

fn legend(svg: &mut String, line: &Line, colour: &str, number: usize) {
    let y = TOP + 8.0 + 20.0 * number as f64;
    let class = class(line);
    let (from, to) = (RIGHT + 18.0, RIGHT + 42.0);
    let _ = writeln!(
        svg,
        "<line class=\"{class}\" stroke=\"{colour}\" x1=\"{from}\" y1=\"{y}\" x2=\"{to}\" \
         y2=\"{y}\"/>"
    );
    text(svg, (to + 8.0, y + 4.0), "", &line.name);
}

fn class(line: &Line) -> &'static str {
    if line.dashed { "line dashed" } else { "line" }
}

fn segment(svg: &mut String, class: &str, from: (f64, f64), to: (f64, f64)) {
    let _ = writeln!(
        svg,
        "<line class=\"{class}\" x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\"/>",
        from.0, from.1, to.0, to.1
    );
}

fn text(svg: &mut String, (x, y): (f64, f64), attributes: &str, text: &str) {
    let text = escaped(text);
    let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" {attributes}>{text}</text>");
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::svg;
    use crate::plot::{Line, Plot, Scaling};

    #[test]
    fn every_line_is_drawn_and_named() {
        let line = |name: &str, dashed| Line {
            name: name.to_owned(),
            points: vec![(10.0, 1.0), (100.0, 2.0)],
            dashed,
        };
        let axis = |label: &str| Scaling { label: label.to_owned(), log: true };
        let plot = Plot {
            title: "Cost < linear".to_owned(),
            x: axis("queries"),
            y: axis("µs"),
            lines: vec![line("ours", false), line("again", true)],
        };
        let picture = svg(&plot);
        assert_eq!(picture.matches("<polyline").count(), 2);
        assert_eq!(picture.matches("<circle").count(), 2, "a dashed line has no marks");
        for text in ["Cost &lt; linear", ">ours<", ">again<", ">queries<", ">µs<", ">100<"] {
            assert!(picture.contains(text), "{text} is missing");
        }
        // The line goes from the lower left to the upper right.
        assert!(picture.contains("points=\"78.0,380.0 560.0,48.0\""), "{picture}");
    }
}
