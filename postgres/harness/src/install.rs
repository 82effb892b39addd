//! Which Postgres versions are on this machine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Error;

/// Further folders of `initdb` and `postgres`, separated like those of `PATH`.
pub const FOLDERS_VARIABLE: &str = "PENSTOCK_POSTGRES_BIN";

/// The major version that tests take which need one server of any; the newest found unless it is set.
pub const MAJOR_VARIABLE: &str = "PENSTOCK_POSTGRES_MAJOR";

/// The programs of one major version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installation {
    /// The major version, such as 15.
    pub major: u32,
    /// What `postgres --version` says behind the name, such as `15.18 (Debian 15.18-0+deb12u1)`.
    pub version: String,
    /// The folder that holds `initdb` and `postgres`.
    pub bin: PathBuf,
}

impl Installation {
    /// Every major version found, oldest first: in the folders that `PENSTOCK_POSTGRES_BIN` names,
    /// in `/usr/lib/postgresql`, and on `PATH`. Of one major version the first found counts.
    ///
    /// # Errors
    ///
    /// None was found. The message says what to install; a test that needs a server fails with it.
    pub fn all() -> Result<Vec<Installation>, Error> {
        let mut found = BTreeMap::new();
        for folder in folders() {
            if let Some(installation) = Installation::of(&folder) {
                found.entry(installation.major).or_insert(installation);
            }
        }
        match found.is_empty() {
            true => Err(none_found()),
            false => Ok(found.into_values().collect()),
        }
    }

    /// The newest major version found, or that which `PENSTOCK_POSTGRES_MAJOR` asks for.
    ///
    /// # Errors
    ///
    /// None was found, or not that one.
    pub fn newest() -> Result<Installation, Error> {
        let mut all = Installation::all()?;
        let Some(wanted) = std::env::var_os(MAJOR_VARIABLE) else {
            return all.pop().ok_or_else(none_found);
        };
        let found = all.iter().position(|it| wanted == *it.major.to_string());
        found.map(|at| all.swap_remove(at)).ok_or_else(|| {
            let wanted = wanted.to_string_lossy();
            Error(format!("{MAJOR_VARIABLE} asks for Postgres {wanted}, which was not found"))
        })
    }

    /// The newest major version that has the output plugin wal2json.
    ///
    /// # Errors
    ///
    /// There is none, and the message says what to install.
    pub fn with_wal2json() -> Result<Installation, Error> {
        let mut all = Installation::all()?;
        all.retain(Installation::has_wal2json);
        all.pop().ok_or_else(|| {
            Error(
                "no Postgres with wal2json was found: apt-get install postgresql-15-wal2json"
                    .into(),
            )
        })
    }

    /// Whether the output plugin wal2json is installed with it.
    pub fn has_wal2json(&self) -> bool {
        let folder = Command::new(self.bin.join("pg_config")).arg("--pkglibdir").output();
        let folder = match folder {
            Ok(output) if output.status.success() => {
                PathBuf::from(String::from_utf8_lossy(&output.stdout).trim())
            }
            _ => self.bin.join("../lib"),
        };
        // Debian's pg_config may be that of another major version.
        [folder, self.bin.join("../lib")].iter().any(|folder| {
            folder.join("wal2json.so").exists()
                && (folder.starts_with(self.bin.parent().unwrap_or(&self.bin))
                    || folder.to_string_lossy().contains(&format!("/{}/", self.major)))
        })
    }

    /// Whether its servers have a setting of this name.
    pub(crate) fn has_setting(&self, name: &str) -> bool {
        let output = Command::new(self.bin.join("postgres")).arg("--describe-config").output();
        output.is_ok_and(|output| {
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            text.lines().any(|line| line.split('\t').next() == Some(name))
        })
    }

    fn of(bin: &Path) -> Option<Installation> {
        if !bin.join("initdb").exists() {
            return None;
        }
        let output = Command::new(bin.join("postgres")).arg("--version").output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        let version = text.trim().strip_prefix("postgres (PostgreSQL) ")?.to_owned();
        let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
        Some(Installation { major: digits.parse().ok()?, version, bin: bin.to_owned() })
    }
}

fn folders() -> Vec<PathBuf> {
    let of_variable = |name| std::env::var_os(name).unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&of_variable(FOLDERS_VARIABLE)).collect();
    if let Ok(majors) = std::fs::read_dir("/usr/lib/postgresql") {
        let mut of_debian: Vec<PathBuf> =
            majors.flatten().map(|entry| entry.path().join("bin")).collect();
        of_debian.sort();
        folders.extend(of_debian);
    }
    folders.extend(std::env::split_paths(&of_variable("PATH")));
    folders
}

fn none_found() -> Error {
    Error(format!(
        "no Postgres server was found; on Debian: apt-get install postgresql postgresql-15-wal2json (or name \
         the folders of initdb in {FOLDERS_VARIABLE})"
    ))
}
