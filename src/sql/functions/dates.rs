//! The functions of dates and times, which depend on the clock or the time zone for some
//! arguments.

use penstock_operators::value::Value;

/// Where the arguments of a function are times; what follows the last one are modifiers.
fn times(name: &str) -> Option<&'static [usize]> {
    match name {
        "date" | "time" | "datetime" | "julianday" | "unixepoch" => Some(&[0]),
        "strftime" => Some(&[1]),
        "timediff" => Some(&[0, 1]),
        _ => None,
    }
}

/// What an argument must not be.
#[derive(Clone, Copy)]
enum Place {
    /// A time: not the current one.
    Time,
    /// A modifier: not one that depends on the time zone.
    Modifier,
    /// Anything else.
    Other,
}

fn place(times: &[usize], at: usize) -> Place {
    match times.last() {
        _ if times.contains(&at) => Place::Time,
        Some(last) if at > *last => Place::Modifier,
        _ => Place::Other,
    }
}

/// What a time or modifier depends on, if it is one that does.
fn dependence(place: Place, text: &[u8]) -> Option<&'static str> {
    // As SQLite reads it: a zero byte ends a text.
    let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
    let is = |word: &str| text.eq_ignore_ascii_case(word.as_bytes());
    match place {
        Place::Time if is("now") || is("subsec") || is("subsecond") => Some("the time"),
        Place::Modifier if is("localtime") || is("utc") => Some("the time zone of this machine"),
        _ => None,
    }
}

fn bytes(value: &Value) -> &[u8] {
    match value {
        Value::Text(text) | Value::Json(text) => text.as_bytes(),
        Value::Blob(bytes) => bytes,
        _ => &[],
    }
}

/// Whether the value for these arguments depends on more than them.
pub(super) fn depends(name: &str, arguments: &[Value]) -> bool {
    let Some(times) = times(name) else { return false };
    let mut arguments = arguments.iter().enumerate();
    arguments.any(|(at, value)| dependence(place(times, at), bytes(value)).is_some())
}

/// Why a function cannot be called with so few arguments.
pub(super) fn refuse_count(name: &str, count: usize) -> Option<String> {
    let first = times(name)?.first()?;
    // What has more than one time does not take fewer arguments.
    (count <= *first && name != "timediff")
        .then(|| depends_on_the_time(&format!("{name} without a time")))
}

/// See [`refuse_literal`](super::refuse_literal).
pub(super) fn refuse_literal(name: &str, literals: &[Option<&Value>]) -> Option<String> {
    let times = times(name)?;
    literals.iter().enumerate().find_map(|(at, literal)| {
        let text = bytes((*literal)?);
        let on = dependence(place(times, at), text)?;
        let text = String::from_utf8_lossy(text);
        Some(format!(
            "{name} with '{text}' depends on {on}, so its value would change without a write; \
             pass the time as a parameter"
        ))
    })
}

pub(super) fn depends_on_the_time(what: &str) -> String {
    format!(
        "{what} depends on the time, so its value would change without a write; pass the time as \
         a parameter"
    )
}
