//! Cases 16–22: limits.

use penstock::{Asc, Query, Related, exists};

use super::check::{Live, check, check_each};
use super::fixture::Fixture;
use super::values::N;

/// Parents and children, as in the joins' cases but without a shown column.
const PC: &str = "
    p(id num, n text)           = (1,a)(2,b)(3,c)
    c(id num, pid num?, t text) = (10,1,x)(11,1,y)(12,2,x)(13,∅,x)";

/// The first two of `N` by their value.
fn first_two() -> [Query; 1] {
    [Query::table("n").order_by("v", Asc).limit(2)]
}

#[test]
fn case_16_limit_add_within_and_beyond_the_bound() {
    check_each(
        N,
        first_two(),
        "=> 1 2
         +n(9,5)  => 9 1 {-2 +9}
         +n(0,20) => 1 0 {-2 +0}
         +n(9,20) => 1 2 {}",
    );
}

#[test]
fn case_17_limit_remove_within_and_beyond_the_bound() {
    check_each(
        N,
        first_two(),
        "=> 1 2
         -n(1) => 2 3 {-1 +3}
         -n(4) => 1 2 {}",
    );
}

#[test]
fn case_18_limit_edit_within_and_across_the_bound() {
    check_each(
        N,
        first_two(),
        "=> 1 2
         ~n(2) v=35 => 1 3 {-2 +3}
         ~n(2) v=25 => 1 2 {>2}
         ~n(1) v=99 => 2 3 {-1 +3}
         ~n(1) v=25 => 2 1 {>1}
         ~n(4) v=1  => 4 1 {-2 +4}
         ~n(4) v=50 => 1 2 {}",
    );
    // The row that became the bound is the bound.
    check(
        N,
        first_two(),
        "=> 1 2
         ~n(1) v=25 => 2 1 {>1}
         +n(5,26)   => 2 1 {}
         +n(6,24)   => 2 6 {-1 +6}",
    );
}

#[test]
fn case_19_limits_that_are_not_reached_and_limit_zero() {
    let nine = [Query::table("n").order_by("v", Asc).limit(9)];
    check(N, nine, "=> 1 2 3 4 \n ~n(1) v=99 => 2 3 4 1 {>1}");
    check(
        N,
        [Query::table("n").limit(0)],
        "=>
         +n(0,1)    => {}
         ~n(0) v=2  => {}
         -n(0)      => {}",
    );
    let cs = Related::many("c").on("id", "pid").limit(0);
    check(
        PC,
        [Query::table("p").related("cs", cs)],
        "=> 1[] 2[] 3[]
         +c(20,3,x)   => 1[] 2[] 3[]     {}
         +p(4,d)      => 1[] 2[] 3[] 4[] {+4}
         ~c(20) pid=4 => 1[] 2[] 3[] 4[] {}",
    );
}

#[test]
fn case_20_one_is_the_first_row_or_none() {
    let tables = "n(id num, v num)";
    check(
        tables,
        [Query::table("n").order_by("v", Asc).one()],
        "=> none
         +n(1,10) => 1    {+1}
         +n(2,5)  => 2    {-1 +2}
         +n(3,7)  => 2    {}
         -n(2)    => 3    {-2 +3}
         -n(1)    => 3    {}
         -n(3)    => none {-3}",
    );
}

#[test]
fn case_21_a_limit_in_a_relationship_is_per_parent() {
    let cs = Related::many("c").on("id", "pid").order_by("t", Asc).limit(1);
    check(
        PC,
        [Query::table("p").related("cs", cs)],
        "=> 1[10] 2[12] 3[]
         +c(20,1,a) => 1[20] 2[12] 3[]   {1.cs-10 1.cs+20}
         -c(20)     => 1[10] 2[12] 3[]   {1.cs-20 1.cs+10}
         +c(21,3,z) => 1[10] 2[12] 3[21] {3.cs+21}",
    );
}

/// Three of many parents have children and then lose them, and nothing can take their places.
/// With room left that is known at once. A full window does not know what follows it: it reads on
/// from its bound for a stretch, then finds from the children that there is nothing, and knows.
#[test]
fn case_22_a_limit_that_can_no_longer_be_filled() {
    const PARENTS: u64 = 6000;
    let rows: Vec<String> = (1..=PARENTS).map(|id| format!("({id})")).collect();
    let tables = format!("p(id num) = {}\nc(id num, pid num) = (10,1)(20,2)(30,3)", rows.concat());
    for (limit, rows_read) in [(4, 0..=0), (3, 1..=PARENTS / 4)] {
        let fixture = Fixture::new(&tables);
        let query = Query::table("p").filter(exists(Related::many("c").on("id", "pid")));
        let mut live = Live::new(&fixture.db, &query.limit(limit), false);
        let stats = |live: &Live| live.subscription.explain().report().stats;
        let (start, mut first) = (stats(&live), None);
        for (write, expected) in [
            ("-c(30)", "1 2"),
            ("-c(10)", "2"),
            ("+c(10,1); +c(30,3)", "1 2 3"),
            ("-c(30)", "1 2"),
            ("-c(20); -c(10)", ""),
        ] {
            fixture.write(write);
            let (tree, patches) = live.follow();
            assert_eq!((fixture.tree(&tree).as_str(), patches.len()), (expected, 1));
            first.get_or_insert_with(|| stats(&live));
        }
        let (first, end) = (first.unwrap_or(start), stats(&live));
        let read = first.refill_rows_in - start.refill_rows_in;
        assert!(rows_read.contains(&read), "{read} rows were read");
        assert_eq!(end.refill_rows_in, first.refill_rows_in);
        let looked_at = end.probes + end.candidates - first.probes - first.candidates;
        assert!(looked_at < 20, "{looked_at} rows were looked at for seven that came or left");
    }
}
