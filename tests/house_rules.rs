//! Rules of this repository that a tool can check.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value as Json;

/// Licences that a dependency may have; an expression may also name others, behind an OR.
const LICENCES: [&str; 9] = [
    "MIT",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "Unicode-3.0",
    "Unlicense",
];

/// A file does one job; beyond about 400 lines it does more.
const FILE_LINES_MAX: usize = 420;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The platform that the compiler is on.
fn platform() -> String {
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    let output = Command::new(rustc).arg("-vV").output().expect("the compiler runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.expect("the compiler names its platform").to_owned()
}

/// What is built here. Packages for other platforms only may not have been fetched.
fn metadata() -> Json {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--offline", "--all-features"])
        .args(["--filter-platform", &platform()])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("cargo's metadata is JSON")
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder of this repository") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Whether an SPDX expression without parentheses can be satisfied with the licences allowed.
fn allowed(expression: &str) -> bool {
    let flat = expression.replace(['(', ')'], " ").replace('/', " OR ");
    flat.split(" OR ")
        .any(|all| all.split(" AND ").all(|licence| LICENCES.contains(&licence.trim())))
}

#[test]
fn dependencies_have_allowed_licences() {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().expect("packages");
    assert!(packages.len() > 10, "{} packages", packages.len());
    for package in packages {
        let licence = package["license"].as_str().unwrap_or("none");
        assert!(allowed(licence), "{} has the licence {licence}", package["name"]);
    }
    assert!(!allowed("GPL-3.0-only") && !allowed("MIT AND GPL-2.0") && allowed("GPL-2.0 OR MIT"));
}

#[test]
fn the_core_depends_on_nothing_but_data_structures() {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().expect("packages");
    let core = packages.iter().find(|package| package["name"] == "penstock-operators");
    let mut names: Vec<&str> = core.expect("the core")["dependencies"]
        .as_array()
        .expect("dependencies")
        .iter()
        .filter(|dependency| dependency["kind"].is_null())
        .filter_map(|dependency| dependency["name"].as_str())
        .collect();
    names.sort_unstable();
    let known = [
        "ahash",
        "hashbrown",
        "indexmap",
        "smallvec",
        "thiserror",
        "triomphe",
        "unicode-case-mapping",
    ];
    assert_eq!(names, known);
}

#[test]
fn a_file_does_one_job() {
    let mut found = Vec::new();
    for folder in ["operators/src", "src", "benches/src", "examples", "postgres", "sync"] {
        files(&root().join(folder), &mut found);
    }
    assert!(found.len() > 60, "{} files", found.len());
    for path in found {
        let text = std::fs::read_to_string(&path).expect("a source file");
        let lines = text.lines().count();
        assert!(lines <= FILE_LINES_MAX, "{} has {lines} lines", path.display());
    }
}

#[test]
fn the_core_knows_no_clocks_threads_or_files() {
    let mut found = Vec::new();
    files(&root().join("operators/src"), &mut found);
    for path in found {
        let text = std::fs::read_to_string(&path).expect("a source file");
        for forbidden in ["std::time", "std::thread", "std::fs", "std::net", "serde", "unsafe "] {
            assert!(!text.contains(forbidden), "{} mentions {forbidden}", path.display());
        }
    }
}
