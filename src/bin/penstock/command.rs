//! The command line, and what `--help` says.

use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::failure::Failure;
use crate::{explain, tables, watch};
use penstock::tool::param::{Param, duration, param};

const PARAMETERS: &str = "\
Parameters: a query may hold ?, ?1, :name, @name or $name. Give each a value with --param:
  --param 7            the next number, so the first such is ?1
  --param 2=open       ?2
  --param owner=7      :owner, @owner or $owner
The type follows from how a value is written: 7 is an integer, 7.5 a real number, null, true and
false are themselves, x'6869' is a blob, and anything else is text. Write '7' with the quotes for
the text 7. (In a shell, quotes need quotes: --param \"code='7'\".)

Exit codes: 0 done, or the reader of the output has gone; 1 the file or the query is at fault, or
the watched result ended; 2 the command line cannot be followed.";

const EXAMPLES: &str = "\
Examples:
  penstock watch app.db \"SELECT * FROM task WHERE NOT done ORDER BY due LIMIT 20\"
  penstock watch app.db \"SELECT * FROM task WHERE owner = :owner\" --param owner=7 --json
  penstock watch app.db \"SELECT owner, COUNT(*) AS open FROM task GROUP BY owner\" --table
  penstock explain app.db \"SELECT * FROM task WHERE owner = ?\" --param 7
  penstock tables app.db";

/// Live queries over an SQLite file: the result of a SELECT, and then every change to it, whoever
/// writes to the file.
#[derive(Debug, Parser)]
#[command(name = "penstock", version, after_help = EXAMPLES)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the result of a query, and then every change to it until Ctrl-C
    #[command(after_help = PARAMETERS)]
    Watch(Watch),
    /// Print what a query is made of, and which index of the file it would need
    #[command(after_help = PARAMETERS)]
    Explain(Explain),
    /// Print the tables of a file, and why some cannot be queried
    Tables(Tables),
}

/// A query over a file.
#[derive(Debug, Args)]
pub(crate) struct Query {
    /// The SQLite file
    pub(crate) file: String,
    /// The SELECT statement
    pub(crate) sql: String,
    /// A value for a parameter of the query; may be repeated
    #[arg(long = "param", short = 'p', value_name = "[NAME=]VALUE", value_parser = param)]
    #[arg(allow_hyphen_values = true)]
    pub(crate) params: Vec<Param>,
}

/// What `watch` is told.
#[derive(Debug, Args)]
pub(crate) struct Watch {
    #[command(flatten)]
    pub(crate) query: Query,
    /// Print one JSON object per line: {"result":[…]}, then {"changes":[…],"version":n}
    #[arg(long, conflicts_with = "table")]
    pub(crate) json: bool,
    /// Show a full-screen table that is updated in place; q ends it
    #[arg(long)]
    pub(crate) table: bool,
    /// How often to look for what other processes wrote
    #[arg(long, value_name = "DURATION", default_value = "100ms", value_parser = duration)]
    pub(crate) interval: Duration,
    /// End after the first result
    #[arg(long, conflicts_with_all = ["table", "limit_changes", "for"])]
    pub(crate) once: bool,
    /// End after this many transactions that changed the result
    #[arg(long, value_name = "N", conflicts_with = "table")]
    pub(crate) limit_changes: Option<u64>,
    /// End after this time
    #[arg(long = "for", id = "for", value_name = "DURATION", value_parser = duration)]
    pub(crate) lasting: Option<Duration>,
}

/// What `explain` is told.
#[derive(Debug, Args)]
pub(crate) struct Explain {
    #[command(flatten)]
    pub(crate) query: Query,
    /// Print it as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// What `tables` is told.
#[derive(Debug, Args)]
pub(crate) struct Tables {
    /// The SQLite file
    pub(crate) file: String,
}

impl Arguments {
    /// Does what the command line says.
    ///
    /// # Errors
    /// What went wrong, with its exit code.
    pub(crate) fn run(&self) -> Result<(), Failure> {
        match &self.command {
            Command::Watch(watch) => watch::run(watch),
            Command::Explain(explain) => explain::run(explain),
            Command::Tables(tables) => tables::run(tables),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn help_answers() {
        let mut command = Arguments::command();
        let watch = command.find_subcommand_mut("watch").expect("watch");
        let help = watch.render_help().to_string();
        for part in ["--limit-changes <N>", "--for <DURATION>", "?1", ":owner", "Exit codes"] {
            assert!(help.contains(part), "{part} is missing in\n{help}");
        }
        assert!(command.render_help().to_string().contains("penstock explain app.db"));
    }
}
