//! The command line.

use std::fmt::Write as _;

use penstock_postgres::setup::Plugin;

use crate::workloads::{WORKLOADS, Workload};

const USAGE: &str = "\
Measures what it costs to follow a Postgres database. It starts its own servers.

USAGE: postgres-workloads [OPTIONS]

  --only NAMES        only these workloads, separated by commas
  --repeats N         how many fresh processes each median is over (default 3)
  --plugin PLUGIN     pgoutput (default) or wal2json
  --json              one line of JSON per metric
  --help              this text

METRICS
  start_to_ready      µs from a new follower to its stream, tables copied, indexes built
  copy_rate           rows/s of the copy itself
  copy_cpu            µs/row, CPU time of our process
  first_client        µs until five new queries are complete, indexes of the replica included
  next_client         µs for five more of another person
  apply_rate          transactions/s from the first that had piled up to the last in the replica, and
                      row_rate rows/s
  apply_cpu           µs/transaction, CPU time of our process
  sustained_rate      transactions/s from the server's first to the last in the replica
  sent_to_patch_*     µs from an UPDATE sent to its patch in the client's hands, *_p50 and *_p99
  commit_to_patch_*   µs from the server's answer, which is the commit, to the patch; 0 if the patch
                      came before the answer
  pss, resident_peak  B of memory; pss is that of one moment, shared pages counted in part

The server waits for its disk at each commit, except where transactions pile up or are sustained.
At the end of every process, the sums of all tables must be those of the server, every live result
must be a fresh evaluation of its query, and its rows must be those that the server selects;
`check` is the number of rows of all results, and a hash. Otherwise there are no figures, and the
exit code is 1.

WORKLOADS
";

/// What the command line asks for.
pub(crate) enum Parsed {
    Help,
    Run(Options),
    Child(Child),
}

/// What to run.
pub(crate) struct Options {
    pub(crate) workloads: Vec<&'static Workload>,
    pub(crate) repeats: usize,
    pub(crate) plugin: Plugin,
    pub(crate) json: bool,
}

/// One run in a process of its own.
pub(crate) struct Child {
    pub(crate) workload: &'static Workload,
    pub(crate) url: String,
    pub(crate) plugin: Plugin,
}

impl Child {
    /// The arguments by which a process is told to be this one.
    pub(crate) fn arguments(&self) -> [&str; 6] {
        ["--child", self.workload.name, "--url", &self.url, "--plugin", name_of(self.plugin)]
    }
}

/// The name of a plugin.
pub(crate) fn name_of(plugin: Plugin) -> &'static str {
    plugin.name()
}

pub(crate) fn parse(arguments: &[String]) -> Result<Parsed, String> {
    let workloads = WORKLOADS.iter().collect();
    let mut options = Options { workloads, repeats: 3, plugin: Plugin::Pgoutput, json: false };
    let (mut child, mut url) = (None, None);
    let mut rest = arguments.iter();
    while let Some(option) = rest.next() {
        let mut value = || rest.next().ok_or_else(|| format!("{option} needs a value"));
        match option.as_str() {
            "--help" | "-h" => return Ok(Parsed::Help),
            "--json" => options.json = true,
            "--only" => {
                options.workloads = value()?.split(',').map(named).collect::<Result<_, _>>()?;
            }
            "--repeats" => options.repeats = positive(value()?)?,
            "--plugin" => options.plugin = plugin(value()?)?,
            "--child" => child = Some(named(value()?)?),
            "--url" => url = Some(value()?.clone()),
            other => return Err(format!("unknown option {other}")),
        }
    }
    match (child, url) {
        (None, None) => Ok(Parsed::Run(options)),
        (Some(workload), Some(url)) => {
            Ok(Parsed::Child(Child { workload, url, plugin: options.plugin }))
        }
        _ => Err("--child and --url belong together".to_owned()),
    }
}

fn named(name: &str) -> Result<&'static Workload, String> {
    let found = WORKLOADS.iter().find(|workload| workload.name == name.trim());
    found.ok_or_else(|| {
        let names: Vec<&str> = WORKLOADS.iter().map(|workload| workload.name).collect();
        format!("there is no workload {name}; there are: {}", names.join(", "))
    })
}

fn positive(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| format!("--repeats needs a number from 1 on, found {text}"))
}

fn plugin(text: &str) -> Result<Plugin, String> {
    let all = [Plugin::Pgoutput, Plugin::Wal2json];
    let found = all.into_iter().find(|plugin| plugin.name() == text);
    found.ok_or_else(|| format!("--plugin is pgoutput or wal2json, found {text}"))
}

/// The text of `--help`.
pub(crate) fn help() -> String {
    let mut text = USAGE.to_owned();
    for workload in &WORKLOADS {
        // Writing to a string does not fail.
        let _ = writeln!(text, "  {:<10} {}", workload.name, workload.about);
    }
    text.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Parsed, String> {
        parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn a_child_is_told_what_its_parent_means() {
        let (workload, plugin) = (&WORKLOADS[3], Plugin::Wal2json);
        let child = Child { workload, url: "postgres://localhost/x".to_owned(), plugin };
        let Ok(Parsed::Child(told)) = parsed(&child.arguments().join(" ")) else {
            panic!("a child")
        };
        assert_eq!((told.workload.name, told.plugin, told.url), ("P2t100", plugin, child.url));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let problem = |line: &str| parsed(line).err().unwrap_or_default();
        assert!(problem("--only P1,P9").starts_with("there is no workload P9; there are: P1, P1m"));
        assert_eq!(problem("--repeats 0"), "--repeats needs a number from 1 on, found 0");
        assert_eq!(problem("--plugin x"), "--plugin is pgoutput or wal2json, found x");
        assert_eq!(problem("--faster"), "unknown option --faster");
        assert_eq!(problem("--child P1"), "--child and --url belong together");
    }

    #[test]
    fn the_help_names_every_workload() {
        let help = help();
        assert!(WORKLOADS.iter().all(|workload| help.contains(workload.about)));
    }
}
