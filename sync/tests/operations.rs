//! Operating a server: its metrics, logs, readiness, end, backups, and what it keeps of its clients.

#[path = "operations/backup.rs"]
mod backup;
#[path = "operations/deployed.rs"]
mod deployed;
#[path = "operations/kept.rs"]
mod kept;
#[path = "operations/logs.rs"]
mod logs;
#[path = "operations/metrics.rs"]
mod metrics;
#[path = "operations/readiness.rs"]
mod readiness;
#[path = "operations/shutdown.rs"]
mod shutdown;
#[path = "support/mod.rs"]
mod support;
#[path = "operations/tasks.rs"]
mod tasks;
