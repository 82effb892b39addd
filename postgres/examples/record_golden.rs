//! Records the streams in `tests/golden` from real servers:
//! `cargo run -p penstock-postgres --example record_golden`.
//!
//! Every `NAME.sql` is run on every Postgres found (`PENSTOCK_POSTGRES_BIN` names further folders of
//! `initdb`); `MAJOR/NAME.messages` gets the messages of pgoutput in hexadecimal digits, one a line,
//! `MAJOR/NAME.types` the types of the database, `MAJOR/NAME.wal2json` the lines of wal2json where it is
//! installed, and `MAJOR/NAME.txt` what all of that means: read the difference before you keep it.
//! With the argument `--readable` only the last is written again, from what was recorded.
//!
//! The SQL is in paragraphs, each of which is sent as one. What follows `-- slot` is recorded. The
//! second line says with which options of the plugin, and from which major version on; lines below it
//! such as `-- as NAME: options` have the same recorded with others, by another name. A paragraph below
//! `-- from 17` is for that version and later ones.

#[path = "../tests/support/golden.rs"]
mod golden;

use std::fs;
use std::path::Path;

use penstock_postgres::types::{CATALOGUE_SQL, SESSION_SETTINGS};
use penstock_postgres::wal2json;
use penstock_postgres_harness::{Client, Installation, Options, Server};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result<()> {
    let mut files: Vec<_> = fs::read_dir(golden::folder())?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|ending| ending == "sql"))
        .collect();
    files.sort();
    let mut cases = Vec::new();
    for file in &files {
        cases.extend(cases_of(file, &fs::read_to_string(file)?));
    }
    if std::env::args().nth(1).as_deref() == Some("--readable") {
        return tell_again(&cases);
    }
    for installation in Installation::all()? {
        let folder = golden::folder().join(installation.major.to_string());
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("version"), format!("{}\n", installation.version))?;
        for case in &cases {
            record(&installation, case, &folder)?;
        }
        record_builtin_types(&installation, &folder)?;
    }
    Ok(())
}

fn tell_again(cases: &[Case]) -> Result<()> {
    for entry in fs::read_dir(golden::folder())? {
        let folder = entry?.path();
        for case in cases {
            if folder.join(&case.name).with_extension("messages").exists() {
                tell(&folder, &case.name)?;
            }
        }
    }
    Ok(())
}

fn tell(folder: &Path, name: &str) -> Result<()> {
    let recording = golden::Recording::read(folder, name);
    Ok(fs::write(folder.join(format!("{name}.txt")), recording.readable())?)
}

fn start(installation: &Installation) -> Result<Server> {
    let mut settings = vec![
        "max_prepared_transactions = 5".to_owned(),
        "logical_decoding_work_mem = '64kB'".to_owned(),
    ];
    if installation.has_wal2json() {
        settings.push("output_plugin_libraries = 'pgoutput, wal2json'".to_owned());
    }
    Ok(Server::start(installation, Options { settings, ..Options::fast() })?)
}

/// What is recorded by one name.
struct Case {
    name: String,
    sql: String,
    plan: Plan,
}

/// The cases of a file: one of its own name, and those that its lines below name.
fn cases_of(file: &Path, sql: &str) -> Vec<Case> {
    let own = file.file_stem().expect("a file has a name").to_string_lossy();
    let header = sql.lines().skip(1).take_while(|line| line.starts_with("-- "));
    let cases = header.map(|line| {
        let (name, options) = match line.strip_prefix("-- options: ") {
            Some(options) => (own.as_ref(), options),
            None => {
                let named = line.strip_prefix("-- as ").and_then(|rest| rest.split_once(": "));
                named.expect("a line of the header names options")
            }
        };
        Case { name: name.to_owned(), sql: sql.to_owned(), plan: plan(options) }
    });
    cases.collect()
}

/// The options of a case.
struct Plan {
    options: Vec<(String, String)>,
    from: u32,
    two_phase: bool,
}

fn plan(options: &str) -> Plan {
    let mut parts = options.split("; ");
    let options = parts.next().unwrap_or_default().split(", ");
    let options = options.map(|option| option.split_once(' ').expect("a name and a value"));
    let mut plan = Plan {
        options: options.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        from: 14,
        two_phase: false,
    };
    for part in parts {
        match part.strip_prefix("from ") {
            Some(major) => plan.from = major.parse().expect("a major version"),
            None => plan.two_phase |= part == "two-phase",
        }
    }
    plan
}

fn record(installation: &Installation, case: &Case, folder: &Path) -> Result<()> {
    let Case { name, sql, plan } = case;
    if installation.major < plan.from {
        return Ok(());
    }
    println!("{} {name}", installation.major);
    let server = start(installation)?;
    let client = server.connect()?;
    for (setting, value) in SESSION_SETTINGS {
        client.sql(&format!("SET {setting} = '{value}'"))?;
    }
    let with_lines = installation.has_wal2json() && ["rows", "types"].contains(&name.as_str());
    for paragraph in sql.split("\n\n").skip(1) {
        if let Some(rest) = paragraph.trim().strip_prefix("-- from ") {
            let (major, paragraph) = rest.split_once('\n').expect("a paragraph below");
            if installation.major >= major.parse()? {
                client.sql(paragraph)?;
            }
        } else if paragraph.trim() == "-- slot" {
            let create = "SELECT pg_create_logical_replication_slot";
            client.sql(&format!("{create}('golden', 'pgoutput', false, {})", plan.two_phase))?;
            if with_lines {
                client.sql(&format!("{create}('lines', 'wal2json')"))?;
            }
        } else {
            client.sql(paragraph).map_err(|error| format!("{error}, in: {paragraph}"))?;
        }
    }
    let types =
        "SELECT row_to_json(t) FROM (".to_owned() + CATALOGUE_SQL + ") t WHERE oid >= 16384";
    write(folder, name, "types", &texts(&client, &types)?)?;
    let options = plan.options.iter().map(|(name, value)| format!(", '{name}', '{value}'"));
    let messages = format!(
        "SELECT encode(data, 'hex') FROM pg_logical_slot_get_binary_changes('golden', NULL, NULL, \
         'publication_names', 'golden'{})",
        options.collect::<String>()
    );
    write(folder, name, "messages", &texts(&client, &messages)?)?;
    if with_lines {
        let options =
            wal2json::OPTIONS.iter().map(|(name, value)| format!(", '{name}', '{value}'"));
        let lines = format!(
            "SELECT data FROM pg_logical_slot_get_changes('lines', NULL, NULL{})",
            options.collect::<String>()
        );
        write(folder, name, "wal2json", &texts(&client, &lines)?)?;
    }
    tell(folder, name)
}

/// The types that come with the server: object id, name, `a` for arrays, the type of elements.
fn record_builtin_types(installation: &Installation, folder: &Path) -> Result<()> {
    let server = start(installation)?;
    let client = server.connect()?;
    let types = "SELECT concat_ws(' ', oid, typname, \
         CASE WHEN typoutput = 'array_out'::regproc THEN 'a' ELSE typtype END, typelem, typdelim) \
         FROM pg_type WHERE oid < 10000 AND typtype IN ('b', 'r', 'm') ORDER BY oid";
    write(folder, "builtin", "types", &texts(&client, types)?)
}

fn texts(client: &Client, sql: &str) -> Result<Vec<String>> {
    let rows = client.sql(sql)?;
    Ok(rows.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect())
}

fn write(folder: &Path, name: &str, ending: &str, lines: &[String]) -> Result<()> {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    Ok(fs::write(folder.join(format!("{name}.{ending}")), text)?)
}
