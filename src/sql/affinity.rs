//! The affinity that SQLite gives to a declared type.

use penstock_operators::expr::Affinity;

/// The affinity of a type by its name: the first of SQLite's rules that applies.
pub(super) fn of_type(name: &str) -> Affinity {
    let name = name.to_ascii_uppercase();
    let has = |part: &str| name.contains(part);
    if has("INT") {
        Affinity::Integer
    } else if has("CHAR") || has("CLOB") || has("TEXT") {
        Affinity::Text
    } else if has("BLOB") || name.is_empty() {
        Affinity::Blob
    } else if has("REAL") || has("FLOA") || has("DOUB") {
        Affinity::Real
    } else {
        Affinity::Numeric
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rule_that_applies_decides() {
        let cases = [
            ("BIGINT", Affinity::Integer),
            ("CHARINT", Affinity::Integer),
            ("varchar(20)", Affinity::Text),
            ("", Affinity::Blob),
            ("blob", Affinity::Blob),
            ("DOUBLE PRECISION", Affinity::Real),
            ("FLOATING POINT", Affinity::Integer),
            ("DECIMAL(10,5)", Affinity::Numeric),
            ("BOOLEAN", Affinity::Numeric),
            ("STRING", Affinity::Numeric),
        ];
        for (name, affinity) in cases {
            assert_eq!(of_type(name), affinity, "{name}");
        }
    }
}
