//! The examples, run as they would be from a command line, with their own checks on.

#[path = "../examples/chinook/mod.rs"]
mod chinook;

use chinook::command::{self, BAD_USAGE, DONE, FAILED};

/// How many live queries the music store has.
const LIVE_QUERIES: usize = 6;

/// Runs a command line of the music store; returns its status and what it printed.
fn run(arguments: &[&str]) -> (u8, String, String) {
    run_in(arguments, false)
}

fn run_in(arguments: &[&str], colour: bool) -> (u8, String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let arguments = arguments.iter().map(|argument| (*argument).to_owned());
    let status = command::main(arguments, colour, &mut out, &mut err);
    let printed = |bytes| String::from_utf8(bytes).expect("the example prints text");
    (status.expect("writing to memory works"), printed(out), printed(err))
}

/// The events in what was printed, without the summary, which has times in it.
fn events(out: &str) -> &str {
    out.split("\n\n").filter(|part| part.contains("1. ")).last().expect("events are printed")
}

#[test]
fn chinook_results_stay_equal_to_fresh_ones() {
    let steps = 40;
    let (status, out, err) = run(&["--check", "--quiet", "--steps", &steps.to_string()]);
    assert_eq!((status, err.as_str()), (DONE, ""));
    let checked = LIVE_QUERIES * (steps + 1);
    assert_eq!(out.lines().last(), Some(&*format!("checked {checked} results: all equal")));
    // The check says little if the events change nothing that is watched.
    let patches: Vec<usize> =
        out.lines().filter_map(|line| line.trim_start().split_once("  ")?.0.parse().ok()).collect();
    assert_eq!(patches.len(), LIVE_QUERIES);
    assert!(patches.iter().all(|&patches| patches >= 5), "{out}");
}

#[test]
fn chinook_shows_results_and_changes() {
    let (status, out, err) = run(&["--explain"]);
    assert_eq!((status, err.as_str()), (DONE, ""));
    for part in [
        "The longest tracks of Iron Maiden\n  track ",
        "  Rime of the Ancient Mariner    13:36   0.99  Powerslave                    Metal\n",
        "2025-12-22   1.99  Pareek      Hot Girl\n",
        "\n1. João Fernandes buys ",
        "    - João Fernandes\n",
        "Powerslave now costs ",
        "~ Rime of the Ancient Mariner (13:36): unitPrice 0.99 → ",
        "\nroot track  (",
        "take 8\n",
        "12 transactions, ",
    ] {
        assert!(out.contains(part), "{part:?} is missing in:\n{out}");
    }
    assert!(!out.contains('\x1b'), "colours without a terminal");
    let (_, coloured, _) = run_in(&["--steps", "1"], true);
    assert!(coloured.contains("\x1b[32m+ "));
}

#[test]
fn chinook_does_the_same_every_time() {
    let [first, second] = [(); 2].map(|()| run(&["--steps", "24"]).1);
    assert!(events(&first).contains("\n24. "));
    assert_eq!(events(&first), events(&second));
}

#[test]
fn chinook_command_lines_are_checked() {
    for (arguments, problem) in [
        (vec!["--fast"], "unknown option --fast"),
        (vec!["--steps"], "--steps needs a number"),
        (vec!["--steps", "many"], "--steps needs a number, not \"many\""),
    ] {
        let (status, out, err) = run(&arguments);
        assert_eq!((status, out.as_str()), (BAD_USAGE, ""));
        assert_eq!(err, format!("{problem}; --help shows the usage\n"));
    }
    let (status, out, _) = run(&["--help"]);
    assert_eq!(status, DONE);
    assert!(out.contains("usage: chinook [options]"));
    let (status, out, err) = run(&["--data", "no-such-directory"]);
    assert_eq!((status, out.as_str()), (FAILED, ""));
    assert!(err.starts_with("cannot read no-such-directory/artist.jsonl: "), "{err}");
}
