//! Reading connection strings.

use tokio_postgres::config::{Host, SslMode};

use super::Config;

/// A text that does not say how to connect. The text itself is not repeated: it may hold a
/// password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAConfig {
    /// It is neither a URL nor a list of pairs.
    #[error(
        "the connection string cannot be read; it is postgres://user:password@host:port/database, with special \
         characters written as %20, or pairs such as host=localhost dbname=app, with values that hold blanks in \
         single quotes"
    )]
    Unreadable,
    /// No host is named.
    #[error("the connection string names no host: write postgres://host/database")]
    NoHost,
    /// More than one host is named.
    #[error(
        "the connection string names {0} hosts; name one, that of the server which takes writes"
    )]
    Hosts(usize),
    /// TLS is asked for.
    #[error(
        "sslmode={0} is not supported: this build connects without TLS; use sslmode=prefer or disable, through a \
         tunnel (ssh -L, stunnel) where the network is not trusted"
    )]
    Tls(String),
}

/// What `sslmode` may be, beyond what is understood here.
const TLS_MODES: [&str; 3] = ["require", "verify-ca", "verify-full"];

pub(super) fn parse(text: &str) -> Result<Config, NotAConfig> {
    let text = text.trim();
    if let Some(mode) = tls_asked(text) {
        return Err(NotAConfig::Tls(mode.to_owned()));
    }
    let mut inner: tokio_postgres::Config = text.parse().map_err(|_| NotAConfig::Unreadable)?;
    let host = match inner.get_hosts() {
        [Host::Tcp(host)] => host.clone(),
        [Host::Unix(folder)] => folder.to_string_lossy().into_owned(),
        [] => match inner.get_hostaddrs() {
            [address] => address.to_string(),
            [] => return Err(NotAConfig::NoHost),
            several => return Err(NotAConfig::Hosts(several.len())),
        },
        several => return Err(NotAConfig::Hosts(several.len())),
    };
    let port = inner.get_ports().first().copied().unwrap_or(5432);
    if inner.get_user().is_none() {
        let me = std::env::var("PGUSER").or_else(|_| std::env::var("USER"));
        inner.user(me.unwrap_or_else(|_| "postgres".into()));
    }
    let user = inner.get_user().unwrap_or("postgres").to_owned();
    let database = inner.get_dbname().unwrap_or(&user).to_owned();
    inner.dbname(&database).ssl_mode(SslMode::Disable);
    if inner.get_password().is_none()
        && let Ok(password) = std::env::var("PGPASSWORD")
    {
        inner.password(password);
    }
    Ok(Config::from_parts(inner, host, port, user, database))
}

/// The `sslmode` of a text, if it is one that needs TLS.
fn tls_asked(text: &str) -> Option<&str> {
    let is_url = text.starts_with("postgres://") || text.starts_with("postgresql://");
    let mut pairs: Box<dyn Iterator<Item = &str>> = match is_url {
        true => Box::new(text.split_once('?')?.1.split('&')),
        false => Box::new(text.split_ascii_whitespace()),
    };
    let mode = pairs.find_map(|pair| pair.strip_prefix("sslmode="))?;
    TLS_MODES.contains(&mode).then_some(mode)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_and_pairs_are_read() {
        for text in [
            "postgres://ann:se%20cret@db.example.org:5433/app",
            "postgresql://ann:se%20cret@db.example.org:5433/app?sslmode=prefer",
            "host=db.example.org port=5433 user=ann password='se cret' dbname=app sslmode=disable",
        ] {
            let config = Config::parse(text).expect(text);
            assert_eq!(config.name(), "app on db.example.org:5433", "{text}");
            assert_eq!(config.user(), "ann");
            assert_eq!(config.inner.get_password(), Some(&b"se cret"[..]));
        }
    }

    #[test]
    fn defaults_are_those_of_the_server() {
        let config = Config::parse("host=/run/postgresql user=ann").expect("a folder");
        assert_eq!((config.host(), config.port()), ("/run/postgresql", 5432));
        assert_eq!(config.database(), "ann");
        assert_eq!(config.name(), "ann on /run/postgresql");
    }

    #[test]
    fn no_message_shows_the_password() {
        let secrets = [
            "postgres://ann:hunter2@h:p/app",
            "postgres://ann:hunter2@a,b/app",
            "postgres://ann:hunter2@a/app?sslmode=verify-full",
            "host=a password=hunter2 hunter2=3",
            "host=a password='hunter2",
            "user=ann password=hunter2",
            "hunter2",
        ];
        for text in secrets {
            let error = Config::parse(text).expect_err(text);
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
        }
        let config = Config::parse("postgres://ann:hunter2@a/app").expect("a URL");
        assert!(!format!("{config:?} {}", config.name()).contains("hunter2"));
    }

    #[test]
    fn what_is_not_supported_is_refused_by_name() {
        assert_eq!(Config::parse("postgres://a,b/app"), Err(NotAConfig::Hosts(2)));
        assert_eq!(Config::parse("dbname=app"), Err(NotAConfig::NoHost));
        let error = Config::parse("host=a sslmode=require").expect_err("TLS");
        assert_eq!(error, NotAConfig::Tls("require".into()));
    }
}
