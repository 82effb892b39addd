//! EXISTS whose rows nobody is to see: `"system": "permissions"` in an AST.

use std::collections::BTreeSet;

use penstock::{ColumnType::Integer, Database, Error, Params, Query, Schema, Table, row};
use serde_json::{Value as Json, json};

type Rows = BTreeSet<(String, i64)>;

fn database() -> Result<Database, Error> {
    Database::in_memory(Schema::new([
        Table::new("doc").column("id", Integer).column("team", Integer).primary_key(["id"]),
        Table::new("tag")
            .column("id", Integer)
            .column("doc", Integer)
            .column("label", Integer)
            .primary_key(["id"]),
        Table::new("label").column("id", Integer).column("team", Integer).primary_key(["id"]),
        Table::new("member")
            .column("id", Integer)
            .column("team", Integer)
            .column("user", Integer)
            .primary_key(["id"]),
    ])?)
}

fn exists(parent: &str, table: &str, child: &str, system: &str, condition: Option<Json>) -> Json {
    let mut subquery = json!({ "table": table });
    if let Some(condition) = condition {
        subquery["where"] = condition;
    }
    json!({"type": "correlatedSubquery", "op": "EXISTS", "related": {
        "system": system, "subquery": subquery,
        "correlation": {"parentField": [parent], "childField": [child]}}})
}

fn member(system: &str) -> Json {
    let me = json!({"type": "simple", "op": "=",
        "left": {"type": "column", "name": "user"}, "right": {"type": "literal", "value": 1}});
    exists("team", "member", "team", system, Some(me))
}

fn rows(views: impl IntoIterator<Item = penstock::RowView>) -> Rows {
    let id = |row: &penstock::RowView| match row.get("id") {
        Some(penstock::ValueRef::Int(id)) => id,
        other => panic!("an id, found {other:?}"),
    };
    views.into_iter().map(|row| (row.table().name().to_owned(), id(&row))).collect()
}

fn expected(rows: &[(&str, i64)]) -> Rows {
    rows.iter().map(|(table, id)| ((*table).to_owned(), *id)).collect()
}

/// The row set evaluated once and the one kept through the transactions are the same.
fn check(
    db: &Database,
    ast: &Json,
    live: &mut Rows,
    patches: &mut penstock::Subscription,
    then: &[(&str, i64)],
) -> Result<(), Error> {
    for patch in patches.changes() {
        let Some(changed) = patch.rows() else { continue };
        for gone in rows(changed.deletes.iter().cloned()) {
            live.remove(&gone);
        }
        live.extend(rows(changed.puts.iter().cloned()));
    }
    let once = rows(db.query_row_set(&Query::from_ast(ast)?, &Params::default())?);
    assert_eq!(once, expected(then), "{ast}");
    assert_eq!(*live, once, "{ast}");
    Ok(())
}

#[test]
fn witnesses_of_a_private_exists_are_no_part_of_the_row_set() -> Result<(), Error> {
    let db = database()?;
    db.transaction(|tx| {
        tx.insert("doc", row! { id: 1, team: 7 })?;
        tx.insert("doc", row! { id: 2, team: 8 })?;
        tx.insert("member", row! { id: 5, team: 7, user: 1 })
    })?;
    let public = json!({"table": "doc", "where": member("client")});
    let private = json!({"table": "doc", "where": member("permissions")});
    let both = json!({"table": "doc", "where":
        {"type": "and", "conditions": [member("permissions"), member("client")]}});
    let mut live = Vec::new();
    for ast in [&public, &private, &both] {
        let mut subscription = db.subscribe(Query::from_ast(ast)?)?;
        live.push((rows(subscription.row_set()?), subscription));
    }
    let step = |live: &mut Vec<(Rows, penstock::Subscription)>,
                docs: &[(&str, i64)],
                members: &[(&str, i64)]| {
        let all = [docs, members].concat();
        for (index, ast) in [&public, &private, &both].into_iter().enumerate() {
            let (held, subscription) = &mut live[index];
            check(&db, ast, held, subscription, if index == 1 { docs } else { &all })?;
        }
        Ok::<_, Error>(())
    };
    step(&mut live, &[("doc", 1)], &[("member", 5)])?;
    db.transaction(|tx| tx.insert("member", row! { id: 6, team: 8, user: 1 }))?;
    step(&mut live, &[("doc", 1), ("doc", 2)], &[("member", 5), ("member", 6)])?;
    // Another witness takes over.
    db.transaction(|tx| {
        tx.insert("member", row! { id: 9, team: 7, user: 1 })?;
        tx.delete("member", row! { id: 5 })
    })?;
    step(&mut live, &[("doc", 1), ("doc", 2)], &[("member", 6), ("member", 9)])?;
    db.transaction(|tx| tx.delete("member", row! { id: 9 }))?;
    step(&mut live, &[("doc", 2)], &[("member", 6)])?;
    db.transaction(|tx| tx.delete("doc", row! { id: 2 }))?;
    step(&mut live, &[], &[])
}

#[test]
fn the_near_rows_of_a_junction_may_have_a_condition() -> Result<(), Error> {
    let db = database()?;
    db.transaction(|tx| {
        tx.insert("doc", row! { id: 1, team: 7 })?;
        for (id, team) in [(1, 7), (2, 8)] {
            tx.insert("label", row! { id: id, team: team })?;
            tx.insert("tag", row! { id: id, doc: 1, label: id })?;
        }
        tx.insert("member", row! { id: 5, team: 7, user: 1 })
    })?;
    // Tags whose label is of a team of mine, which is nobody's business.
    let mine = exists("label", "label", "id", "permissions", Some(member("client")));
    let ast = json!({"table": "doc", "related": [{
        "correlation": {"parentField": ["id"], "childField": ["doc"]}, "hidden": true,
        "subquery": {"table": "tag", "alias": "labels", "where": mine, "related": [{
            "correlation": {"parentField": ["label"], "childField": ["id"]},
            "subquery": {"table": "label", "alias": "labels"}}]}}]});
    let mut subscription = db.subscribe(Query::from_ast(&ast)?)?;
    let mut held = rows(subscription.row_set()?);
    check(&db, &ast, &mut held, &mut subscription, &[("doc", 1), ("tag", 1), ("label", 1)])?;
    db.transaction(|tx| tx.insert("member", row! { id: 6, team: 8, user: 1 }))?;
    let all = [("doc", 1), ("tag", 1), ("tag", 2), ("label", 1), ("label", 2)];
    check(&db, &ast, &mut held, &mut subscription, &all)?;
    db.transaction(|tx| tx.update("member", row! { id: 5, user: 2 }))?;
    check(&db, &ast, &mut held, &mut subscription, &[("doc", 1), ("tag", 2), ("label", 2)])
}
