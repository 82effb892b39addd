//! Encrypted connections: which ones, whom they trust, and how they are made.
//!
//! | `sslmode` | encrypted | the server's certificate |
//! |---|---|---|
//! | `disable` | never | |
//! | `prefer` (unless said otherwise) | if the server can, and takes it | any, unless there is a file of authorities |
//! | `require` | always | any, unless there is a file of authorities |
//! | `verify-ca` | always | signed by an authority that is trusted |
//! | `verify-full` | always | signed so, and for the host that is asked for |
//!
//! `sslrootcert` names the file of authorities, else `PGSSLROOTCERT` does, else
//! `~/.postgresql/root.crt` is taken if it is there, as `libpq` has it. Without any, or with
//! `sslrootcert=system`, those of the operating system are trusted. Connections through Unix sockets are
//! never encrypted.

mod connector;
mod forward;
mod verify;

use std::collections::BTreeMap;
use std::path::PathBuf;

pub(super) use connector::{Connector, TlsError};
pub(super) use forward::{NOT_OFFERED, open as forward};

/// Which connections are encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Disable,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

/// What is checked of a server's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    /// That the server has its key.
    Nothing,
    /// … and who signed it.
    Chain,
    /// … and for whom it is.
    Name,
}

/// How connections are encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tls {
    pub(super) mode: Mode,
    /// The file of authorities; without one those of the operating system are trusted.
    roots: Option<PathBuf>,
    /// Our own certificate and its key.
    identity: Option<(PathBuf, PathBuf)>,
}

impl Tls {
    /// Reads the parameters of a connection string, or the variables that stand for them. The error says
    /// in words what is wrong.
    pub(super) fn of(
        parameters: &BTreeMap<&'static str, String>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Tls, String> {
        let given = |name: &str, variable_name: &str| {
            let value = parameters.get(name).cloned().or_else(|| variable(variable_name));
            value.filter(|value| !value.is_empty())
        };
        let mode = given("sslmode", "PGSSLMODE");
        let mode = match mode.as_deref() {
            None | Some("prefer") => Mode::Prefer,
            Some("disable") => Mode::Disable,
            Some("require") => Mode::Require,
            Some("verify-ca") => Mode::VerifyCa,
            Some("verify-full") => Mode::VerifyFull,
            Some("allow") => {
                return Err("sslmode=allow is not supported: write sslmode=prefer".to_owned());
            }
            // It is not repeated: a text that is not read right may have a password anywhere.
            Some(_) => {
                return Err(
                    "sslmode is one of disable, prefer, require, verify-ca, verify-full".to_owned()
                );
            }
        };
        let roots = match given("sslrootcert", "PGSSLROOTCERT") {
            Some(system) if system == "system" => {
                if mode != Mode::VerifyFull {
                    return Err(
                        "sslrootcert=system asks for sslmode=verify-full: anybody can get a certificate for \
                         some name"
                            .to_owned(),
                    );
                }
                None
            }
            Some(file) => Some(PathBuf::from(file)),
            None => variable("HOME")
                .map(|home| PathBuf::from(home).join(".postgresql/root.crt"))
                .filter(|file| file.exists()),
        };
        let identity = match (given("sslcert", "PGSSLCERT"), given("sslkey", "PGSSLKEY")) {
            (Some(certificate), Some(key)) => Some((certificate.into(), key.into())),
            (None, None) => None,
            _ => return Err("sslcert and sslkey need each other: name both files".to_owned()),
        };
        Ok(Tls { mode, roots, identity })
    }

    fn level(&self) -> Level {
        match self.mode {
            Mode::VerifyFull => Level::Name,
            Mode::VerifyCa => Level::Chain,
            Mode::Disable | Mode::Prefer | Mode::Require if self.roots.is_some() => Level::Chain,
            Mode::Disable | Mode::Prefer | Mode::Require => Level::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&'static str, &str)], variables: &[(&str, &str)]) -> Result<Tls, String> {
        let parameters = pairs.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        Tls::of(&parameters, |name| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn what_is_checked_depends_on_mode_and_authorities() {
        type Pairs<'a> = &'a [(&'static str, &'a str)];
        let cases: [(Pairs<'_>, Mode, Level); 8] = [
            (&[], Mode::Prefer, Level::Nothing),
            (&[("sslmode", "disable")], Mode::Disable, Level::Nothing),
            (&[("sslmode", "require")], Mode::Require, Level::Nothing),
            (&[("sslmode", "require"), ("sslrootcert", "ca.crt")], Mode::Require, Level::Chain),
            (&[("sslrootcert", "ca.crt")], Mode::Prefer, Level::Chain),
            (&[("sslmode", "verify-ca")], Mode::VerifyCa, Level::Chain),
            (&[("sslmode", "verify-full")], Mode::VerifyFull, Level::Name),
            (
                &[("sslmode", "verify-full"), ("sslrootcert", "system")],
                Mode::VerifyFull,
                Level::Name,
            ),
        ];
        for (pairs, mode, level) in cases {
            let tls = of(pairs, &[]).expect("sound");
            assert_eq!((tls.mode, tls.level()), (mode, level), "{pairs:?}");
        }
    }

    #[test]
    fn variables_stand_for_what_is_not_said() {
        let variables = [("PGSSLMODE", "verify-ca"), ("PGSSLROOTCERT", "/ca.crt")];
        let tls = of(&[], &variables).expect("sound");
        assert_eq!((tls.mode, tls.roots), (Mode::VerifyCa, Some(PathBuf::from("/ca.crt"))));
        let tls = of(&[("sslmode", "disable")], &variables).expect("sound");
        assert_eq!(tls.mode, Mode::Disable);
    }

    #[test]
    fn what_makes_no_sense_is_refused_in_words() {
        let refused = |pairs: &[(&'static str, &str)]| of(pairs, &[]).expect_err("no sense");
        assert!(refused(&[("sslmode", "allow")]).contains("write sslmode=prefer"));
        assert!(refused(&[("sslmode", "hunter2")]).starts_with("sslmode is one of"));
        assert!(!refused(&[("sslmode", "hunter2")]).contains("hunter2"));
        let weak = refused(&[("sslmode", "require"), ("sslrootcert", "system")]);
        assert!(weak.contains("asks for sslmode=verify-full"), "{weak}");
        assert!(refused(&[("sslcert", "a")]).contains("need each other"));
    }
}
