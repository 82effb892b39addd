//! The ways in which a server is followed.

use std::path::PathBuf;

use penstock_postgres::setup::{Plugin, SchemaEvents, Setup};
use penstock_postgres_harness::{Installation, Options, Server};

use crate::equal;

/// What writes the stream, and whether an event trigger reports DDL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct How {
    plugin: Plugin,
    schema_events: SchemaEvents,
}

impl How {
    pub(crate) const fn pgoutput() -> How {
        How { plugin: Plugin::Pgoutput, schema_events: SchemaEvents::Off }
    }

    pub(crate) const fn wal2json() -> How {
        How { plugin: Plugin::Wal2json, schema_events: SchemaEvents::Off }
    }

    /// Through pgoutput, with reports of DDL.
    pub(crate) const fn reported() -> How {
        How { schema_events: SchemaEvents::IfAllowed, ..How::pgoutput() }
    }

    /// Through wal2json, with reports of DDL.
    pub(crate) const fn wal2json_reported() -> How {
        How { schema_events: SchemaEvents::IfAllowed, ..How::wal2json() }
    }

    /// One word for it.
    pub(crate) fn name(self) -> String {
        let end = if self.schema_events == SchemaEvents::Off { "" } else { "-reported" };
        format!("{}{end}", self.plugin.name())
    }

    /// The one that a word stands for.
    pub(crate) fn of_name(name: &str) -> How {
        let all = [How::pgoutput(), How::wal2json(), How::reported(), How::wal2json_reported()];
        let found = all.into_iter().find(|how| how.name() == name);
        found.unwrap_or_else(|| panic!("there is no way called {name}"))
    }

    /// The output plugin's name.
    pub(crate) fn plugin(self) -> &'static str {
        self.plugin.name()
    }

    pub(crate) fn setup(self) -> Setup {
        Setup { plugin: self.plugin, schema_events: self.schema_events, ..Setup::default() }
    }

    /// The newest server that can be followed so.
    pub(crate) fn server(self) -> Server {
        self.server_with(Options::fast())
    }

    pub(crate) fn server_with(self, options: Options) -> Server {
        let installation = match self.plugin {
            Plugin::Pgoutput => Installation::newest(),
            Plugin::Wal2json => Installation::with_wal2json(),
        };
        let installation = installation.unwrap_or_else(|error| panic!("{error}"));
        Server::start(&installation, options).expect("a server")
    }

    /// A replica's file that is not there yet.
    pub(crate) fn file(self, name: &str) -> PathBuf {
        equal::file(&format!("{name}-{}", self.name()))
    }
}

/// Makes tests of a function, one of each way that is named.
macro_rules! each {
    ($body:ident: $($way:ident),+) => {
        mod $body {
            $(
                #[test]
                fn $way() {
                    super::$body(crate::how::How::$way());
                }
            )+
        }
    };
}
pub(crate) use each;
