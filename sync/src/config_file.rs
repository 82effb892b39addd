//! Options from a TOML file, below those of the command line and of the environment.

use std::ffi::OsString;
use std::path::Path;

use clap::Command;
use toml::{Table, Value};

/// The command line with what a file has added to it: the file is named by `--config FILE`,
/// `--config=FILE` or the environment variable `PENSTOCK_CONFIG`. Its keys are the long names of options;
/// lists are for options that may be repeated. `command` is the one whose options they are.
///
/// # Errors
/// A file that cannot be read, or a key that is no option; with what it is.
pub fn with_config_file(
    arguments: impl IntoIterator<Item = OsString>,
    command: &Command,
) -> Result<Vec<OsString>, String> {
    let mut arguments: Vec<OsString> = arguments.into_iter().collect();
    let Some(path) = take_path(&mut arguments)? else { return Ok(arguments) };
    let path = Path::new(&path);
    let at = |problem: &dyn std::fmt::Display| format!("{}: {problem}", path.display());
    let text = std::fs::read_to_string(path).map_err(|error| at(&error))?;
    let table: Table = text.parse().map_err(|error| at(&error))?;
    for (key, value) in table {
        let option = command.get_arguments().find(|option| option.get_long() == Some(&key));
        let option =
            option.ok_or_else(|| at(&format!("there is no option \"{key}\"; see --help")))?;
        let (plain, with_value) = (format!("--{key}"), format!("--{key}="));
        let is_given = arguments.iter().any(|given| {
            given.to_str().is_some_and(|given| given == plain || given.starts_with(&with_value))
        });
        let in_environment = option.get_env().is_some_and(|name| std::env::var_os(name).is_some());
        if is_given || in_environment {
            continue;
        }
        let values = match value {
            Value::Array(values) => values,
            value => vec![value],
        };
        for value in values {
            match value {
                Value::Boolean(true) => arguments.push(plain.clone().into()),
                Value::Boolean(false) => {}
                Value::String(text) => arguments.push(format!("{with_value}{text}").into()),
                Value::Integer(number) => arguments.push(format!("{with_value}{number}").into()),
                other => return Err(at(&format!("{key} cannot be {other}"))),
            }
        }
    }
    Ok(arguments)
}

/// Takes `--config` out of the command line.
fn take_path(arguments: &mut Vec<OsString>) -> Result<Option<OsString>, String> {
    let at = arguments.iter().position(|given| {
        given.to_str().is_some_and(|given| given == "--config" || given.starts_with("--config="))
    });
    let Some(at) = at else { return Ok(std::env::var_os("PENSTOCK_CONFIG")) };
    let given = arguments.remove(at);
    if let Some(path) = given.to_str().and_then(|given| given.strip_prefix("--config=")) {
        return Ok(Some(path.into()));
    }
    if at < arguments.len() {
        Ok(Some(arguments.remove(at)))
    } else {
        Err("--config needs a file".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use clap::{Arg, ArgAction};

    use super::*;

    fn command() -> Command {
        Command::new("tool")
            .arg(Arg::new("port").long("port"))
            .arg(Arg::new("table").long("table").action(ArgAction::Append))
            .arg(Arg::new("inspect").long("inspect").action(ArgAction::SetTrue))
            .arg(Arg::new("home").long("home").env("PATH"))
    }

    fn with(text: &str, given: &[&str]) -> Result<Vec<String>, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("penstock.toml");
        std::fs::write(&file, text).expect("a file");
        let mut arguments: Vec<OsString> = given.iter().map(OsString::from).collect();
        arguments.extend(["--config".into(), file.into()]);
        let all = with_config_file(arguments, &command())?;
        Ok(all.into_iter().map(|each| each.into_string().expect("UTF-8")).collect())
    }

    #[test]
    fn a_file_adds_what_is_not_said_elsewhere() {
        let text = "port = 1\ninspect = true\ntable = [\"a\", \"b\"]\nhome = \"x\"";
        let all = with(text, &["tool", "--port=2"]).expect("good");
        assert_eq!(all[..2], ["tool", "--port=2"]);
        for added in ["--inspect", "--table=a", "--table=b"] {
            assert!(all.iter().any(|each| each == added), "{all:?}");
        }
        // PATH is in the environment, and --port on the command line.
        assert_eq!(all.len(), 5, "{all:?}");
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said() {
        let problem = |text| with(text, &["tool"]).expect_err("a problem");
        assert!(problem("prot = 1").contains("\"prot\""));
        assert!(problem("port = ").contains("penstock.toml"));
        assert!(problem("port = 1.5").contains("port cannot be 1.5"));
        let nothing = with_config_file(["tool".into(), "--config".into()], &command());
        assert_eq!(nothing, Err("--config needs a file".to_owned()));
    }
}
