//! What goes wrong, as one clear message and an exit code.

use std::io;
use std::process::ExitCode;

/// Says what goes wrong: in the log where there is one, else on standard error.
pub(crate) fn say(message: &str) {
    match penstock_sync::logging::is_started() {
        true => tracing::error!("{message}"),
        false => eprintln!("penstock-postgres-sync: {message}"),
    }
}

/// Why the tool ends early.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The server or the replica. Exit code 1.
    Source(String),
    /// The query is refused, or its result ended. Exit code 1.
    Query(Box<penstock::Error>),
    /// Sums differ; they have been printed. Exit code 1.
    Differs,
    /// The command line cannot be followed. Exit code 2.
    Usage(String),
    /// The doctor has found problems; they have been printed. Exit code 3.
    Problems,
    /// The output failed. A closed pipe is no error: whoever read it has had enough.
    Output(io::Error),
    /// It was ended by Ctrl-C, which is no error.
    Stopped,
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Output(error)
    }
}

impl From<penstock::Error> for Failure {
    fn from(error: penstock::Error) -> Failure {
        Failure::Query(Box::new(error))
    }
}

impl Failure {
    /// Says it on standard error, and returns the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        let (message, code) = match self {
            Failure::Stopped => return ExitCode::SUCCESS,
            Failure::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                return ExitCode::SUCCESS;
            }
            Failure::Source(reason) => (reason.clone(), 1),
            Failure::Query(error) => (error.to_string(), 1),
            Failure::Differs => ("the replica differs from the server".to_owned(), 1),
            Failure::Usage(problem) => (format!("{problem}; --help shows the usage"), 2),
            Failure::Problems => return ExitCode::from(3),
            Failure::Output(error) => (format!("cannot write the output: {error}"), 1),
        };
        say(&message);
        ExitCode::from(code)
    }
}
