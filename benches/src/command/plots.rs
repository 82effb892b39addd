//! `--plots`: the curves, from runs made for them or from lines of earlier runs.

use std::fs;
use std::path::Path;

use super::options::{Engine, Options};
use super::{print_head, run_one};
use crate::plot::curves::{Curve, Run, curves};
use crate::plot::figures::Figures;
use crate::plot::svg::svg;
use crate::setting::SourceKind;
use crate::workloads::named;

/// Draws the curves into a folder; returns whether all went well. Without lines the runs that the
/// curves need are made, of the workloads that are named if any are.
pub(super) fn draw(options: &Options, folder: &Path, lines: Option<&Path>) -> bool {
    let curves = curves();
    let mut figures = Figures::default();
    let is_right = match lines {
        Some(lines) => read(lines, &mut figures).map(|()| true),
        None => Ok(measure(options, &curves, &mut figures)),
    };
    let drawn = is_right.and_then(|is_right| {
        write(folder, &curves, &figures)?;
        Ok(is_right)
    });
    drawn.unwrap_or_else(|problem| {
        eprintln!("workloads: {problem}");
        false
    })
}

fn read(lines: &Path, figures: &mut Figures) -> Result<(), String> {
    let text = fs::read_to_string(lines);
    figures.add_lines(&text.map_err(|error| format!("{}: {error}", lines.display()))?)
}

fn measure(options: &Options, curves: &[Curve], figures: &mut Figures) -> bool {
    let mut runs: Vec<&Run> = Vec::new();
    for run in curves.iter().flat_map(Curve::runs) {
        let is_meant = options.only.is_empty() || options.only.contains(&run.workload.as_str());
        if is_meant && !runs.contains(&run) {
            runs.push(run);
        }
    }
    print_head(options);
    let mut is_right = true;
    for run in runs {
        let options = Options { scale: run.scale, ..options.clone() };
        for workload in named(&run.workload) {
            is_right &= run_one(&options, workload, Engine::Penstock, SourceKind::Memory, figures);
        }
    }
    is_right
}

fn write(folder: &Path, curves: &[Curve], figures: &Figures) -> Result<(), String> {
    fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for curve in curves {
        let path = folder.join(format!("{}.svg", curve.file));
        match curve.plot(figures) {
            Some(plot) => fs::write(&path, svg(&plot))
                .map_err(|error| format!("{}: {error}", path.display()))?,
            None => eprintln!("workloads: no figures for {}", path.display()),
        }
    }
    Ok(())
}
