//! What `callgrind` writes.

use std::collections::BTreeMap;

/// The instructions that each function executed itself, without those that it called, from a
/// profile with plain names and positions (`--compress-strings=no --compress-pos=no`).
///
/// # Errors
/// A text that is no such profile, or whose parts do not add up to its total.
pub(super) fn functions(profile: &str) -> Result<BTreeMap<String, u64>, String> {
    let mut functions: BTreeMap<String, u64> = BTreeMap::new();
    let mut total: Option<u64> = None;
    let mut current = None;
    let mut is_of_call = false;
    for line in profile.lines() {
        if let Some(name) = line.strip_prefix("fn=") {
            current = Some(short(name));
        } else if line.starts_with("calls=") {
            is_of_call = true;
        } else if let Some(count) = line.strip_prefix("totals:") {
            total = count.trim().parse().ok();
        } else if line.starts_with(|c: char| c.is_ascii_digit()) {
            let count = line.split_whitespace().nth(1).and_then(|count| count.parse::<u64>().ok());
            let (Some(count), Some(name)) = (count, &current) else {
                return Err(format!("a profile has an unexpected line: {line}"));
            };
            if !std::mem::take(&mut is_of_call) {
                *functions.entry(name.clone()).or_default() += count;
            }
        }
    }
    let sum: u64 = functions.values().sum();
    match total {
        Some(total) if total == sum && sum > 0 => Ok(functions),
        Some(total) => {
            Err(format!("the functions of a profile have {sum} of {total} instructions"))
        }
        None => Err("a profile has no total".to_owned()),
    }
}

/// A function's name without what the compiler and the profiler append to tell instances apart:
/// `::h` and a hash, `'` and the depth of a recursion.
fn short(name: &str) -> String {
    let name = match name.rsplit_once('\'') {
        Some((name, depth)) if depth.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => name,
    };
    match name.rsplit_once("::h") {
        Some((name, hash)) if hash.len() == 16 && u64::from_str_radix(hash, 16).is_ok() => {
            name.to_owned()
        }
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::functions;

    /// `main` calls `outer`, which calls `inner` twice, once from an inlined function; of `inner`
    /// there are two instances, and it calls itself.
    const PROFILE: &str = "\
version: 1
creator: callgrind-3.19.0
part: 1

positions: line
events: Ir
summary: 180

ob=/a/program
fl=src/outer.rs
fn=a::outer
7 30
fi=src/list.rs
8 10
cfn=<T as a::Inner>::inner::h0123456789abcdef
calls=1 20
9 60
fe=src/outer.rs
10 5
cfn=<T as a::Inner>::inner::hfedcba9876543210
calls=1 20
11 75

fl=src/inner.rs
fn=<T as a::Inner>::inner::h0123456789abcdef
20 40
cfn=<T as a::Inner>::inner::h0123456789abcdef'2
calls=1 20
21 20

fn=<T as a::Inner>::inner::h0123456789abcdef'2
20 20

fn=<T as a::Inner>::inner::hfedcba9876543210
20 70
21 5

totals: 180
";

    #[test]
    fn a_function_has_its_own_instructions_and_not_those_of_its_callees() {
        let functions = functions(PROFILE).expect("a well-formed profile");
        let functions: Vec<(&str, u64)> =
            functions.iter().map(|(name, count)| (name.as_str(), *count)).collect();
        assert_eq!(functions, [("<T as a::Inner>::inner", 135), ("a::outer", 45)]);
    }

    #[test]
    fn a_profile_that_does_not_add_up_is_refused() {
        let wrong = PROFILE.replace("totals: 180", "totals: 181");
        let problem = functions(&wrong).expect_err("a wrong total");
        assert_eq!(problem, "the functions of a profile have 180 of 181 instructions");
        assert!(functions("").is_err());
        assert!(functions("fn=(1) f\n+3 40\ntotals: 40\n").is_err(), "compressed positions");
        assert!(functions("fn=f\ntotals: 0\n").is_err(), "nothing was counted");
    }
}
