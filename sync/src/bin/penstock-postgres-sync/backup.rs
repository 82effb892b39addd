//! Copies of a replica and of what is kept of clients, made while a server is running.

use penstock_postgres::Lsn;
use penstock_postgres::connect::{Config, ServerError};
use penstock_sync::backup::{copy_for_people, replica_position, set_replica_slot};

use crate::command::Backup;
use crate::failure::{Failure, say};

/// Copies what the options name.
///
/// # Errors
/// A file or the server.
pub(crate) fn run(options: &Backup) -> Result<(), Failure> {
    let source = |problem: String| Failure::Source(problem);
    let (slot, _) = replica_position(&options.replica).map_err(source)?;
    let new_slot = match (&options.copy_slot, &options.url) {
        (None, _) => None,
        (Some(_), None) => {
            let problem = "--copy-slot needs the server: give its --url, or set DATABASE_URL";
            return Err(Failure::Usage(problem.to_owned()));
        }
        (Some(name), Some(url)) => {
            let config = Config::parse(url).map_err(|error| Failure::Usage(error.to_string()))?;
            // Before the replica is copied: so the slot has what the copy lacks.
            on_server(copy_slot(&config, &slot, name))?;
            Some((config, name))
        }
    };
    let done = copy_files(options, new_slot.as_ref().map(|(_, name)| name.as_str()));
    if let (Err(_), Some((config, name))) = (&done, &new_slot)
        && let Err(error) = on_server(drop_slot(config, name))
    {
        let Failure::Source(error) = error else { return done };
        say(&format!("the slot {name} may still be on the server: {error}"));
    }
    done
}

fn copy_files(options: &Backup, slot: Option<&str>) -> Result<(), Failure> {
    let source = |problem: String| Failure::Source(problem);
    if let Some(state) = &options.state {
        // First: what clients were told later than this, they are told again.
        copy_for_people(state, &options.to).map_err(source)?;
    }
    let replica = copy_for_people(&options.replica, &options.to).map_err(source)?;
    if let Some(slot) = slot {
        set_replica_slot(&replica, slot).map_err(source)?;
    }
    let (slot, position) = replica_position(&replica).map_err(source)?;
    println!("the copy goes on at {} with --slot {slot}", Lsn(position));
    Ok(())
}

async fn copy_slot(config: &Config, from: &str, to: &str) -> Result<(), ServerError> {
    let session = config.connect().await?;
    let sql = "SELECT pg_copy_logical_replication_slot($1::text::name, $2::text::name)";
    let copied = session.execute(sql, &[&from, &to]).await;
    copied.map(drop).map_err(|error| ServerError::new(format!("copying the slot {from}"), &error))
}

async fn drop_slot(config: &Config, name: &str) -> Result<(), ServerError> {
    let session = config.connect().await?;
    let dropped =
        session.execute("SELECT pg_drop_replication_slot($1::text::name)", &[&name]).await;
    dropped.map(drop).map_err(|error| ServerError::new(format!("dropping the slot {name}"), &error))
}

fn on_server(doing: impl Future<Output = Result<(), ServerError>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(doing).map_err(|error| Failure::Source(error.to_string()))
}
