//! Files and directories that may not be written.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};

use crate::bank::Place;
use crate::child::{Child, command};

/// A user without rights, as whom children run where these tests run as root, whom no permission
/// keeps out.
const NOBODY: u32 = 65_534;

fn allow(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("permissions");
}

/// What a child says who reads and tries to write the file.
fn said(place: &Place, file: &Path) -> Vec<String> {
    let is_root = place.path().metadata().expect("the directory").uid() == 0;
    // Where this program lies may be out of reach for others.
    let stage = Place::new();
    allow(stage.path(), 0o755);
    let program: PathBuf = stage.path().join("program");
    fs::copy(std::env::current_exe().expect("this program has a path"), &program)
        .expect("a copy of this program");
    allow(&program, 0o755);
    let mut command = command(&program, "read only", file);
    if is_root {
        command.uid(NOBODY).gid(NOBODY).current_dir(stage.path());
    }
    let mut child = Child::spawn(command);
    let said = std::iter::from_fn(|| child.hear()).collect();
    child.end();
    said
}

#[test]
fn a_read_only_file_is_read_and_not_written() {
    let place = Place::new();
    let file = place.bank("delete");
    allow(&file, 0o444);
    allow(place.path(), 0o555);
    let said = said(&place, &file);
    allow(place.path(), 0o755);
    assert_eq!(said.len(), 3, "{said:?}");
    assert_eq!((said[0].as_str(), said[2].as_str()), ("5 rows", "5 rows"));
    let error = &said[1];
    assert!(error.contains("bank.db") && error.contains("check the permissions"), "{error}");
}

#[test]
fn a_read_only_directory_names_the_directory() {
    let place = Place::new();
    let file = place.bank("delete");
    allow(&file, 0o666);
    allow(place.path(), 0o555);
    let said = said(&place, &file);
    allow(place.path(), 0o755);
    assert_eq!(said.len(), 3, "{said:?}");
    assert_eq!((said[0].as_str(), said[2].as_str()), ("5 rows", "5 rows"));
    let error = &said[1];
    assert!(error.contains("bank.db") && error.contains("director"), "{error}");
}

#[test]
fn a_file_that_may_not_be_read_says_so() {
    let place = Place::new();
    let file = place.bank("delete");
    allow(place.path(), 0o755);
    allow(&file, 0o000);
    let said = said(&place, &file);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].starts_with("open: ") && said[0].contains("permissions"), "{said:?}");
}
