//! The live queries of the store.

use penstock::{Asc, Desc, Entry, Query, Related, col, exists, exists_where, not_exists_where};

use super::format::{cell, cell_of, list};

/// The artist whose tracks are watched.
pub(crate) const ARTIST: &str = "Iron Maiden";
/// The employee whose customers are watched.
pub(crate) const REP_ID: i64 = 3;
/// 1 January 2025, in milliseconds since 1970: the year in which the data ends.
pub(crate) const YEAR_START_MS: i64 = 1_735_689_600_000;

/// A column of a printed result.
pub(crate) struct Column {
    pub(crate) header: &'static str,
    pub(crate) cell: fn(&Entry) -> String,
    /// Whether its texts end at the same place instead of beginning there.
    pub(crate) to_the_right: bool,
}

/// A query with how its result is printed.
pub(crate) struct Watched {
    pub(crate) title: String,
    pub(crate) query: Query,
    pub(crate) columns: Vec<Column>,
}

fn left(header: &'static str, cell: fn(&Entry) -> String) -> Column {
    Column { header, cell, to_the_right: false }
}

fn right(header: &'static str, cell: fn(&Entry) -> String) -> Column {
    Column { header, cell, to_the_right: true }
}

/// All of them.
pub(crate) fn all() -> Vec<Watched> {
    vec![
        longest_tracks(),
        newest_in_playlists(),
        customers_without_invoice(),
        support_queue(),
        Watched {
            title: "Albums that never sold a track".into(),
            query: albums_without_sales().with("artist").limit(8),
            columns: vec![
                left("album", |album| cell(album, "title")),
                left("artist", |album| cell_of(album, "artist", "name")),
            ],
        },
        latest_sales(),
    ]
}

/// Related rows are attached by relationships that the schema declares.
fn longest_tracks() -> Watched {
    let by_artist = exists_where("album", |album| {
        album.filter(exists_where("artist", |artist| artist.filter(col("name").eq(ARTIST))))
    });
    Watched {
        title: format!("The longest tracks of {ARTIST}"),
        query: Query::table("track")
            .filter(by_artist)
            .order_by("milliseconds", Desc)
            .with("album")
            .with("genre")
            .limit(8),
        columns: vec![
            left("track", |track| cell(track, "name")),
            right("length", |track| cell(track, "milliseconds")),
            right("price", |track| cell(track, "unitPrice")),
            left("album", |track| cell_of(track, "album", "title")),
            left("genre", |track| cell_of(track, "genre", "name")),
        ],
    }
}

/// A junction with an order and a limit on its far side.
fn newest_in_playlists() -> Watched {
    Watched {
        title: "Playlists with their five newest tracks".into(),
        query: Query::table("playlist")
            .filter(exists("tracks"))
            .order_by("name", Asc)
            .related("tracks", Related::named().order_by("trackId", Desc).limit(5))
            .limit(8),
        columns: vec![
            left("playlist", |playlist| cell(playlist, "name")),
            left("newest tracks", |playlist| list(playlist, "tracks", |track| cell(track, "name"))),
        ],
    }
}

/// NOT EXISTS with a bound.
fn customers_without_invoice() -> Watched {
    let this_year = not_exists_where("invoices", |invoices| {
        invoices.filter(col("invoiceDate").ge(YEAR_START_MS))
    });
    Watched {
        title: "Customers without an invoice this year".into(),
        query: Query::table("customer")
            .filter(this_year)
            .order_by("lastName", Asc)
            .with("rep")
            .related("latest", Related::declared("invoices").order_by("invoiceDate", Desc).first())
            .limit(8),
        columns: vec![
            left("customer", full_name),
            left("country", |customer| cell(customer, "country")),
            left("last bought", |customer| cell_of(customer, "latest", "invoiceDate")),
            left("looked after by", |customer| cell_of(customer, "rep", "lastName")),
        ],
    }
}

/// A limit for each parent row.
fn support_queue() -> Watched {
    let invoices = Related::named().order_by("invoiceDate", Desc).limit(3);
    Watched {
        title: format!("Customers of employee {REP_ID} with their latest invoices"),
        query: Query::table("customer")
            .filter(col("supportRepId").eq(REP_ID))
            .order_by("lastName", Asc)
            .related("invoices", invoices)
            .limit(8),
        columns: vec![
            left("customer", full_name),
            left("city", |customer| cell(customer, "city")),
            left("latest invoices", |customer| {
                list(customer, "invoices", |invoice| {
                    format!("{} {:>5}", cell(invoice, "invoiceDate"), cell(invoice, "total"))
                })
            }),
        ],
    }
}

/// NOT EXISTS of rows that themselves have related rows.
pub(crate) fn albums_without_sales() -> Query {
    Query::table("album")
        .filter(not_exists_where("tracks", |tracks| tracks.filter(exists("sales"))))
        .order_by("title", Asc)
}

/// Several levels of relationships.
fn latest_sales() -> Watched {
    Watched {
        title: "The latest sales".into(),
        query: Query::table("invoice")
            .order_by("invoiceDate", Desc)
            .order_by("invoiceId", Desc)
            .with("customer")
            .related("lines", Related::named().with("track"))
            .limit(5),
        columns: vec![
            left("date", |invoice| cell(invoice, "invoiceDate")),
            right("total", |invoice| cell(invoice, "total")),
            left("customer", |invoice| cell_of(invoice, "customer", "lastName")),
            left("tracks", |invoice| list(invoice, "lines", |line| cell_of(line, "track", "name"))),
        ],
    }
}

fn full_name(person: &Entry) -> String {
    format!("{} {}", cell(person, "firstName"), cell(person, "lastName"))
}
