//! Random rules, rows and queries: what a query with the rules compiled in gives is what the query
//! gives on a database that holds only the rows that may be read.

use penstock::{RowInput, Value};
use proptest::prelude::*;

use super::*;

const TABLES: [&str; 3] = ["a", "b", "c"];
const COLUMNS: [&str; 3] = ["id", "p", "q"];

fn schema() -> Schema {
    let table = |name: &str| {
        Table::new(name)
            .column("id", ColumnType::Integer)
            .nullable("p", ColumnType::Integer)
            .nullable("q", ColumnType::Integer)
            .primary_key(["id"])
    };
    Schema::new(TABLES.map(table)).expect("a valid schema")
}

fn table() -> impl Strategy<Value = &'static str> {
    prop::sample::select(TABLES.to_vec())
}

fn column() -> impl Strategy<Value = &'static str> {
    prop::sample::select(COLUMNS.to_vec())
}

/// A constant, or if `anchored` sometimes a claim.
fn constant(anchored: bool) -> BoxedStrategy<Json> {
    let value = prop_oneof![4 => (0..4i64).prop_map(Json::from), 1 => Just(Json::Null)];
    let literal = value.prop_map(literal);
    if !anchored {
        return literal.boxed();
    }
    let field = prop::sample::select(vec!["one", "none", "list", "text"]);
    prop_oneof![literal, field.prop_map(|field| claim(json!(field)))].boxed()
}

fn comparison(anchored: bool) -> impl Strategy<Value = Json> {
    let op = prop::sample::select(vec!["=", "!=", "<", ">=", "IS", "IS NOT"]);
    (column(), op, constant(anchored)).prop_map(|(column, op, right)| {
        // An order between a text and a number is an error for whoever wrote the rule.
        let ordered = matches!(op, "<" | ">=") && right["field"] == "text";
        test(column, if ordered { "=" } else { op }, right)
    })
}

fn correlation() -> impl Strategy<Value = Json> {
    (column(), column())
        .prop_map(|(parent, child)| json!({"parentField": [parent], "childField": [child]}))
}

fn condition(anchored: bool) -> impl Strategy<Value = Json> {
    comparison(anchored).prop_recursive(4, 12, 3, |inner| {
        let parts = prop::collection::vec(inner.clone(), 0..3);
        let gate = (any::<bool>(), correlation(), table(), prop::option::of(inner));
        let gate = gate.prop_map(|(negated, correlation, table, condition)| {
            let mut subquery = json!({"table": table, "alias": "x"});
            if let Some(condition) = condition {
                subquery["where"] = condition;
            }
            let op = if negated { "NOT EXISTS" } else { "EXISTS" };
            json!({"type": "correlatedSubquery", "op": op,
                "related": {"correlation": correlation, "subquery": subquery}})
        });
        prop_oneof![
            (any::<bool>(), parts).prop_map(|(and, parts)| {
                json!({"type": if and { "and" } else { "or" }, "conditions": parts})
            }),
            gate,
        ]
    })
}

/// All of a query but what is related.
fn level() -> impl Strategy<Value = Json> {
    let start = (0..4i64, 0..4i64, 0..9i64, any::<bool>());
    (
        table(),
        prop::option::of(condition(false)),
        prop::option::of((column(), any::<bool>())),
        prop::option::of(0..4usize),
        prop::option::of(start),
    )
        .prop_map(|(table, condition, order, limit, start)| {
            let mut level = json!({ "table": table });
            if let Some(condition) = condition {
                level["where"] = condition;
            }
            if let Some((column, desc)) = order {
                level["orderBy"] = json!([[column, if desc { "desc" } else { "asc" }]]);
            }
            if let Some(limit) = limit {
                level["limit"] = json!(limit);
            }
            if let Some((p, q, id, exclusive)) = start {
                level["start"] = json!({"row": {"id": id, "p": p, "q": q}, "exclusive": exclusive});
            }
            level
        })
}

fn query() -> impl Strategy<Value = Json> {
    level().prop_recursive(3, 8, 2, |inner| {
        let hop = prop::option::of((table(), correlation()));
        let related = prop::collection::vec((correlation(), hop, inner), 0..3);
        (level(), related).prop_map(|(mut level, related)| {
            let related =
                related.into_iter().enumerate().map(|(index, (correlation, hop, mut child))| {
                    let alias = format!("r{index}");
                    child["alias"] = json!(alias);
                    let Some((table, further)) = hop else {
                        return json!({"correlation": correlation, "subquery": child});
                    };
                    let far = json!({"correlation": further, "subquery": child});
                    json!({"correlation": correlation, "hidden": true,
                    "subquery": {"table": table, "alias": alias, "related": [far]}})
                });
            level["related"] = related.collect();
            level
        })
    })
}

fn rules() -> impl Strategy<Value = Json> {
    let always = Just(json!({"type": "and", "conditions": []}));
    let rule = prop_oneof![1 => always, 6 => condition(true)];
    let select = prop::option::of(prop::collection::vec(rule, 0..3));
    prop::collection::vec(select, 3).prop_map(|selects| {
        let mut tables = Map::new();
        for (table, select) in TABLES.iter().zip(selects) {
            if let Some(select) = select {
                let listed: Vec<Json> = select.iter().map(|rule| json!(["allow", rule])).collect();
                tables.insert((*table).to_owned(), json!({"row": {"select": listed}}));
            }
        }
        json!({ "tables": tables })
    })
}

type Stored = (usize, i64, Option<i64>, Option<i64>);

fn stored() -> impl Strategy<Value = Vec<Stored>> {
    let value = || prop::option::weighted(0.8, 0..4i64);
    prop::collection::vec((0..3usize, 0..9i64, value(), value()), 0..20)
}

fn input(row: &Stored) -> RowInput {
    let value = |value: Option<i64>| value.map_or(Value::Null, Value::Int);
    row! { id: row.1, p: value(row.2), q: value(row.3) }
}

/// The rows that make up a result, and its tree.
fn outcome(db: &Database, ast: &Json) -> Result<(BTreeSet<String>, Json), Error> {
    let query = Query::from_ast(ast)?;
    let rows = db.query_row_set(&query, &Params::default())?;
    let rows = rows.iter().map(|row| format!("{}: {}", row.table().name(), row.to_json()));
    Ok((rows.collect(), db.query(&query)?.to_json()?))
}

fn check(rules: &Json, rows: &[Stored], query: &Json) -> Result<(), Error> {
    let rules = Rules::parse(rules).expect("good rules");
    let claims = claims(&json!({"one": 1, "list": [1, 2], "text": "x"}));
    let (all, allowed) = (Database::in_memory(schema())?, Database::in_memory(schema())?);
    all.transaction(|tx| {
        rows.iter().try_for_each(|row| tx.upsert(TABLES[row.0], input(row)).map(drop))
    })?;
    for table in TABLES {
        let select = rules.tables.get(table).and_then(|table| table.row.select.clone());
        let bound = select.unwrap_or_default();
        let bound: Vec<Json> = bound.iter().map(|rule| bind::bind(rule, &claims, None)).collect();
        let may = json!({"table": table, "where": {"type": "or", "conditions": bound}});
        let found = all.query(&Query::from_ast(&may)?)?;
        allowed.transaction(|tx| {
            found.iter().try_for_each(|row| {
                let table = row.row().table().clone();
                let json = row.row().to_json();
                tx.insert(table.name(), RowInput::from_json(&table, &json).expect("a row"))
            })
        })?;
    }
    let guarded = rules.read(query, &claims);
    let (seen, expected) = (outcome(&all, &guarded)?, outcome(&allowed, query)?);
    assert_eq!(seen, expected, "rules {rules:?}, query {query}");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn queries_see_what_may_be_read_and_nothing_else(
        rules in rules(), rows in stored(), query in query(),
    ) {
        check(&rules, &rows, &query).expect("a sound query");
    }

    #[test]
    fn nothing_that_claims_to_be_a_query_is_a_problem(noise in noise()) {
        let rules = select("a", &[test("p", "=", claim(json!("one")))]);
        let guarded = rules.read(&noise, &Claims::default());
        let db = Database::in_memory(schema()).expect("a database");
        db.transaction(|tx| tx.insert("a", row! { id: 1 })).expect("a row");
        if let Ok(query) = Query::from_ast(&guarded)
            && let Ok(rows) = db.query_row_set(&query, &Params::default())
        {
            assert_eq!(rows.len(), 0, "{noise}");
        }
    }
}

/// JSON with the words of queries in places where they may make no sense.
fn noise() -> impl Strategy<Value = Json> {
    let words = ["a", "and", "or", "simple", "correlatedSubquery", "EXISTS", "id", "=", "literal"];
    let keys = [
        "table",
        "where",
        "type",
        "conditions",
        "related",
        "subquery",
        "correlation",
        "left",
        "right",
        "op",
    ];
    let leaf = prop_oneof![
        prop::sample::select(words.to_vec()).prop_map(Json::from),
        Just(Json::Null),
        Just(json!({"table": "a"})),
        Just(json!({"type": "and", "conditions": []})),
    ];
    leaf.prop_recursive(5, 30, 4, move |inner| {
        let member = (prop::sample::select(keys.to_vec()), inner.clone());
        prop_oneof![
            prop::collection::vec(inner, 0..3).prop_map(Json::from),
            prop::collection::vec(member, 0..4).prop_map(|members| {
                Json::Object(
                    members.into_iter().map(|(key, json)| (key.to_owned(), json)).collect(),
                )
            }),
        ]
    })
}
