//! SQLite is the oracle.

#[path = "sql_oracle/case.rs"]
mod case;
#[path = "sql_oracle/expression.rs"]
mod expression;
#[path = "sql_oracle/from.rs"]
mod from;
#[path = "sql_oracle/kinds.rs"]
mod kinds;
#[path = "sql_oracle/oracle.rs"]
mod oracle;
#[path = "sql_oracle/query.rs"]
mod query;
#[path = "sql_oracle/random.rs"]
mod random;
#[path = "sql_oracle/schema.rs"]
mod schema;
#[path = "sql_oracle/script.rs"]
mod script;
#[path = "sql_oracle/select.rs"]
mod select;
#[path = "sql_oracle/subquery.rs"]
mod subquery;

#[test]
fn every_statement_is_sqlites() {
    let mut errors = std::collections::BTreeMap::<String, (usize, String)>::new();
    let mut features = std::collections::BTreeMap::<&str, usize>::new();
    let mut nonempty = 0; let (mut queries, mut rows, mut outcomes, mut fails) = (0, 0, 0, 0);
    for seed in 0..2000 {
        let case = case::case(seed);
        let oracle = oracle::Oracle::new(rusqlite::Connection::open_in_memory().unwrap());
        for sql in case.schema.ddl().iter().chain(&case.load) {
            if let Err(e) = oracle.connection.execute(sql, []) { errors.entry(e.to_string()).or_insert((0, sql.clone())).0 += 1; }
        }
        for step in &case.steps {
            oracle.connection.execute("BEGIN", []).unwrap();
            let mut o = vec![];
            for a in &step.actions { oracle.act(&case.schema, a, &mut o); 
              if let script::Action::Sql(s) = a { if let Err(e) = oracle.prepares(s) { errors.entry(e).or_insert((0, s.clone())).0 += 1; } } }
            outcomes += o.len(); fails += o.iter().filter(|o| !**o).count();
            if oracle.connection.execute("COMMIT", []).is_err() { oracle.connection.execute("ROLLBACK", []).unwrap(); }
            for query in &case.queries {
                for f in &query.features { *features.entry(f).or_default() += 1; }
                queries += 1;
                let s = query.statement();
                match oracle.rows(&s) {
                    Ok((_, r)) => {rows += r.len(); if r.len() > 0 {nonempty += 1; }},
                    Err(e) => errors.entry(e.to_string().chars().take(60).collect()).or_insert((0, s.sql.clone())).0 += 1,
                }
            }
        }
    }
    for (e, (n, sql)) in &errors { println!("{n} {e}\n   {sql}"); }
    println!("{features:?}");
    println!("{nonempty} {queries} {rows} {outcomes} {fails}");
    for seed in 0..8 { println!("{}", case::case(seed)); }
}
