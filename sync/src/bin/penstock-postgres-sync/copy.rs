//! A copy of the tables, its speed and its sums.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use penstock_postgres::follow::{FollowError, Follower, Phase};
use penstock_sync::stop::Stop;

use crate::command::Copy;
use crate::failure::Failure;

/// How often it is looked how far things are.
const LOOK_PAUSE: Duration = Duration::from_millis(100);
/// How many looks there are between two lines of progress where there is no terminal.
const LOOKS_PER_LINE: u32 = 50;
/// How long comparing may take.
const VERIFY_PATIENCE: Duration = Duration::from_secs(24 * 60 * 60);

/// Copies the tables and ends.
///
/// # Errors
/// The server or the replica, Ctrl-C, or sums that differ.
pub(crate) fn run(options: &Copy) -> Result<(), Failure> {
    let stop = Stop::on_signals().map_err(Failure::Source)?;
    let following = options.source.follow()?;
    wait(following.follower(), &stop)?;
    let copy = following.follower().status().copy;
    let seconds = copy.elapsed_ms as f64 / 1000.0;
    let (tables, rows, speed) = (copy.tables_done, copy.rows, copy.rows_per_second());
    let (bytes, throughput) = (copy.bytes as f64 / 1e6, copy.bytes_per_second() as f64 / 1e6);
    println!(
        "copied {tables} tables, {rows} rows, {bytes:.1} MB in {seconds:.1} s: {speed} rows/s, {throughput:.1} MB/s"
    );
    if !options.verify {
        return Ok(());
    }
    let verified = following.follower().verify(VERIFY_PATIENCE).map_err(failed)?;
    let mut differs = false;
    for table in verified {
        let word = if table.is_equal() { "equal" } else { "DIFFERS" };
        let (server, replica) = (table.server, table.replica);
        print!("{word:<8} {}: {} rows, {:032x}", table.table, server.rows, server.sum);
        if table.is_equal() {
            println!();
        } else {
            differs = true;
            println!(" on the server; {} rows, {:032x} here", replica.rows, replica.sum);
        }
    }
    if differs { Err(Failure::Differs) } else { Ok(()) }
}

/// Waits until the tables are copied, and says how far they are.
///
/// # Errors
/// Following fails, or Ctrl-C.
pub(crate) fn wait(follower: &Follower, stop: &Stop) -> Result<(), Failure> {
    let on_terminal = std::io::stderr().is_terminal();
    let (mut looks, mut said) = (0, None);
    loop {
        let status = follower.status();
        match &status.phase {
            Phase::Streaming => break,
            Phase::Failed(reason) => return Err(Failure::Source(reason.clone())),
            Phase::Stopped => return Err(Failure::Stopped),
            Phase::Copying if on_terminal => eprint!("\r\x1b[K{}", status.copy),
            Phase::Copying if looks % LOOKS_PER_LINE == LOOKS_PER_LINE - 1 => {
                eprintln!("{}", status.copy);
            }
            Phase::Copying | Phase::Connecting => {}
        }
        if status.phase == Phase::Connecting && status.last_error != said {
            if let Some(error) = &status.last_error {
                eprintln!("penstock-postgres-sync: {error}; trying again");
            }
            said = status.last_error;
        }
        if stop.is_asked() {
            return Err(Failure::Stopped);
        }
        looks += 1;
        std::thread::sleep(LOOK_PAUSE);
    }
    if on_terminal {
        eprint!("\r\x1b[K");
        std::io::stderr().flush()?;
    }
    for (table, reason) in follower.status().refused {
        eprintln!("penstock-postgres-sync: table {table} is left out: {reason}");
    }
    Ok(())
}

fn failed(error: FollowError) -> Failure {
    Failure::Source(error.to_string())
}
