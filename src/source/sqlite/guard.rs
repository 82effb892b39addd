//! What statements of the application may not do within a transaction.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization, TransactionOperation};

use super::schema::OWN_PREFIX;

/// Watches the statements of one connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Guard {
    /// Whether statements are the application's.
    watching: Arc<AtomicBool>,
    /// Whether they may change the schema.
    schema_free: Arc<AtomicBool>,
    /// Why the last statement was refused.
    refusal: Arc<Mutex<Option<String>>>,
}

impl Guard {
    /// Lets SQLite ask this guard about every statement.
    pub(super) fn install(&self, connection: &mut Connection) -> rusqlite::Result<()> {
        let guard = self.clone();
        connection.authorizer(Some(move |context: AuthContext<'_>| guard.ask(&context)))
    }

    /// From now on statements are the application's, or again our own.
    pub(super) fn watch(&self, watching: bool) {
        self.watching.store(watching, Ordering::Relaxed);
    }

    /// Whether statements of the application may change the schema from now on.
    pub(super) fn free_schema(&self, free: bool) {
        self.schema_free.store(free, Ordering::Relaxed);
    }

    /// Why the last statement was refused, if it was.
    pub(super) fn refusal(&self) -> Option<String> {
        self.refusal.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn ask(&self, context: &AuthContext<'_>) -> Authorization {
        if !self.watching.load(Ordering::Relaxed) {
            return Authorization::Allow;
        }
        let schema_free = self.schema_free.load(Ordering::Relaxed);
        let Some(reason) = refused(context, schema_free) else { return Authorization::Allow };
        *self.refusal.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
        Authorization::Deny
    }
}

fn refused(context: &AuthContext<'_>, schema_free: bool) -> Option<String> {
    let in_file = context.database_name != Some("temp") && !schema_free;
    Some(match context.action {
        AuthAction::Transaction { operation } => {
            let statement = match operation {
                TransactionOperation::Begin => "BEGIN",
                TransactionOperation::Rollback => "ROLLBACK",
                _ => "COMMIT",
            };
            format!(
                "{statement} is not possible here: the transaction begins and ends with the \
                 closure; return an error from it to roll back, or use SAVEPOINT"
            )
        }
        AuthAction::CreateTable { table_name }
        | AuthAction::DropTable { table_name }
        | AuthAction::AlterTable { table_name, .. }
        | AuthAction::CreateVtable { table_name, .. }
        | AuthAction::DropVtable { table_name, .. }
        | AuthAction::CreateIndex { table_name, .. }
        | AuthAction::DropIndex { table_name, .. }
        | AuthAction::CreateTrigger { table_name, .. }
        | AuthAction::DropTrigger { table_name, .. }
            if in_file =>
        {
            schema_change(table_name)
        }
        AuthAction::CreateView { view_name } | AuthAction::DropView { view_name } if in_file => {
            schema_change(view_name)
        }
        AuthAction::DropTempTrigger { trigger_name, .. }
            if trigger_name.starts_with(OWN_PREFIX) =>
        {
            format!("the trigger \"{trigger_name}\" cannot be dropped: it sees what changes")
        }
        AuthAction::Pragma { pragma_name, pragma_value: Some(_) }
            if pragma_name.eq_ignore_ascii_case("writable_schema") =>
        {
            "PRAGMA writable_schema is not possible within a transaction".to_owned()
        }
        _ => return None,
    })
}

fn schema_change(name: &str) -> String {
    format!(
        "the schema of \"{name}\" cannot be changed within a transaction of the database; change \
         it with Transaction::change_schema, or by another connection to the file; live queries \
         follow"
    )
}
