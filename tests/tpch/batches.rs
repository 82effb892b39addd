//! The transactions.

/// What a transaction does.
pub(crate) enum Batch {
    /// Inserts that many of the orders that were held back, with their lines, by the row API.
    Orders(usize),
    /// Changes one line after another by the row API: the quantity of the order's first line.
    Lines(std::ops::Range<i64>),
    Sql(&'static [&'static str]),
    /// Statements that are given up in the end.
    GivenUp(&'static [&'static str]),
}

pub(crate) const BATCHES: [Batch; 18] = [
    Batch::Orders(20),
    Batch::Sql(&["UPDATE lineitem SET l_shipdate = date(l_shipdate, '+40 days'),
        l_receiptdate = date(l_receiptdate, '+45 days') WHERE l_orderkey % 11 = 3"]),
    Batch::Sql(&["DELETE FROM orders WHERE o_orderkey % 17 = 2"]),
    Batch::Lines(1..40),
    Batch::Sql(&[
        "UPDATE customer SET c_mktsegment = 'BUILDING' WHERE c_custkey % 5 = 1",
        "UPDATE customer SET c_acctbal = c_acctbal + 100000, c_nationkey = (c_nationkey + 3) % 25
            WHERE c_custkey % 7 = 2",
    ]),
    Batch::Sql(&["UPDATE part SET p_type = 'PROMO POLISHED BRASS', p_size = p_size + 1,
        p_name = p_name || ' green' WHERE p_partkey % 9 = 4"]),
    Batch::Sql(&["UPDATE supplier SET s_nationkey = (s_nationkey + 7) % 25
        WHERE s_suppkey % 4 = 1"]),
    Batch::GivenUp(&["DELETE FROM lineitem", "DELETE FROM orders"]),
    Batch::Sql(&["UPDATE supplier SET s_comment = 'Customer has Complaints', s_acctbal = -1
        WHERE s_suppkey IN (3, 8)"]),
    Batch::Sql(&["UPDATE partsupp SET ps_supplycost = ps_supplycost / 2,
        ps_availqty = ps_availqty / 30 WHERE ps_partkey % 6 = 0"]),
    Batch::Sql(&[
        "UPDATE lineitem SET l_discount = 6, l_returnflag = 'R' WHERE l_orderkey % 13 = 5",
        "UPDATE lineitem SET l_quantity = 1 WHERE l_partkey % 5 = 0 AND l_linenumber = 1",
    ]),
    Batch::Sql(&["DELETE FROM lineitem WHERE l_linenumber > 5"]),
    Batch::Sql(&[
        "UPDATE orders SET o_orderdate = date(o_orderdate, '-60 days'),
            o_orderpriority = '1-URGENT' WHERE o_orderkey % 10 = 1",
        "UPDATE orders SET o_comment = 'some special requests', o_custkey = 1 + o_custkey % 300
            WHERE o_orderkey % 8 = 3",
    ]),
    Batch::Orders(40),
    Batch::Sql(&[
        "UPDATE lineitem SET l_orderkey = l_orderkey + 1, l_linenumber = l_linenumber + 50
        WHERE l_orderkey IN (SELECT o_orderkey - 1 FROM orders) AND l_orderkey % 3 = 0",
    ]),
    Batch::Sql(&[
        "UPDATE nation SET n_name = 'FRANCE', n_regionkey = 1 WHERE n_nationkey = 20",
        "UPDATE region SET r_name = CASE r_name WHEN 'ASIA' THEN 'EUROPE' ELSE 'ASIA' END
            WHERE r_name IN ('ASIA', 'EUROPE')",
    ]),
    Batch::Lines(1_000..1_200),
    Batch::Sql(&["DELETE FROM orders WHERE o_orderdate > '1996-06-01'"]),
];
