//! The clients: live queries, a copy of each that its patches keep, and the same SQL on the server.

use penstock::{Database, Subscription, Tree, Value};
use penstock_postgres::connect::Config;
use penstock_postgres::types::Catalogue;
use penstock_postgres_harness::Server;
use tokio_postgres::SimpleQueryMessage;

/// What a client shows.
pub(crate) struct Watch {
    pub(crate) sql: String,
    live: Subscription,
    copy: Tree,
    /// How many patches it was sent.
    pub(crate) patches: usize,
}

impl Watch {
    pub(crate) fn new(db: &Database, sql: String) -> Watch {
        let live = db.subscribe_sql(&sql, ()).unwrap_or_else(|error| panic!("{error}: {sql}"));
        let copy = live.rows();
        Watch { sql, live, copy, patches: 0 }
    }

    /// Takes the patches; the result is live, equal to the copy, and equal to the server's.
    pub(crate) fn check(&mut self, server: &Sql) -> usize {
        let sql = &self.sql;
        self.live.status().unwrap_or_else(|error| panic!("it has ended: {error}: {sql}"));
        for patch in self.live.changes() {
            assert!(patch.reset_tree().is_none(), "nobody was away for long: {sql}");
            self.copy.apply(&patch);
            self.patches += 1;
        }
        let live = self.live.rows();
        assert!(self.copy == live, "the copy: {sql}");
        let (columns, expected) = server.rows(sql);
        let found: Vec<Vec<Value>> = live
            .iter()
            .map(|entry| {
                let value = |name: &String| entry.get(name).expect("a column").to_owned();
                columns.iter().map(value).collect()
            })
            .collect();
        if let Some(at) =
            (0..expected.len().max(found.len())).find(|at| expected.get(*at) != found.get(*at))
        {
            let (here, there) = (found.get(at), expected.get(at));
            panic!("{sql}\nrow {at} is {here:?}\non the server it is {there:?}");
        }
        found.len()
    }
}

/// SQL on the server, with values as the replica has them.
pub(crate) struct Sql {
    runtime: tokio::runtime::Runtime,
    config: Config,
    catalogue: Catalogue,
}

impl Sql {
    pub(crate) fn on(server: &Server) -> Sql {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let config = Config::parse(&server.url()).expect("a URL");
        Sql { runtime: runtime.expect("a runtime"), config, catalogue: Catalogue::default() }
    }

    /// The names of the columns, and the rows.
    fn rows(&self, sql: &str) -> (Vec<String>, Vec<Vec<Value>>) {
        self.runtime.block_on(async {
            let session = self.config.connect().await.expect("a server");
            let statement = session.prepare(sql).await.expect("the server knows the tables");
            let columns = statement.columns();
            let names = columns.iter().map(|column| column.name().to_owned()).collect();
            let value = |at: usize, text: Option<&str>| match text {
                None => Value::Null,
                Some(text) => match self.catalogue.mapping(columns[at].type_().oid()) {
                    Ok(mapping) => mapping.text(text).expect("a value"),
                    // An enum, of which there is one.
                    Err(_) => Value::from(text),
                },
            };
            let messages = session.simple_query(sql).await.expect("rows");
            let rows = messages.iter().filter_map(|message| match message {
                SimpleQueryMessage::Row(row) => {
                    Some((0..row.len()).map(|at| value(at, row.get(at))).collect())
                }
                _ => None,
            });
            (names, rows.collect())
        })
    }
}

/// What each version of the application shows to a person.
pub(crate) fn queries(version: usize, person: &str) -> Vec<String> {
    let files = |columns: &str, and: &str, first: &str| {
        format!(
            "SELECT f.id, f.name, f.slug, f.shared, f.shared_access, f.created_at, f.updated_at, o.name AS owner, \
             s.first_visit_at, s.last_visit_at, s.last_edit_at, s.camera{columns} \
             FROM file f JOIN \"user\" o ON o.id = f.owner_id \
             LEFT JOIN file_state s ON s.file_id = f.id AND s.user_id = '{person}' \
             WHERE (f.owner_id = '{person}' OR (f.shared AND s.user_id IS NOT NULL)){and} \
             ORDER BY {first}coalesce(s.last_edit_at, s.first_visit_at, f.created_at) DESC, f.id"
        )
    };
    match version {
        1 => vec![
            files("", "", ""),
            // Who else has seen my files.
            format!(
                "SELECT f.id, f.name, count(s.user_id) AS guests, max(s.last_visit_at) AS last_visit \
                 FROM file f LEFT JOIN file_state s ON s.file_id = f.id AND s.user_id <> f.owner_id \
                 WHERE f.owner_id = '{person}' GROUP BY f.id, f.name ORDER BY guests DESC, f.id"
            ),
            // The drawings themselves, the latest three.
            format!(
                "SELECT id, updated_at, document FROM file WHERE owner_id = '{person}' \
                 ORDER BY updated_at DESC, id LIMIT 3"
            ),
            format!(
                "SELECT id, name, email, color, preferences FROM \"user\" WHERE id = '{person}'"
            ),
        ],
        2 => vec![files(", f.thumbnail", "", "")],
        3 => vec![
            files(", o.locale, o.edge_scroll_speed", "", ""),
            format!(
                "SELECT id, name, locale, feature_flags, edge_scroll_speed, birthday FROM \"user\" \
                 WHERE id = '{person}' OR id LIKE 'guest%' ORDER BY id"
            ),
        ],
        4 => vec![files(", s.is_pinned, s.session", "", "coalesce(s.is_pinned, false) DESC, ")],
        5 => vec![
            files(", s.is_pinned", " AND NOT f.is_deleted", ""),
            format!(
                "SELECT id, name, deleted_at FROM file WHERE is_deleted AND owner_id = '{person}' \
                 ORDER BY deleted_at DESC, id"
            ),
        ],
        6 => vec![format!(
            "SELECT c.id, c.body, c.place, c.created_at, u.name AS author, f.name AS file \
             FROM file_comment c JOIN file f ON f.id = c.file_id JOIN \"user\" u ON u.id = c.author_id \
             WHERE f.owner_id = '{person}' AND NOT f.is_deleted AND NOT c.resolved ORDER BY c.id DESC"
        )],
        7 => vec![files(", o.color, o.pronouns", " AND NOT f.is_deleted", "")],
        _ => vec![files(", f.share_token", " AND NOT f.is_deleted", "")],
    }
}
