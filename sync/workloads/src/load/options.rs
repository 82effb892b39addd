//! The command line of the load generator.

use std::time::Duration;

use super::Wants;

/// The text of `--help`.
pub const USAGE: &str = "\
Opens many clients of a sync server, each a client group of its own with live queries over the tables
issue, comment, issue_label, user and label, and says what they receive. The clients speak the protocol
over raw sockets and do no more with it than a measurement needs.

USAGE: sync-load --server HOST:PORT [OPTIONS]

  --server HOST:PORT  where the sync server listens; it must allow ad-hoc queries
  --groups N          how many client groups (default 10, at most 10000)
  --seconds N         when to end, whatever happens (default 60, at most 86400)
  --first N           the person of the first client (default 0); the next client is the next person
  --owners N          every client has N lists of one owner's issues each, instead of five queries
  --control           obey commands on standard input, a line of JSON each, and open nothing by itself;
                      --groups is then the limit
  --help              this text

It prints one line of JSON per figure: complete_p50 and complete_p99 are µs from connecting until all
queries were complete, one client after another; rows is how many all hold then; pokes, frames and bytes
are what came per second from then on. Progress goes to standard error. The exit code is 1 if a client is
refused or sent away, 2 for a wrong command line.";

const GROUPS_MAX: usize = 10_000;
const SECONDS_MAX: u64 = 86_400;

/// What to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// `HOST:PORT` of the server.
    pub server: String,
    /// How many clients to open.
    pub groups: usize,
    /// How many clients there may be.
    pub groups_max: usize,
    /// When to end.
    pub time: Duration,
    /// What clients want.
    pub wants: Wants,
    /// Whether to obey commands.
    pub control: bool,
}

/// Reads the command line; `None` asks for help.
///
/// # Errors
/// What is wrong with it.
pub fn parse(arguments: &[String]) -> Result<Option<Options>, String> {
    let (mut server, mut groups, mut seconds) = (None, 10, 60);
    let (mut first, mut owners, mut control) = (0, None, false);
    let mut rest = arguments.iter();
    while let Some(option) = rest.next() {
        let mut value = || rest.next().ok_or_else(|| format!("{option} needs a value"));
        match option.as_str() {
            "--help" | "-h" => return Ok(None),
            "--server" => server = Some(value()?.clone()),
            "--groups" => groups = number(option, value()?, 1, GROUPS_MAX as u64)?,
            "--seconds" => seconds = number(option, value()?, 1, SECONDS_MAX)?,
            "--first" => first = number(option, value()?, 0, 1_000_000)?,
            "--owners" => owners = Some(number(option, value()?, 1, 10_000)?),
            "--control" => control = true,
            other => return Err(format!("unknown option {other}")),
        }
    }
    let small = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    let groups = usize::try_from(groups).unwrap_or(GROUPS_MAX);
    Ok(Some(Options {
        server: server.ok_or("--server is missing")?,
        groups,
        groups_max: groups,
        time: Duration::from_secs(seconds),
        wants: match owners {
            Some(count) => Wants::Owners { count: small(count) },
            None => Wants::Person { first: small(first) },
        },
        control,
    }))
}

fn number(option: &str, text: &str, least: u64, most: u64) -> Result<u64, String> {
    let number = text.parse().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| format!("{option} needs a number from {least} to {most}, found {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Option<Options>, String> {
        parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn options_are_read() {
        let options = parsed("--server h:1 --groups 3 --seconds 7 --owners 5 --control");
        let options = options.expect("good").expect("not help");
        assert_eq!((options.groups, options.time.as_secs(), options.control), (3, 7, true));
        assert_eq!(options.wants, Wants::Owners { count: 5 });
        assert_eq!(
            parsed("--groups x --help"),
            Err("--groups needs a number from 1 to 10000, found x".to_owned())
        );
        assert_eq!(parsed("--help"), Ok(None));
        for wrong in ["", "--server", "--server h --groups 0", "--server h --groups 10001", "--x"] {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
    }
}
