//! Values of options that this command line and that of the competitors share.

use crate::workloads::named;

/// The workloads of a list of names separated by commas, each of which is a workload's or that of
/// a family, among those that are `known`.
///
/// # Errors
/// A name of none of them.
pub fn only(names: &str, known: &[&'static str]) -> Result<Vec<&'static str>, String> {
    let mut found = Vec::new();
    for name in names.split(',').map(str::trim) {
        let before = found.len();
        let asked = named(name).into_iter().map(|workload| workload.name);
        found.extend(asked.filter(|name| known.contains(name)));
        if found.len() == before {
            return Err(format!("there is no workload {name}; there are: {}", known.join(", ")));
        }
    }
    Ok(found)
}

/// A number from 1 on.
///
/// # Errors
/// Any other text.
pub fn positive(option: &str, text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(format!("{option} needs a number from 1 on, found {text}")),
    }
}
