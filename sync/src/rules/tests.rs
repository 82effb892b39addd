use std::collections::BTreeSet;

use penstock::{ColumnType, Database, Error, Params, Schema, Table, row};
use serde_json::json;

use super::*;

mod random;

fn claims(json: &Json) -> Claims {
    Claims { members: json.as_object().cloned().unwrap_or_default() }
}

fn test(column: &str, op: &str, right: Json) -> Json {
    json!({"type": "simple", "op": op, "left": {"type": "column", "name": column}, "right": right})
}

fn literal(value: Json) -> Json {
    json!({ "type": "literal", "value": value })
}

fn claim(field: Json) -> Json {
    json!({ "type": "static", "anchor": "authData", "field": field })
}

fn was(field: &str) -> Json {
    json!({ "type": "static", "anchor": "preMutationRow", "field": field })
}

fn anybody() -> Json {
    json!([["allow", { "type": "and", "conditions": [] }]])
}

fn select(table: &str, conditions: &[Json]) -> Rules {
    let listed: Vec<Json> =
        conditions.iter().map(|condition| json!(["allow", condition])).collect();
    Rules::parse(&json!({"tables": {table: {"row": {"select": listed}}}})).expect("good rules")
}

#[test]
fn rules_become_a_part_of_the_condition() {
    let rules = select("doc", &[test("owner", "=", claim(json!("sub")))]);
    let ada = claims(&json!({"sub": "ada"}));
    let own = test("owner", "=", literal(json!("ada")));
    let read = |ast: Json| rules.read(&ast, &ada);
    assert_eq!(read(json!({"table": "doc"})), json!({"table": "doc", "where": own}));
    let asked = test("n", ">", literal(json!(1)));
    assert_eq!(
        read(json!({"table": "doc", "where": asked})),
        json!({"table": "doc", "where": {"type": "and", "conditions": [asked, own]}})
    );
    let both = json!({"type": "and", "conditions": [asked]});
    assert_eq!(
        read(json!({"table": "doc", "where": both})),
        json!({"table": "doc", "where": {"type": "and", "conditions": [asked, own]}})
    );
    assert_eq!(
        read(json!({"table": "other", "where": asked})),
        json!({"table": "other", "where": never()})
    );
    let unclaimed = rules.read(&json!({"table": "doc"}), &Claims::default());
    assert_eq!(unclaimed["where"], test("owner", "=", literal(Json::Null)));
}

#[test]
fn one_rule_of_several_suffices_and_none_denies() {
    let two = [test("a", "=", literal(json!(1))), test("b", "=", literal(json!(2)))];
    let query = json!({"table": "doc"});
    let read = |rules: &Rules| rules.read(&query, &Claims::default());
    let either = json!({"type": "or", "conditions": two});
    assert_eq!(read(&select("doc", &two)), json!({"table": "doc", "where": either}));
    assert_eq!(read(&select("doc", &[])), json!({"table": "doc", "where": never()}));
    assert_eq!(read(&Rules::deny_all()), json!({"table": "doc", "where": never()}));
    assert_eq!(read(&Rules::allow_all()), query);
    let always = json!({"type": "and", "conditions": [{"type": "and", "conditions": []}]});
    assert_eq!(read(&select("doc", &[two[0].clone(), always])), query);
}

#[test]
fn claims_of_any_form_are_constants() {
    let of = |op: &str, field: Json, members: Json| {
        let rules = select("doc", &[test("x", op, claim(field))]);
        rules.read(&json!({"table": "doc"}), &claims(&members))["where"].clone()
    };
    let list = json!({"groups": ["a", null, ["b"], {"c": 1}, 3]});
    assert_eq!(of("IN", json!("groups"), list.clone()), test("x", "IN", literal(json!(["a", 3]))));
    let nested = json!({"app": {"role": "admin"}});
    assert_eq!(
        of("=", json!(["app", "role"]), nested.clone()),
        test("x", "=", literal(json!("admin")))
    );
    for path in [json!("app"), json!(["app", "role", "deeper"]), json!(["app", "none"])] {
        assert_eq!(of("=", path, nested.clone()), test("x", "=", literal(Json::Null)));
    }
    // What an operator cannot be applied to holds for no row.
    assert_eq!(of("=", json!("groups"), list.clone()), never());
    assert_eq!(of("LIKE", json!("n"), json!({"n": 7})), never());
    for op in ["IN", "NOT IN"] {
        assert_eq!(of(op, json!("n"), json!({"n": 7})), never());
        assert_eq!(of(op, json!("none"), json!({})), test("x", op, literal(Json::Null)));
    }
    let role = json!({"type": "simple", "op": "=", "left": claim(json!("role")),
        "right": literal(json!("admin"))});
    let rules = select("doc", &[role]);
    let read = |members: Json| rules.read(&json!({"table": "doc"}), &claims(&members));
    assert_eq!(read(json!({"role": "admin"}))["where"]["left"], literal(json!("admin")));
    assert_eq!(read(json!({"role": ["admin"]}))["where"], never());
}

#[test]
fn what_is_wrong_with_rules_is_said_with_its_place() {
    let refused = |json: Json| Rules::parse(&json).expect_err("wrong rules").to_string();
    let in_select = |condition: Json| {
        refused(json!({"tables": {"t": {"row": {"select": [anybody()[0], ["allow", condition]]}}}}))
    };
    assert_eq!(refused(json!([])), "rules: expected an object");
    assert_eq!(refused(json!({"table": {}})), "rules: unknown key \"table\"; expected tables");
    assert_eq!(
        refused(json!({"tables": {"t": {"rows": {}}}})),
        "rules of table \"t\": unknown key \"rows\"; expected row, cell"
    );
    assert_eq!(
        refused(json!({"tables": {"t": {"row": {"update": {"preMutations": []}}}}})),
        "rules of table \"t\", row.update: unknown key \"preMutations\"; expected preMutation, postMutation"
    );
    assert_eq!(
        refused(json!({"tables": {"t": {"row": {"delete": [["deny", {}]]}}}})),
        "rules of table \"t\", row.delete, rule 1: expected [\"allow\", condition]"
    );
    let place = "rules of table \"t\", row.select, rule 2: ";
    let odd = json!({"type": "or", "conditions": [test("x", "~", literal(json!(1)))]});
    let said = in_select(odd);
    assert!(said.starts_with(&format!("{place}where.or[0].op: unknown operator \"~\"")), "{said}");
    let anchored = json!({ "type": "static", "anchor": "session", "field": "x" });
    assert_eq!(
        in_select(test("x", "=", anchored)),
        format!("{place}the anchor \"session\" is not known; expected \"authData\"")
    );
    let said = in_select(test("x", "=", was("x")));
    assert!(said.contains("update.postMutation only"), "{said}");
    let said = refused(json!({"tables": {"t": {"cell": {"x": {"select": []}}}}}));
    assert!(said.starts_with("rules of table \"t\", cell.x: columns cannot be hidden"), "{said}");
    assert_eq!(Rules::parse(&json!({})), Ok(Rules::deny_all()));
}

fn database() -> Result<Database, Error> {
    let db = Database::in_memory(Schema::new([
        Table::new("doc")
            .column("id", ColumnType::Integer)
            .nullable("owner", ColumnType::Text)
            .nullable("state", ColumnType::Text)
            .primary_key(["id"]),
        Table::new("share")
            .column("doc", ColumnType::Integer)
            .column("user", ColumnType::Text)
            .primary_key(["doc", "user"]),
    ])?)?;
    db.transaction(|tx| {
        tx.insert("doc", row! { id: 1, owner: "ada", state: "draft" })?;
        tx.insert("doc", row! { id: 2, owner: "bob", state: "draft" })?;
        tx.insert("doc", row! { id: 3, state: "draft" })?;
        tx.insert("share", row! { doc: 2, user: "ada" })
    })?;
    Ok(db)
}

#[test]
fn rules_are_checked_against_tables() -> Result<(), Error> {
    let db = database()?;
    let of = |table: &str, condition: Json| select(table, &[condition]).check(&db);
    assert_eq!(of("doc", test("owner", "=", claim(json!("sub")))), Ok(()));
    let said = of("doc", test("ower", "=", claim(json!("sub")))).expect_err("no such column");
    assert!(said.to_string().starts_with("rules of table \"doc\", row.select, rule 1: "), "{said}");
    assert!(of("docs", json!({"type": "and", "conditions": []})).is_err());
    Ok(())
}

/// Who may do what with the documents, by number.
fn may(db: &Database, rules: &Rules, user: &Json, stage: Stage<'_>) -> Result<Vec<i64>, Error> {
    let mut allowed = Vec::new();
    db.transaction(|tx| {
        for id in [1, 2, 3, 4] {
            let key = claims(&json!({ "id": id })).members;
            let check = RowCheck { table: "doc", key: &key, stage };
            if rules.check_write(tx, check, &claims(user))? {
                allowed.push(id);
            }
        }
        Ok(())
    })?;
    Ok(allowed)
}

#[test]
fn rows_are_written_by_those_who_may() -> Result<(), Error> {
    let db = database()?;
    let own = test("owner", "=", claim(json!("sub")));
    let shared = json!({"type": "correlatedSubquery", "op": "EXISTS", "related": {
        "correlation": {"parentField": ["id"], "childField": ["doc"]},
        "subquery": {"table": "share", "alias": "shares",
            "where": test("user", "=", claim(json!("sub")))}}});
    let rules = Rules::parse(&json!({"tables": {"doc": {
        "row": {
            "insert": [["allow", own]],
            "update": {
                "preMutation": [["allow", own], ["allow", shared]],
                "postMutation": [["allow", test("owner", "IS", was("owner"))]]},
            "delete": anybody()},
        "cell": {"state": {"update": {"preMutation": [["allow", own]]}, "insert": []}}}}}))
    .expect("good rules");
    assert_eq!(rules.check(&db), Ok(()));
    let columns = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let (owner, state): (BTreeSet<String>, BTreeSet<String>) =
        (columns(&["owner"]), columns(&["owner", "state"]));
    let (ada, bob) = (json!({"sub": "ada"}), json!({"sub": "bob"}));
    let allowed = |user: &Json, stage: Stage<'_>| may(&db, &rules, user, stage);
    assert_eq!(allowed(&ada, Stage::BeforeUpdate { columns: &owner })?, [1, 2]);
    assert_eq!(allowed(&ada, Stage::BeforeUpdate { columns: &state })?, [1]);
    assert_eq!(allowed(&bob, Stage::BeforeUpdate { columns: &owner })?, [2]);
    assert_eq!(allowed(&json!({}), Stage::BeforeUpdate { columns: &owner })?, [0; 0]);
    // The column's own rule allows no insertion.
    assert_eq!(allowed(&ada, Stage::Inserted)?, [0; 0]);
    // Everybody may, so it does not matter whether the row is there.
    assert_eq!(allowed(&json!({}), Stage::BeforeDelete)?, [1, 2, 3, 4]);
    let before = claims(&json!({"id": 1, "owner": "bob"})).members;
    assert_eq!(allowed(&ada, Stage::Updated { columns: &owner, before: &before })?, [2]);
    let before = claims(&json!({"id": 1, "owner": null})).members;
    assert_eq!(allowed(&ada, Stage::Updated { columns: &owner, before: &before })?, [3]);
    for stage in [Stage::Inserted, Stage::BeforeUpdate { columns: &owner }, Stage::BeforeDelete] {
        assert_eq!(may(&db, &Rules::deny_all(), &ada, stage)?, [0; 0]);
        assert_eq!(may(&db, &Rules::allow_all(), &ada, stage)?, [1, 2, 3, 4]);
    }
    Ok(())
}

#[test]
fn what_rules_look_at_is_not_for_the_user() -> Result<(), Error> {
    let db = database()?;
    let shared = json!({"type": "correlatedSubquery", "op": "EXISTS", "related": {
        "correlation": {"parentField": ["id"], "childField": ["doc"]},
        "subquery": {"table": "share", "where": test("user", "=", claim(json!("sub")))}}});
    let rules = select("doc", &[shared]);
    let ast = rules.read(&json!({"table": "doc"}), &claims(&json!({"sub": "ada"})));
    let rows = db.query_row_set(&Query::from_ast(&ast)?, &Params::default())?;
    let rows: Vec<String> = rows.iter().map(|row| row.to_json().to_string()).collect();
    assert_eq!(rows, [r#"{"id":2,"owner":"bob","state":"draft"}"#]);
    Ok(())
}
