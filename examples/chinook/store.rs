//! The store's schema, and its rows from disk.

use std::error::Error;
use std::path::{Path, PathBuf};

use penstock::ColumnType::{Integer, Real, Text};
use penstock::{Database, RowInput, Schema, SchemaError, Table};

/// The tables, in an order in which each comes after those that it refers to.
const TABLES: [&str; 11] = [
    "artist",
    "album",
    "genre",
    "mediaType",
    "track",
    "playlist",
    "playlistTrack",
    "employee",
    "customer",
    "invoice",
    "invoiceLine",
];

/// The schema. Relationships are declared here once; queries refer to them by name.
fn schema() -> Result<Schema, SchemaError> {
    let artist = Table::new("artist")
        .column("artistId", Integer)
        .nullable("name", Text)
        .primary_key(["artistId"])
        .many("albums", "album", ["artistId"], ["artistId"]);
    let album = Table::new("album")
        .column("albumId", Integer)
        .column("title", Text)
        .column("artistId", Integer)
        .primary_key(["albumId"])
        .one("artist", "artist", ["artistId"], ["artistId"])
        .many("tracks", "track", ["albumId"], ["albumId"]);
    let track = Table::new("track")
        .column("trackId", Integer)
        .column("name", Text)
        .nullable("albumId", Integer)
        .column("mediaTypeId", Integer)
        .nullable("genreId", Integer)
        .nullable("composer", Text)
        .column("milliseconds", Integer)
        .nullable("bytes", Integer)
        .column("unitPrice", Real)
        .primary_key(["trackId"])
        .one("album", "album", ["albumId"], ["albumId"])
        .one("genre", "genre", ["genreId"], ["genreId"])
        .many("sales", "invoiceLine", ["trackId"], ["trackId"]);
    let playlist = Table::new("playlist")
        .column("playlistId", Integer)
        .nullable("name", Text)
        .primary_key(["playlistId"])
        .many_through(
            "tracks",
            [
                ("playlistTrack", ["playlistId"], ["playlistId"]),
                ("track", ["trackId"], ["trackId"]),
            ],
        );
    let playlist_track = Table::new("playlistTrack")
        .column("playlistId", Integer)
        .column("trackId", Integer)
        .primary_key(["playlistId", "trackId"]);
    let customer = address(person(Table::new("customer"), "customerId"), "")
        .nullable("company", Text)
        .column("email", Text)
        .nullable("supportRepId", Integer)
        .one("rep", "employee", ["supportRepId"], ["employeeId"])
        .many("invoices", "invoice", ["customerId"], ["customerId"]);
    let employee = address(person(Table::new("employee"), "employeeId"), "")
        .nullable("title", Text)
        .nullable("reportsTo", Integer)
        .nullable("birthDate", Integer)
        .nullable("hireDate", Integer)
        .nullable("email", Text)
        .many("customers", "customer", ["employeeId"], ["supportRepId"]);
    let invoice = address(Table::new("invoice").column("invoiceId", Integer), "billing")
        .column("customerId", Integer)
        .column("invoiceDate", Integer)
        .column("total", Real)
        .primary_key(["invoiceId"])
        .one("customer", "customer", ["customerId"], ["customerId"])
        .many("lines", "invoiceLine", ["invoiceId"], ["invoiceId"]);
    let invoice_line = Table::new("invoiceLine")
        .column("invoiceLineId", Integer)
        .column("invoiceId", Integer)
        .column("trackId", Integer)
        .column("unitPrice", Real)
        .column("quantity", Integer)
        .primary_key(["invoiceLineId"])
        .one("track", "track", ["trackId"], ["trackId"]);
    let [genre, media_type] = ["genre", "mediaType"].map(|name| {
        let key = format!("{name}Id");
        Table::new(name).column(&key, Integer).nullable("name", Text).primary_key([key])
    });
    Schema::new([
        artist,
        album,
        genre,
        media_type,
        track,
        playlist,
        playlist_track,
        employee,
        customer,
        invoice,
        invoice_line,
    ])
}

fn person(table: Table, key: &str) -> Table {
    table
        .column(key, Integer)
        .column("firstName", Text)
        .column("lastName", Text)
        .nullable("phone", Text)
        .nullable("fax", Text)
        .primary_key([key])
}

/// Adds the columns of an address; with a prefix they are `billingCity` instead of `city`.
fn address(table: Table, prefix: &str) -> Table {
    ["Address", "City", "State", "Country", "PostalCode"].into_iter().fold(table, |table, name| {
        let name = match prefix {
            "" => format!("{}{}", name[..1].to_lowercase(), &name[1..]),
            prefix => format!("{prefix}{name}"),
        };
        table.nullable(name, Text)
    })
}

/// Where the data is unless somebody says otherwise: beside the repository, or else the copy in it.
pub(crate) fn default_directory() -> PathBuf {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shared = repository.join("../shared/data/chinook");
    if shared.exists() { shared } else { repository.join("tests/data/chinook") }
}

/// The store with the rows of a directory: one file of JSON lines for each table.
pub(crate) fn open(directory: &Path) -> Result<Database, Box<dyn Error>> {
    let db = Database::in_memory(schema()?)?;
    for name in TABLES {
        let path = directory.join(format!("{name}.jsonl"));
        let text = std::fs::read_to_string(&path)
            .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        let schema = db.schema();
        let id = schema.table_id(name).ok_or("a table that the schema does not have")?;
        let table = schema.table(id);
        let rows: Vec<RowInput> = text
            .lines()
            .map(|line| {
                let json = serde_json::from_str(line).map_err(|error| error.to_string())?;
                RowInput::from_json(table, &json)
            })
            .collect::<Result<_, _>>()
            .map_err(|problem| format!("{}: {problem}", path.display()))?;
        db.load(name, rows)?;
    }
    Ok(db)
}
