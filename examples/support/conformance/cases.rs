//! Conformance cases as they are written: one JSON object per line.

use std::path::Path;

use serde_json::Value as Json;

/// One case. Its parts are looked into when it runs, so that a bad case fails alone.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// Its name; for a line that is not a case, the file and line.
    pub(crate) id: String,
    /// The case, or why the line is none.
    pub(crate) content: Result<Json, String>,
}

/// What a case expects; absent where the case does not say.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Expected {
    pub(crate) initial: Option<Json>,
    pub(crate) after: Option<Vec<Json>>,
}

/// The cases of a file.
///
/// # Errors
/// A file that cannot be read or that has no cases.
pub(crate) fn read_file(path: &Path) -> Result<Vec<Case>, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    let cases: Vec<Case> = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(at, line)| Case::parse(line, &format!("{file}:{}", at + 1)))
        .collect();
    if cases.is_empty() {
        return Err(format!("there are no cases in {}", path.display()));
    }
    Ok(cases)
}

impl Case {
    /// A case from a line; `place` names one that has no id.
    pub(crate) fn parse(line: &str, place: &str) -> Case {
        let content: Result<Json, String> =
            serde_json::from_str(line).map_err(|error| format!("not JSON: {error}"));
        let id = content.as_ref().ok().and_then(|json| json["id"].as_str()).unwrap_or(place);
        Case { id: id.to_owned(), content }
    }

    /// What the case expects.
    pub(crate) fn expected(&self) -> Expected {
        let Ok(json) = &self.content else { return Expected::default() };
        Expected {
            initial: json.get("initial").cloned(),
            after: json.get("after").and_then(Json::as_array).cloned(),
        }
    }
}
