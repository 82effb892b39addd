//! The published client, in a process of its own.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use crate::process::Process;
use crate::queries::{client_schema, of_person};

/// How long anything may take for which we wait.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running client with the five queries of the first person.
pub struct Real {
    process: Process,
    /// How long all queries took to be complete, in microseconds.
    pub complete_us: f64,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/zero-client")
}

impl Real {
    /// Starts one, and waits until all its queries are complete.
    ///
    /// # Errors
    /// A client that is not installed, or queries that do not become complete.
    pub fn open(server: &str) -> Result<Real, String> {
        let node = folder().join("node_modules/node/bin/node");
        if !node.exists() {
            return Err("the published client is not installed: run `npm ci` in tests/zero-client"
                .to_owned());
        }
        let queries: Vec<Json> = of_person(0)
            .into_iter()
            .map(|(_, ast)| json!({"format": format(&ast), "ast": ast}))
            .collect();
        let what =
            json!({"server": format!("http://{server}"), "schema": schema(), "queries": queries});
        let script = folder().join("latency.mjs").display().to_string();
        let process = Process::start(&node, &[script, what.to_string()])?;
        let complete = said(&process, "complete_us")?;
        Ok(Real { process, complete_us: complete["complete_us"].as_f64().unwrap_or(0.0) })
    }

    /// Waits until the first view shows a write, and returns the newest write and the time of each callback
    /// until then that brought one.
    ///
    /// # Errors
    /// The write does not come in time.
    pub fn until(&mut self, write: u64) -> Result<Vec<(u64, u64)>, String> {
        let (began, mut all) = (Instant::now(), Vec::new());
        while began.elapsed() < PATIENCE {
            let shown = said(&self.process, "at_us")?;
            let arrival = (shown["write"].as_u64(), shown["at_us"].as_u64());
            let (Some(of), Some(at)) = arrival else {
                return Err(format!("the client said {shown}"));
            };
            all.push((of, at));
            if of >= write {
                return Ok(all);
            }
        }
        Err(format!("the client has not shown write {write}"))
    }

    /// The ids that the first view shows in the end.
    ///
    /// # Errors
    /// The client does not say.
    pub fn shown(mut self) -> Result<Vec<String>, String> {
        drop(self.process.input());
        let shown = said(&self.process, "shown")?;
        let ids = shown["shown"].as_array().into_iter().flatten();
        Ok(ids.filter_map(Json::as_str).map(str::to_owned).collect())
    }
}

/// The next line with this member; others are of libraries.
fn said(process: &Process, member: &str) -> Result<Json, String> {
    loop {
        let line = process.line(PATIENCE)?;
        if let Ok(said) = serde_json::from_str::<Json>(&line)
            && said.get(member).is_some()
        {
            return Ok(said);
        }
    }
}

/// The schema as the published client's constructor takes it.
fn schema() -> Json {
    let mut schema = client_schema();
    for (name, table) in schema["tables"].as_object_mut().into_iter().flatten() {
        table["name"] = name.as_str().into();
    }
    schema["relationships"] = json!({});
    schema["enableLegacyQueries"] = true.into();
    schema
}

/// How a view shapes a query's result: what is related, by name.
fn format(ast: &Json) -> Json {
    let related = ast["related"].as_array().into_iter().flatten();
    let named = related.map(|of| {
        let name = of["subquery"]["alias"].as_str().unwrap_or_default().to_owned();
        // Of a junction, the rows behind it are shown in its place.
        let shown = if of["hidden"] == true { &of["subquery"]["related"][0] } else { of };
        (name, format(&shown["subquery"]))
    });
    json!({"singular": false, "relationships": named.collect::<serde_json::Map<_, _>>()})
}
