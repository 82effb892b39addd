//! The types of a database, by object id.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::builtin::BUILTINS;
use super::{Array, Kind, Mapping};

/// Reads the types that a database has beside the built-in ones. Its columns are those of [`TypeRow`]:
///
/// | column | type | [`TypeRow`] |
/// |---|---|---|
/// | `oid` | `bigint` | `oid` |
/// | `name` | `text` | `name` |
/// | `kind` | `text` | `b`, `e`, `r`, `m`: [`Shape::Plain`]; `a`: [`Shape::Array`]; `d`: [`Shape::Domain`]; `c`: [`Shape::Composite`] |
/// | `of` | `bigint` | the element of an array, the base of a domain, else 0 |
/// | `delimiter` | `text` | that of an array's elements, one character |
/// | `field_names` | `text[]` | names of a composite type's fields in their order |
/// | `field_types` | `bigint[]` | their types |
///
/// [`TypeRow::new`] takes them in this order.
pub const CATALOGUE_SQL: &str = "\
SELECT t.oid::bigint AS oid, format_type(t.oid, NULL) AS name, \
  CASE WHEN t.typtype = 'b' AND t.typoutput = 'array_out'::regproc THEN 'a' \
    ELSE t.typtype::text END AS kind, \
  (CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.typelem END)::bigint AS \"of\", \
  COALESCE(e.typdelim, t.typdelim)::text AS delimiter, \
  ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = t.typrelid \
    AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum) AS field_names, \
  ARRAY(SELECT a.atttypid::bigint FROM pg_attribute a WHERE a.attrelid = t.typrelid \
    AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum) AS field_types \
FROM pg_type t LEFT JOIN pg_type e ON t.typelem <> 0 AND e.oid = t.typelem \
WHERE t.typtype <> 'p' ORDER BY t.oid";

/// How deeply types may lie within each other.
const DEPTH_MAX: usize = 32;

/// A type of a database, as [`CATALOGUE_SQL`] reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeRow {
    /// The object id.
    pub oid: u32,
    /// The name, with its schema where that is not on the search path.
    pub name: String,
    /// What the type is made of.
    pub shape: Shape,
}

/// What a type is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Nothing that is known here: its values are the texts that the server writes.
    Plain,
    /// An enum, whose values are their labels.
    Enum,
    /// Elements of a type.
    Array {
        /// The type of the elements.
        element: u32,
        /// The character between elements in the text form.
        delimiter: u8,
    },
    /// The values of another type under conditions.
    Domain {
        /// The other type.
        base: u32,
    },
    /// Named fields.
    Composite(Vec<Field>),
}

/// A field of a composite type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The name.
    pub name: String,
    /// The type.
    pub type_id: u32,
}

impl TypeRow {
    /// A row of [`CATALOGUE_SQL`], column by column.
    pub fn new(
        oid: i64,
        name: &str,
        kind: &str,
        of: i64,
        delimiter: &str,
        field_names: Vec<String>,
        field_types: Vec<i64>,
    ) -> TypeRow {
        let id = |oid: i64| u32::try_from(oid).unwrap_or(0);
        let shape = match kind {
            "a" => {
                let delimiter = delimiter.bytes().next().unwrap_or(b',');
                Shape::Array { element: id(of), delimiter }
            }
            "d" => Shape::Domain { base: id(of) },
            "e" => Shape::Enum,
            "c" => {
                let fields = field_names.into_iter().zip(field_types);
                Shape::Composite(
                    fields.map(|(name, type_id)| Field { name, type_id: id(type_id) }).collect(),
                )
            }
            _ => Shape::Plain,
        };
        TypeRow { oid: id(oid), name: name.to_owned(), shape }
    }
}

/// A type that the catalogue does not know: made after it was read, or lying too deep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the type with the object id {oid} is not known; SELECT {oid}::regtype tells its name, and the \
     types must be read again if it is new"
)]
pub struct UnknownType {
    /// Its object id.
    pub oid: u32,
}

/// The types of a database. Built-in ones are always known.
#[derive(Clone, Debug)]
pub struct Catalogue {
    /// With how deep each is.
    mappings: BTreeMap<u32, (Mapping, usize)>,
}

impl Default for Catalogue {
    fn default() -> Catalogue {
        Catalogue::new([])
    }
}

impl Catalogue {
    /// The built-in types and those of some rows. Types that consist of unknown ones, or lie more
    /// than 32 deep, are unknown. Costs time and space in proportion to the rows.
    pub fn new(rows: impl IntoIterator<Item = TypeRow>) -> Catalogue {
        let mut mappings = BTreeMap::new();
        for builtin in BUILTINS {
            let element = Mapping { name: builtin.name.into(), kind: builtin.kind.clone() };
            let delimiter = if builtin.name == "box" { b';' } else { b',' };
            mappings.insert(builtin.oid, (element.clone(), 1));
            mappings.insert(builtin.array, (Mapping::array(element, delimiter), 2));
        }
        let rows: BTreeMap<u32, TypeRow> = rows
            .into_iter()
            .filter(|row| !mappings.contains_key(&row.oid))
            .map(|row| (row.oid, row))
            .collect();
        let mut catalogue = Catalogue { mappings };
        for oid in rows.keys() {
            catalogue.resolve(*oid, &rows, DEPTH_MAX);
        }
        catalogue
    }

    /// How values of a type are read.
    pub fn mapping(&self, oid: u32) -> Result<&Mapping, UnknownType> {
        self.mappings.get(&oid).map(|(mapping, _)| mapping).ok_or(UnknownType { oid })
    }

    /// The mapping of a type and how deep it is, unless it is deeper than `depth_max`.
    fn resolve(
        &mut self,
        oid: u32,
        rows: &BTreeMap<u32, TypeRow>,
        depth_max: usize,
    ) -> Option<(Mapping, usize)> {
        if let Some(known) = self.mappings.get(&oid) {
            return (known.1 <= depth_max).then(|| known.clone());
        }
        let inner_max = depth_max.checked_sub(1)?;
        let row = rows.get(&oid)?;
        let mut depth = 0;
        let mut inner = |catalogue: &mut Catalogue, oid| {
            let (mapping, inner_depth) = catalogue.resolve(oid, rows, inner_max)?;
            depth = depth.max(inner_depth);
            Some(mapping)
        };
        let kind = match &row.shape {
            Shape::Plain => Kind::TextOnly,
            Shape::Enum => Kind::Text,
            Shape::Array { element, delimiter } => {
                let element = inner(self, *element)?;
                Kind::Array(Arc::new(Array { element, delimiter: *delimiter }))
            }
            Shape::Domain { base } => inner(self, *base)?.kind,
            Shape::Composite(fields) => {
                let fields = fields
                    .iter()
                    .map(|field| Some((field.name.as_str().into(), inner(self, field.type_id)?)));
                Kind::Composite(fields.collect::<Option<Arc<[_]>>>()?)
            }
        };
        let resolved = (Mapping { name: row.name.as_str().into(), kind }, depth + 1);
        self.mappings.insert(oid, resolved.clone());
        Some(resolved)
    }
}

impl Mapping {
    fn array(element: Mapping, delimiter: u8) -> Mapping {
        let name = format!("{}[]", element.name).into();
        Mapping { name, kind: Kind::Array(Arc::new(Array { element, delimiter })) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(oid: u32, shape: Shape) -> TypeRow {
        TypeRow { oid, name: format!("t{oid}"), shape }
    }

    #[test]
    fn types_are_put_together_in_any_order() {
        let catalogue = Catalogue::new([
            row(3, Shape::Array { element: 1, delimiter: b',' }),
            row(1, Shape::Domain { base: 2 }),
            row(2, Shape::Domain { base: 23 }),
            row(4, Shape::Composite(vec![Field { name: "a".into(), type_id: 3 }])),
            row(5, Shape::Plain),
            row(6, Shape::Array { element: 5, delimiter: b',' }),
        ]);
        let mapping = |oid| catalogue.mapping(oid).expect("a known type");
        assert_eq!(mapping(1).text("7"), Ok(penstock::Value::Int(7)));
        assert_eq!(mapping(1).type_name(), "t1");
        assert_eq!(
            mapping(4).text("(\"{1,2}\")"),
            Ok(penstock::Value::Json("{\"a\":[1,2]}".into()))
        );
        assert!(!mapping(4).copy_as_text() && mapping(6).copy_as_text());
        assert_eq!(catalogue.mapping(7), Err(UnknownType { oid: 7 }));
    }

    #[test]
    fn circles_and_towers_are_unknown() {
        let field = |type_id| vec![Field { name: "f".into(), type_id }];
        let tower = (20_101..=20_200).map(|oid| row(oid, Shape::Composite(field(oid - 1))));
        let circle = [row(1, Shape::Composite(field(2))), row(2, Shape::Composite(field(1)))];
        let catalogue = Catalogue::new(
            circle
                .into_iter()
                .chain(tower)
                .chain([row(20_100, Shape::Domain { base: 20_099 }), row(20_099, Shape::Enum)]),
        );
        assert_eq!(catalogue.mapping(1), Err(UnknownType { oid: 1 }));
        assert!(catalogue.mapping(20_120).is_ok() && catalogue.mapping(20_140).is_err());
    }
}
