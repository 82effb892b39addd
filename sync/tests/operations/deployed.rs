//! Rules that are deployed into the database while clients are connected.

use penstock_postgres_harness as harness;
use penstock_sync::validate::Store;
use serde_json::{Value as Json, json};

use crate::support::raw::Raw;
use crate::support::server::{Folder, Server};
use crate::tasks::{all, connect, member, path};

/// Deploys rules as the application's own tool does: only tasks with this note may be read, or all, or none.
fn deploy(postgres: &harness::Server, rule: Option<Json>) {
    let select: Vec<Json> = rule.into_iter().map(|rule| json!(["allow", rule])).collect();
    let rules = json!({"tables": {"task": {"row": {"select": select}}}});
    let sql = format!("update zero.permissions set permissions = '{rules}'");
    postgres.sql(&sql).expect("deployed");
}

fn noted(note: &str) -> Json {
    json!({"type": "simple", "op": "=", "left": {"type": "column", "name": "note"},
        "right": {"type": "literal", "value": note}})
}

/// The tasks that a client has.
fn ids(client: &Raw) -> Vec<&str> {
    client.store().rows("task").map(|row| row["id"].as_str().expect("a text")).collect()
}

#[tokio::test]
async fn rules_reach_the_queries_of_clients_that_are_connected() {
    let postgres = harness::Server::fast().expect("a Postgres");
    postgres
        .sql(
            "create table task(id text primary key, done boolean not null, note text);
             insert into task values ('a', false, 'one'), ('b', true, 'two')",
        )
        .expect("tables");
    let folder = Folder::new("deployed");
    let (replica, state) = (path(&folder, "replica.db"), path(&folder, "state.db"));
    let server = Server::postgres(&postgres.url(), &["--replica", &replica, "--state", &state]);
    let mut client = connect(&server, &member("g", "one"), Store::default(), all()).await;
    client.until_got(&["all"]).await;
    let always = || json!({"type": "and", "conditions": []});
    let none: [&str; 0] = [];
    assert_eq!(ids(&client), none, "nothing may be read without rules");
    deploy(&postgres, Some(noted("two")));
    client.until("one task", |session| session.store().rows("task").count() == 1).await;
    assert_eq!(ids(&client), ["b"]);
    // What was written before others are allowed and after is there as it is now.
    postgres.sql("update task set done = true where id = 'a'").expect("written");
    deploy(&postgres, Some(always()));
    client.until("both tasks", |session| session.store().rows("task").count() == 2).await;
    postgres.sql("insert into task values ('c', false, 'one')").expect("written");
    client.until("three tasks", |session| session.store().rows("task").count() == 3).await;
    let done = client.store().rows("task").filter(|row| row["done"] == true).count();
    assert_eq!(done, 2);
    deploy(&postgres, Some(noted("one")));
    client.until("two tasks", |session| session.store().rows("task").count() == 2).await;
    assert_eq!(ids(&client), ["a", "c"]);
    deploy(&postgres, None);
    client.until("nothing", |session| session.store().rows("task").count() == 0).await;
    // Who comes anew sees the same.
    let mut other = connect(&server, &member("h", "two"), Store::default(), all()).await;
    other.until_got(&["all"]).await;
    assert_eq!(ids(&other), none);
}
