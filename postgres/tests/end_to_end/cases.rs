//! What random workloads have found, as the smallest case of each.

use penstock_postgres::setup::{Plugin, SchemaEvents};
use penstock_postgres_harness::Server;

use crate::world::{How, World};

struct Case {
    name: &'static str,
    schema_events: SchemaEvents,
    /// What is there before it is followed.
    before: &'static str,
    /// What happens then, each waited for.
    changes: &'static [&'static str],
    query: &'static str,
    expected: &'static str,
}

const CASES: &[Case] = &[
    // The cast of an inet to text adds a netmask.
    Case {
        name: "inet",
        schema_events: SchemaEvents::Off,
        before: "create table t(id int primary key, a inet); insert into t values (1, '::1')",
        changes: &["insert into t values (2, '::1')"],
        query: "SELECT id, a FROM t ORDER BY id",
        expected: r#"[{"id":1,"a":"::1"},{"id":2,"a":"::1"}]"#,
    },
    // Boxes are not separated by commas.
    Case {
        name: "box",
        schema_events: SchemaEvents::Off,
        before: "create table t(id int primary key); insert into t values (1)",
        changes: &["alter table t add column b box default box '(1,2),(0,0)', add column c box[] \
                    default array[box '(1,2),(0,0)']; insert into t values (2, null)"],
        query: "SELECT id, b, c FROM t ORDER BY id",
        expected: r#"[{"id":1,"b":"(1,2),(0,0)","c":["(1,2),(0,0)"]},{"id":2,"b":null,"c":["(1,2),(0,0)"]}]"#,
    },
    Case {
        name: "reported",
        schema_events: SchemaEvents::IfAllowed,
        before: "create table t(id int primary key); insert into t values (1); create table gone(id int primary key)",
        changes: &[
            "alter table t add column a text default 'x'; create table new(id int primary key, a text); drop table gone",
            "alter table new rename to newer; create type kind as enum ('a'); create table last(id int primary key, k kind)",
        ],
        query: "SELECT t.id, t.a, (SELECT count(*) FROM newer) AS newer, (SELECT count(k) FROM last) AS last FROM t",
        expected: r#"[{"id":1,"a":"x","newer":0,"last":0}]"#,
    },
    // What changed a table before is told with what is dropped, and then with what takes the name.
    Case {
        name: "again",
        schema_events: SchemaEvents::IfAllowed,
        before: "create table t(id int primary key, a text); insert into t values (1, 'old')",
        changes: &[
            "begin; insert into t values (2, 'old'); drop table t; create table t(id int primary key, b int); \
             insert into t values (3, 7); commit; insert into t values (4, 8)",
        ],
        query: "SELECT * FROM t ORDER BY id",
        expected: r#"[{"id":3,"b":7},{"id":4,"b":8}]"#,
    },
    // Lines of wal2json name tables, which other tables may be named by meanwhile.
    Case {
        name: "renamed",
        schema_events: SchemaEvents::Off,
        before: "create table t(id int primary key, a text); insert into t values (1, 'a'); \
                 create table other.u(id int primary key); insert into other.u values (1)",
        changes: &[
            "alter table t rename to v; insert into v values (2, 'b'); alter table other.u set schema public; \
             insert into u values (2); alter table v rename to w; insert into w values (3, 'c')",
            "insert into w values (4, 'd'); insert into u values (3)",
            "delete from w where id = 1; create table v(id int primary key); insert into v values (1)",
            "insert into v values (2)",
        ],
        query: "SELECT id, a, (SELECT count(*) FROM u) AS u, (SELECT count(*) FROM v) AS v FROM w ORDER BY id",
        expected: r#"[{"id":2,"a":"b","u":3,"v":2},{"id":3,"a":"c","u":3,"v":2},{"id":4,"a":"d","u":3,"v":2}]"#,
    },
];

/// Runs the cases of a plugin.
pub(crate) fn run(server: &Server, plugin: Plugin) {
    for (at, case) in CASES.iter().enumerate() {
        let how = How { plugin, seed: at as u64, schema_events: case.schema_events };
        let mut world = World::new(server, how, case.name, 0);
        let done = |problem: String| panic!("{} through {}: {problem}", case.name, plugin.name());
        let run = |world: &World, sql: &str| {
            world.admin.sql(sql).unwrap_or_else(|error| panic!("{}: {error}", case.name));
        };
        run(&world, case.before);
        world.follow(true);
        world.quiesce().unwrap_or_else(done);
        for change in case.changes {
            run(&world, change);
            world.quiesce().unwrap_or_else(done);
        }
        let found = world.db().query_sql(case.query, ()).and_then(|tree| tree.to_json());
        let found = found.unwrap_or_else(|error| panic!("{}: {error}", case.name));
        let expected: serde_json::Value = serde_json::from_str(case.expected).expect("JSON");
        assert_eq!(found, expected, "{} through {}", case.name, plugin.name());
        let names: Vec<String> = world.db().schema().names().map(str::to_owned).collect();
        assert!(!names.contains(&"gone".to_owned()), "{names:?}");
    }
}
