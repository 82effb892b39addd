//! Literals of values, as SQL has them.

use crate::rng::Rng;

/// Texts with everything that may need care on the way.
pub(crate) const TEXTS: &[&str] = &[
    "",
    "a",
    "Ab",
    "abc",
    "zebra",
    "Zürich",
    "naïve ü 😀",
    "it's",
    "say \"hi\"",
    "back\\slash",
    "tab\tnew\nline\r",
    "{1,2}",
    "(a,b)",
    "NULL",
    "null",
    "%_",
    "\\x00ff",
    "  blanks  ",
    "\u{7f}\u{1}\u{200b}",
    "日本語",
];

/// A text as SQL has it.
pub(crate) fn quoted(text: &str) -> String {
    let text = text.replace('\'', "''");
    match text.contains('\\') {
        true => format!("E'{}'", text.replace('\\', "\\\\")),
        false => format!("'{text}'"),
    }
}

fn one_of(rng: &mut Rng, of: &[&str]) -> String {
    let text: &&str = rng.pick(of);
    quoted(text)
}

/// A number of few.
pub(crate) fn few(rng: &mut Rng, bound: i64) -> String {
    rng.range(1, bound).to_string()
}

/// Integers of which some are beyond doubles.
pub(crate) fn few_far(rng: &mut Rng) -> String {
    let number = rng.range(1, 40);
    (if number > 30 { 9_007_199_254_740_990 + number } else { number }).to_string()
}

pub(crate) fn int2(rng: &mut Rng) -> String {
    rng.pick(&["0", "-1", "7", "12", "'-32768'::int2", "32767"]).to_string()
}

pub(crate) fn int4(rng: &mut Rng) -> String {
    match rng.below(5) {
        0 => rng.pick(&["'-2147483648'::int4", "2147483647", "0"]).to_string(),
        _ => rng.range(-20, 60).to_string(),
    }
}

pub(crate) fn int8(rng: &mut Rng) -> String {
    match rng.below(3) {
        0 => rng
            .pick(&["'-9223372036854775808'::int8", "9223372036854775807", "9007199254740993"])
            .to_string(),
        _ => rng.range(-20, 60).to_string(),
    }
}

pub(crate) fn oid(rng: &mut Rng) -> String {
    rng.pick(&["0", "16384", "4294967295"]).to_string()
}

pub(crate) fn positive(rng: &mut Rng) -> String {
    rng.range(1, 99).to_string()
}

pub(crate) fn boolean(rng: &mut Rng) -> String {
    rng.chance(50).to_string()
}

pub(crate) fn float4(rng: &mut Rng) -> String {
    let all = ["0.1", "-2.5", "1e30", "3.4028235e38", "1e-45", "NaN", "Infinity", "-0", "16777217"];
    format!("'{}'::float4", rng.pick(&all))
}

pub(crate) fn float8(rng: &mut Rng) -> String {
    let all = ["NaN", "Infinity", "-Infinity", "-0", "1.7976931348623157e308", "5e-324", "1e22"];
    match rng.chance(40) {
        true => format!("'{}'::float8", rng.pick(&all)),
        false => finite(rng),
    }
}

pub(crate) fn finite(rng: &mut Rng) -> String {
    format!("'{}'::float8", rng.range(-5000, 5000) as f64 / 7.0)
}

pub(crate) fn money_like(rng: &mut Rng) -> String {
    format!("{}.{:02}", rng.range(0, 40), rng.pick(&[0, 25, 50, 99]))
}

pub(crate) fn numeric(rng: &mut Rng) -> String {
    let all = [
        "0",
        "1.50",
        "-0.000001",
        "9223372036854775807",
        "-9223372036854775808",
        "9223372036854775808",
        "9007199254740993.5",
        "123456789012345678901234567890.123",
        "1e300",
        "0.1",
        "100",
        "5.000",
        "NaN",
        "Infinity",
        "-Infinity",
    ];
    format!("'{}'::numeric", rng.pick(&all))
}

pub(crate) fn numeric_30(rng: &mut Rng) -> String {
    let all = ["0", "1.5", "-7.000001", "123456789012345678901234.123456", "42"];
    rng.pick(&all).to_string()
}

/// Beyond 2250 doubles do not hold microseconds.
fn day(rng: &mut Rng) -> String {
    format!("{}-{:02}-{:02}", rng.range(1700, 2249), rng.range(1, 12), rng.range(1, 28))
}

fn clock(rng: &mut Rng) -> String {
    let fraction = rng.pick(&["", ".5", ".123", ".999999", ".000001"]);
    format!("{:02}:{:02}:{:02}{fraction}", rng.below(24), rng.below(60), rng.below(60))
}

pub(crate) fn date(rng: &mut Rng) -> String {
    let all = ["infinity", "-infinity", "0044-03-15 BC", "0001-01-01", "9999-12-31", "1970-01-01"];
    match rng.chance(30) {
        true => format!("date '{}'", rng.pick(&all)),
        false => format!("date '{}'", day(rng)),
    }
}

pub(crate) fn timestamp(rng: &mut Rng) -> String {
    let all = ["infinity", "-infinity", "0044-03-15 12:00:00 BC", "9999-12-31 23:59:59"];
    match rng.chance(30) {
        true => format!("timestamp '{}'", rng.pick(&all)),
        false => format!("timestamp '{} {}'", day(rng), clock(rng)),
    }
}

pub(crate) fn timestamptz(rng: &mut Rng) -> String {
    let zone = rng.pick(&["Z", "+05:30", "-12", "+14"]);
    match rng.chance(20) {
        true => format!("timestamptz '{}'", rng.pick(&["infinity", "-infinity"])),
        false => format!("timestamptz '{} {}{zone}'", day(rng), clock(rng)),
    }
}

pub(crate) fn few_dates(rng: &mut Rng) -> String {
    format!("date '2026-01-{:02}'", rng.range(1, 28))
}

pub(crate) fn few_moments(rng: &mut Rng) -> String {
    format!("timestamptz '2026-02-03 04:05:06.{:06}+02'", rng.range(1, 30))
}

pub(crate) fn time(rng: &mut Rng) -> String {
    match rng.chance(10) {
        true => "time '24:00:00'".to_owned(),
        false => format!("time '{}'", clock(rng)),
    }
}

pub(crate) fn timetz(rng: &mut Rng) -> String {
    format!("timetz '{}{}'", clock(rng), rng.pick(&["Z", "+05:30", "-08"]))
}

pub(crate) fn interval(rng: &mut Rng) -> String {
    let all = [
        "0",
        "1 year 2 mons 3 days 04:05:06.789",
        "-1 day +01:00:00",
        "-00:00:00.000001",
        "100 years -3 mons",
        "1000000 hours",
        "1.5 seconds",
    ];
    format!("interval '{}'", rng.pick(&all))
}

pub(crate) fn text(rng: &mut Rng) -> String {
    one_of(rng, TEXTS)
}

/// Sometimes larger than what is kept in the row, and compressing badly.
pub(crate) fn long_text(rng: &mut Rng) -> String {
    match rng.below(4) {
        0 => text(rng),
        1 => format!("repeat('long {} ', 1500)", rng.below(100)),
        _ => large(rng),
    }
}

fn large(rng: &mut Rng) -> String {
    let (seed, parts) = (rng.below(1_000_000), rng.range(80, 300));
    format!(
        "(select string_agg(md5(n::text || '{seed}'), '' order by n) from generate_series(1, {parts}) n)"
    )
}

pub(crate) fn long_bytea(rng: &mut Rng) -> String {
    format!("decode({}, 'hex')", large(rng))
}

pub(crate) fn long_json(rng: &mut Rng) -> String {
    format!("jsonb_build_object('n', {}, 'large', {})", rng.below(100), large(rng))
}

pub(crate) fn few_texts(rng: &mut Rng) -> String {
    match rng.chance(20) {
        true => one_of(rng, &["it's", "ü", "A", "a", "\\"]),
        false => format!("'k{}'", rng.range(1, 40)),
    }
}

pub(crate) fn uuid(rng: &mut Rng) -> String {
    format!("md5('{}')::uuid", rng.below(10_000))
}

pub(crate) fn few_uuids(rng: &mut Rng) -> String {
    format!("md5('{}')::uuid", rng.below(40))
}

pub(crate) fn mood(rng: &mut Rng) -> String {
    format!("{}::mood", one_of(rng, &["sad", "ok", "happy, \"very\""]))
}

pub(crate) fn inet(rng: &mut Rng) -> String {
    format!("inet '{}'", rng.pick(&["192.168.0.1", "10.1.2.3/8", "::1", "2001:db8::1/64"]))
}

pub(crate) fn cidr(rng: &mut Rng) -> String {
    format!("cidr '{}'", rng.pick(&["192.168.0.0/24", "10/8", "2001:db8::/32"]))
}

pub(crate) fn macaddr(rng: &mut Rng) -> String {
    format!("'08:00:2b:01:02:{:02x}'", rng.below(256))
}

pub(crate) fn bit(rng: &mut Rng) -> String {
    format!("b'{:05b}'", rng.below(32))
}

pub(crate) fn xml(rng: &mut Rng) -> String {
    one_of(rng, &["<a/>", "<a b=\"c\">ü &amp; <!-- x --></a>", "text"])
}

pub(crate) fn money(rng: &mut Rng) -> String {
    format!("'{}'::numeric::money", rng.pick(&["0", "1234567.89", "-5.5"]))
}

pub(crate) fn int4range(rng: &mut Rng) -> String {
    format!("int4range '{}'", rng.pick(&["empty", "[1,5]", "(,7)", "[3,)"]))
}

pub(crate) fn numrange(rng: &mut Rng) -> String {
    format!("numrange '{}'", rng.pick(&["empty", "[1.50,5)", "(,7.1]"]))
}

pub(crate) fn tstzrange(rng: &mut Rng) -> String {
    format!(
        "tstzrange '{}'",
        rng.pick(&["[2026-01-01 00:00+02,2026-01-02)", "empty", "(,infinity)"])
    )
}

pub(crate) fn daterange(rng: &mut Rng) -> String {
    format!("daterange '{}'", rng.pick(&["[2026-01-01,2026-01-31]", "empty"]))
}

pub(crate) fn multirange(rng: &mut Rng) -> String {
    format!("int4multirange '{}'", rng.pick(&["{}", "{[1,3),[5,9)}"]))
}

pub(crate) fn point(rng: &mut Rng) -> String {
    format!("point '({},{})'", rng.range(-9, 9), rng.pick(&["0.1", "1e20", "-3"]))
}

pub(crate) fn square(rng: &mut Rng) -> String {
    format!("box '({},2),(0.5,0.25)'", rng.range(1, 9))
}

pub(crate) fn circle(rng: &mut Rng) -> String {
    format!("circle '<(1,2),{}>'", rng.range(1, 9))
}

pub(crate) fn path(rng: &mut Rng) -> String {
    format!("path '{}'", rng.pick(&["[(0,0),(1,1)]", "((0,0),(1,1),(2,0.5))"]))
}

pub(crate) fn tsvector(rng: &mut Rng) -> String {
    format!("tsvector '{}'", rng.pick(&["a fat cat", "a:1A b:2,3 ''it s''", ""]))
}

pub(crate) fn tsquery(rng: &mut Rng) -> String {
    format!("tsquery '{}'", rng.pick(&["fat & (rat | cat)", "!a <-> b", "a:*B"]))
}

pub(crate) fn pg_lsn(rng: &mut Rng) -> String {
    format!("pg_lsn '{:X}/{:X}'", rng.below(99), rng.below(1 << 30))
}

pub(crate) fn jsonpath(rng: &mut Rng) -> String {
    format!("jsonpath '{}'", rng.pick(&["$.a[*] ? (@ > 1)", "strict $.\"b c\""]))
}

pub(crate) fn bytea(rng: &mut Rng) -> String {
    format!("'\\x{}'::bytea", rng.pick(&["", "00", "ff00fe", "5c5c27"]))
}

pub(crate) fn few_bytes(rng: &mut Rng) -> String {
    format!("'\\x{:02x}00'::bytea", rng.below(40))
}

pub(crate) fn json(rng: &mut Rng) -> String {
    let all = [
        "null",
        "1.0",
        "\"text \\u00fc \\\" \\\\ 😀\"",
        "{\"b\": 1, \"a\": [1, 2.50, null, {\"c\": true}], \"big\": 123456789012345678901234567890}",
        "  [ ]  ",
        "{}",
        "1e2",
    ];
    one_of(rng, &all)
}

pub(crate) fn array(rng: &mut Rng, element: &str, literal: fn(&mut Rng) -> String) -> String {
    let count = rng.below(4);
    let mut items = Vec::new();
    for _ in 0..count {
        items.push(if rng.chance(20) { "null".to_owned() } else { literal(rng) });
    }
    format!("array[{}]::{element}[]", items.join(", "))
}

/// Of two dimensions.
pub(crate) fn nested(rng: &mut Rng, element: &str, literal: fn(&mut Rng) -> String) -> String {
    let mut item = || if rng.chance(20) { "null".to_owned() } else { literal(rng) };
    format!("array[[{}, {}], [{}, {}]]::{element}[]", item(), item(), item(), item())
}

pub(crate) fn pair(rng: &mut Rng) -> String {
    let (a, b, d) = (int4(rng), text(rng), uuid(rng));
    match rng.chance(30) {
        true => format!("row(null, {b}, 1.50, null)::pair"),
        false => format!("row({a}, {b}, 7, {d})::pair"),
    }
}
