//! The tables, and rows for them.

use rusqlite::Connection;
use rusqlite::types::Value;
use tpchgen::generators::{
    CustomerGenerator, LineItemGenerator, NationGenerator, OrderGenerator, PartGenerator,
    PartSuppGenerator, RegionGenerator, SupplierGenerator,
};

/// The scale factor: 3 000 orders and 12 000 lines.
const SCALE: f64 = 0.002;

/// The tables. Money is in cents, rates are in hundredths.
pub(crate) const DDL: &str = "
    CREATE TABLE region (r_regionkey INTEGER PRIMARY KEY, r_name TEXT NOT NULL, r_comment TEXT);
    CREATE TABLE nation (n_nationkey INTEGER PRIMARY KEY, n_name TEXT NOT NULL,
        n_regionkey INTEGER NOT NULL REFERENCES region, n_comment TEXT);
    CREATE TABLE part (p_partkey INTEGER PRIMARY KEY, p_name TEXT NOT NULL, p_mfgr TEXT NOT NULL,
        p_brand TEXT NOT NULL, p_type TEXT NOT NULL, p_size INTEGER NOT NULL,
        p_container TEXT NOT NULL, p_retailprice INTEGER NOT NULL, p_comment TEXT NOT NULL);
    CREATE TABLE supplier (s_suppkey INTEGER PRIMARY KEY, s_name TEXT NOT NULL,
        s_address TEXT NOT NULL, s_nationkey INTEGER NOT NULL REFERENCES nation,
        s_phone TEXT NOT NULL, s_acctbal INTEGER NOT NULL, s_comment TEXT NOT NULL);
    CREATE TABLE partsupp (ps_partkey INTEGER NOT NULL REFERENCES part,
        ps_suppkey INTEGER NOT NULL REFERENCES supplier, ps_availqty INTEGER NOT NULL,
        ps_supplycost INTEGER NOT NULL, ps_comment TEXT NOT NULL,
        PRIMARY KEY (ps_partkey, ps_suppkey)) WITHOUT ROWID;
    CREATE TABLE customer (c_custkey INTEGER PRIMARY KEY, c_name TEXT NOT NULL,
        c_address TEXT NOT NULL, c_nationkey INTEGER NOT NULL REFERENCES nation,
        c_phone TEXT NOT NULL, c_acctbal INTEGER NOT NULL, c_mktsegment TEXT NOT NULL,
        c_comment TEXT NOT NULL);
    CREATE TABLE orders (o_orderkey INTEGER PRIMARY KEY,
        o_custkey INTEGER NOT NULL REFERENCES customer, o_orderstatus TEXT NOT NULL,
        o_totalprice INTEGER NOT NULL, o_orderdate TEXT NOT NULL, o_orderpriority TEXT NOT NULL,
        o_clerk TEXT NOT NULL, o_shippriority INTEGER NOT NULL, o_comment TEXT NOT NULL);
    CREATE TABLE lineitem (l_orderkey INTEGER NOT NULL REFERENCES orders ON DELETE CASCADE,
        l_partkey INTEGER NOT NULL, l_suppkey INTEGER NOT NULL, l_linenumber INTEGER NOT NULL,
        l_quantity INTEGER NOT NULL, l_extendedprice INTEGER NOT NULL,
        l_discount INTEGER NOT NULL, l_tax INTEGER NOT NULL, l_returnflag TEXT NOT NULL,
        l_linestatus TEXT NOT NULL, l_shipdate TEXT NOT NULL, l_commitdate TEXT NOT NULL,
        l_receiptdate TEXT NOT NULL, l_shipinstruct TEXT NOT NULL, l_shipmode TEXT NOT NULL,
        l_comment TEXT NOT NULL,
        PRIMARY KEY (l_orderkey, l_linenumber),
        FOREIGN KEY (l_partkey, l_suppkey) REFERENCES partsupp (ps_partkey, ps_suppkey));
    CREATE INDEX nation_region ON nation (n_regionkey);
    CREATE INDEX supplier_nation ON supplier (s_nationkey);
    CREATE INDEX partsupp_supplier ON partsupp (ps_suppkey);
    CREATE INDEX customer_nation ON customer (c_nationkey);
    CREATE INDEX orders_customer ON orders (o_custkey);
    CREATE INDEX lineitem_part ON lineitem (l_partkey, l_suppkey);
    CREATE INDEX lineitem_supplier ON lineitem (l_suppkey);
";

/// Generated rows of one table.
pub(crate) struct Generated {
    pub(crate) table: &'static str,
    pub(crate) rows: Vec<Vec<Value>>,
}

/// The rows of all tables, parents first.
pub(crate) fn generate() -> Vec<Generated> {
    vec![
        table("region", "itt", RegionGenerator::new(SCALE, 1, 1).iter()),
        table("nation", "itit", NationGenerator::new(SCALE, 1, 1).iter()),
        table("part", "ittttitct", PartGenerator::new(SCALE, 1, 1).iter()),
        table("supplier", "ittitct", SupplierGenerator::new(SCALE, 1, 1).iter()),
        table("partsupp", "iiict", PartSuppGenerator::new(SCALE, 1, 1).iter()),
        table("customer", "ittitctt", CustomerGenerator::new(SCALE, 1, 1).iter()),
        table("orders", "iitctttit", OrderGenerator::new(SCALE, 1, 1).iter()),
        table("lineitem", "iiiiiccctttttttt", LineItemGenerator::new(SCALE, 1, 1).iter()),
    ]
}

/// Rows from lines of fields that a bar ends: `i` is an integer, `c` a decimal with two digits
/// that becomes hundredths, `t` a text.
fn table<L: std::fmt::Display>(
    table: &'static str,
    kinds: &str,
    lines: impl Iterator<Item = L>,
) -> Generated {
    let row = |line: L| {
        let line = line.to_string();
        let fields = line.trim_end_matches('|').split('|').zip(kinds.chars());
        fields
            .map(|(field, kind)| match kind {
                'i' => Value::Integer(field.parse().expect("an integer")),
                'c' => Value::Integer(field.replace('.', "").parse().expect("hundredths")),
                _ => Value::Text(field.to_owned()),
            })
            .collect()
    };
    Generated { table, rows: lines.map(row).collect() }
}

/// Inserts rows. At so small a scale the generator repeats some keys of `partsupp`; the first counts.
pub(crate) fn insert(connection: &Connection, table: &str, rows: &[Vec<Value>]) {
    let Some(first) = rows.first() else { return };
    let places = vec!["?"; first.len()].join(", ");
    let sql = format!("INSERT OR IGNORE INTO {table} VALUES ({places})");
    let mut statement = connection.prepare(&sql).expect("a table");
    for row in rows {
        statement.execute(rusqlite::params_from_iter(row)).expect("a row");
    }
}
