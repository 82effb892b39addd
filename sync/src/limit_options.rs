//! The limits, on the command line, as environment variables and in a file of options.

use std::time::Duration;

use clap::Args;

use crate::{hub, server};

/// Options by which it is limited what clients may ask for. `/inspect` and `/metrics` show them, and how
/// often each was hit.
#[derive(Args, Clone, Debug)]
pub struct LimitOptions {
    /// Most client groups that are live
    #[arg(long, env = "PENSTOCK_MAX_GROUPS", default_value_t = hub().groups, value_name = "N")]
    pub max_groups: usize,
    /// Most clients of a group
    #[arg(long, env = "PENSTOCK_MAX_CLIENTS", default_value_t = hub().clients, value_name = "N")]
    pub max_clients: usize,
    /// Most queries of a client group
    #[arg(long, env = "PENSTOCK_MAX_QUERIES", default_value_t = hub().queries, value_name = "N")]
    pub max_queries: usize,
    /// Most rows of a client group
    #[arg(long, env = "PENSTOCK_MAX_ROWS", default_value_t = hub().rows, value_name = "N")]
    pub max_rows: usize,
    /// Most bytes of a query's text, or of its arguments
    #[arg(long, env = "PENSTOCK_MAX_QUERY_BYTES", default_value_t = hub().query_bytes, value_name = "N")]
    pub max_query_bytes: usize,
    /// Most bytes of all queries of a client group
    #[arg(long, env = "PENSTOCK_MAX_GROUP_QUERY_BYTES", default_value_t = hub().group_query_bytes, value_name = "N")]
    pub max_group_query_bytes: usize,
    /// How deeply conditions and subqueries of a query may be nested
    #[arg(long, env = "PENSTOCK_MAX_QUERY_DEPTH", default_value_t = hub().query_depth, value_name = "N")]
    pub max_query_depth: usize,
    /// Most related lists and EXISTS of a query
    #[arg(long, env = "PENSTOCK_MAX_QUERY_SUBQUERIES", default_value_t = hub().query_subqueries, value_name = "N")]
    pub max_query_subqueries: usize,
    /// Most rows that a query may read when it is filled
    #[arg(long, env = "PENSTOCK_MAX_HYDRATION_READS", default_value_t = hub().hydration_reads, value_name = "N")]
    pub max_hydration_reads: usize,
    /// How long a query may take to be filled, in milliseconds
    #[arg(long, env = "PENSTOCK_MAX_HYDRATION_MS", default_value_t = hub().hydration_ms, value_name = "N")]
    pub max_hydration_ms: u64,
    /// Most bytes of the name of a group, client, user or query
    #[arg(long, env = "PENSTOCK_MAX_NAME_BYTES", default_value_t = hub().name_bytes, value_name = "N")]
    pub max_name_bytes: usize,
    /// Most bytes of a client's tables, or of its headers for an endpoint
    #[arg(long, env = "PENSTOCK_MAX_INITIAL_BYTES", default_value_t = hub().initial_bytes, value_name = "N")]
    pub max_initial_bytes: usize,
    /// Most questions to the application that a connection may have open
    #[arg(long, env = "PENSTOCK_MAX_QUESTIONS", default_value_t = hub().questions, value_name = "N")]
    pub max_questions: usize,
    /// Bytes that may wait for a client before it is told less often
    #[arg(long, env = "PENSTOCK_MAX_QUEUED_BYTES", default_value_t = hub().queued_bytes, value_name = "N")]
    pub max_queued_bytes: usize,
    /// How long a client may be behind before it has to connect again, in milliseconds
    #[arg(long, env = "PENSTOCK_MAX_BEHIND_MS", default_value_t = hub().behind_ms, value_name = "N")]
    pub max_behind_ms: u64,
    /// How long a client may be connected without saying what it wants, in milliseconds
    #[arg(long, env = "PENSTOCK_MAX_INITIALISE_MS", default_value_t = hub().initialise_ms, value_name = "N")]
    pub max_initialise_ms: u64,
    /// Most connections
    #[arg(long, env = "PENSTOCK_MAX_CONNECTIONS", default_value_t = server().connections, value_name = "N")]
    pub max_connections: usize,
    /// Most bytes of the head of a request
    #[arg(long, env = "PENSTOCK_MAX_HEADER_BYTES", default_value_t = server().header_bytes, value_name = "N")]
    pub max_header_bytes: usize,
    /// How long the head of a request may take, in milliseconds
    #[arg(long, env = "PENSTOCK_MAX_HEADER_MS", default_value_t = ms(server().header_time), value_name = "N")]
    pub max_header_ms: u64,
    /// Most bytes of a client's message
    #[arg(long, env = "ZERO_WEBSOCKET_MAX_PAYLOAD_BYTES", default_value_t = server().frame_bytes, value_name = "N")]
    pub max_message_bytes: usize,
    /// Bytes of a client's messages that may wait to be dealt with
    #[arg(long, env = "PENSTOCK_MAX_UNHANDLED_BYTES", default_value_t = server().unhandled_bytes, value_name = "N")]
    pub max_unhandled_bytes: usize,
    /// After how long without a message a client is sent a sign of life, in milliseconds
    #[arg(long, env = "PENSTOCK_QUIET_MS", default_value_t = ms(server().quiet), value_name = "N")]
    pub quiet_ms: u64,
    /// How long a client may send nothing before its connection is closed, in milliseconds
    #[arg(long, env = "PENSTOCK_MAX_SILENT_MS", default_value_t = ms(server().silent), value_name = "N")]
    pub max_silent_ms: u64,
    /// How long a message may take to be sent before the connection is closed, in milliseconds
    #[arg(long, env = "PENSTOCK_MAX_WRITE_MS", default_value_t = ms(server().write_time), value_name = "N")]
    pub max_write_ms: u64,
}

fn hub() -> hub::Limits {
    hub::Limits::default()
}

fn server() -> server::Limits {
    server::Limits::default()
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl LimitOptions {
    /// The limits of the hub.
    #[must_use]
    pub fn hub(&self) -> hub::Limits {
        hub::Limits {
            groups: self.max_groups,
            clients: self.max_clients,
            queries: self.max_queries,
            rows: self.max_rows,
            query_bytes: self.max_query_bytes,
            group_query_bytes: self.max_group_query_bytes,
            query_depth: self.max_query_depth,
            query_subqueries: self.max_query_subqueries,
            hydration_reads: self.max_hydration_reads,
            hydration_ms: self.max_hydration_ms,
            name_bytes: self.max_name_bytes,
            initial_bytes: self.max_initial_bytes,
            questions: self.max_questions,
            queued_bytes: self.max_queued_bytes,
            behind_ms: self.max_behind_ms,
            initialise_ms: self.max_initialise_ms,
        }
    }

    /// The limits of sockets.
    #[must_use]
    pub fn server(&self) -> server::Limits {
        server::Limits {
            connections: self.max_connections,
            header_bytes: self.max_header_bytes.max(8192),
            header_time: Duration::from_millis(self.max_header_ms),
            frame_bytes: self.max_message_bytes,
            unhandled_bytes: self.max_unhandled_bytes,
            quiet: Duration::from_millis(self.quiet_ms),
            silent: Duration::from_millis(self.max_silent_ms),
            write_time: Duration::from_millis(self.max_write_ms),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;

    #[derive(Parser)]
    struct Tool {
        #[command(flatten)]
        limits: LimitOptions,
    }

    #[test]
    fn every_limit_has_an_option_and_a_variable_and_by_default_its_default() {
        let none = Tool::try_parse_from(["tool"]).expect("good arguments").limits;
        assert_eq!((none.hub(), none.server()), (hub(), server()));
        let limits = hub().named().len() + server().named().len();
        let command = Tool::command();
        let options: Vec<_> = command.get_arguments().filter(|of| of.get_env().is_some()).collect();
        assert_eq!(options.len(), limits);
        // Each is the one that it says: none is taken for another.
        for (at, option) in options.iter().enumerate() {
            let value = (100_000 + at).to_string();
            let name = format!("--{}", option.get_long().expect("a name"));
            let one = Tool::try_parse_from(["tool", &name, &value]).expect(&name).limits;
            let before = none.hub().named().into_iter().chain(none.server().named());
            let after = one.hub().named().into_iter().chain(one.server().named());
            let changed: Vec<_> = before.zip(after).filter(|(a, b)| a != b).collect();
            assert_eq!(changed.len(), 1, "{name}: {changed:?}");
            assert_eq!(changed[0].1.1.to_string(), value, "{name}");
            let plain = |text: &str| text.replace("max-", "").replace(['-', '_'], "");
            let (option, limit) = (plain(&name), plain(changed[0].1.0.name()));
            let same =
                option == limit || (option, limit) == ("messagebytes".into(), "framebytes".into());
            assert!(same, "{name} is {}", changed[0].1.0.name());
        }
    }
}
