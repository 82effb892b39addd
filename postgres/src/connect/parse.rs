//! Reading connection strings.

use tokio_postgres::config::{ChannelBinding, Host, SslMode, SslNegotiation};

use super::Config;
use super::parameters;
use super::tls::Tls;

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
    /// Encryption is asked for in a way that makes no sense or is not supported.
    #[error("{0}")]
    Encryption(String),
}

pub(super) fn parse(text: &str) -> Result<Config, NotAConfig> {
    let text = text.trim();
    let (text, encryption) = parameters::take(text).ok_or(NotAConfig::Unreadable)?;
    let mut inner: tokio_postgres::Config = text.parse().map_err(|_| NotAConfig::Unreadable)?;
    let tls = Tls::of(&encryption, |name| std::env::var(name).ok());
    let tls = tls.map_err(NotAConfig::Encryption)?;
    let unsupported = |what: &str| Err(NotAConfig::Encryption(what.to_owned()));
    if inner.get_ssl_negotiation() == SslNegotiation::Direct {
        return unsupported("sslnegotiation=direct is not supported: leave it out");
    }
    if inner.get_channel_binding() == ChannelBinding::Require {
        return unsupported(
            "channel_binding=require is not supported, as replication connections have none: leave it out, and \
             write sslmode=verify-full, so that no other server is talked to",
        );
    }
    let host = match inner.get_hosts() {
        [Host::Tcp(host)] => host.clone(),
        [Host::Unix(folder)] => folder.to_string_lossy().into_owned(),
        [] => match inner.get_hostaddrs() {
            [address] => {
                let address = address.to_string();
                inner.host(&address);
                address
            }
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
    Ok(Config { inner, host, port, user, database, tls })
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
            "postgres://ann:hunter2@a/app?sslmode=hunter2",
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
        for (text, advice) in [
            ("host=a sslmode=allow", "write sslmode=prefer"),
            ("postgres://a/app?sslnegotiation=direct", "leave it out"),
            ("postgres://a/app?sslmode=require&channel_binding=require", "sslmode=verify-full"),
        ] {
            let error = Config::parse(text).expect_err(text);
            assert!(error.to_string().contains(advice), "{error}");
        }
    }
}
