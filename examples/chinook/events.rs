//! What happens in the store: purchases, edits, new releases. Each event is one transaction.
//!
//! The same store always sees the same events.

use std::time::{Duration, Instant};

use penstock::{
    Asc, Database, Desc, Error, Query, Related, RowInput, RowView, Transaction, col, exists_where,
    row,
};

use super::format::{name, next_day};
use super::queries::{ARTIST, REP_ID, YEAR_START_MS, albums_without_sales};

/// The store as the events see it: what to count on from, and a source of chance.
pub(crate) struct Store {
    db: Database,
    random: u64,
    today_ms: i64,
    events: usize,
    /// How long the latest transaction took, live queries included.
    pub(crate) time: Duration,
}

/// What happened.
pub(crate) struct Event {
    pub(crate) text: String,
    /// How many rows the transaction wrote.
    pub(crate) rows: usize,
}

type Outcome = Result<Event, Error>;

/// An id column of a row.
fn id(row: &RowView, column: &str) -> i64 {
    row.get(column).and_then(|value| value.as_i64()).unwrap_or_default()
}

fn gone(what: &str) -> Error {
    Error::abort(format!("there is no {what} left"))
}

impl Store {
    pub(crate) fn new(db: &Database) -> Result<Store, Error> {
        let mut store = Store {
            db: db.clone(),
            random: 1,
            today_ms: YEAR_START_MS,
            events: 0,
            time: Duration::ZERO,
        };
        let latest = store.first(Query::table("invoice").order_by("invoiceDate", Desc))?;
        store.today_ms = latest.map_or(YEAR_START_MS, |invoice| id(&invoice, "invoiceDate"));
        Ok(store)
    }

    /// Makes the next event happen.
    pub(crate) fn next_event(&mut self) -> Outcome {
        let number = self.events;
        self.events += 1;
        self.today_ms = next_day(self.today_ms);
        match number % 8 {
            0 => self.purchase(),
            1 => self.new_price(),
            2 => self.moved_track(),
            3 => self.playlist_edit(),
            4 => self.renamed_artist(),
            5 => self.release(),
            6 => self.new_rep(),
            _ => self.refund(),
        }
    }

    /// A number below `end`, by SplitMix64.
    fn chance(&mut self, end: i64) -> i64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % end.unsigned_abs().max(1)).cast_signed()
    }

    /// Makes a transaction, and takes its time.
    #[expect(clippy::disallowed_methods, reason = "an example may look at the time")]
    fn write<T>(
        &mut self,
        writes: impl FnOnce(&mut Transaction<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let start = Instant::now();
        let outcome = self.db.transaction(writes);
        self.time = start.elapsed();
        outcome
    }

    fn first(&self, query: Query) -> Result<Option<RowView>, Error> {
        Ok(self.db.query(&query.limit(1))?.first().map(|entry| entry.row()))
    }

    fn rows(&self, query: Query) -> Result<Vec<RowView>, Error> {
        Ok(self.db.query(&query)?.iter().map(|entry| entry.row()).collect())
    }

    /// The first row, by primary key, from a random place on.
    fn any(&mut self, table: &str, key: &str) -> Result<RowView, Error> {
        let end = self.next_id(table, key)?;
        let from = self.chance(end);
        let found = self.first(Query::table(table).filter(col(key).ge(from)))?;
        found.ok_or_else(|| gone(table))
    }

    fn next_id(&self, table: &str, key: &str) -> Result<i64, Error> {
        let last = self.first(Query::table(table).order_by(key, Desc))?;
        Ok(last.map_or(1, |row| id(&row, key) + 1))
    }

    /// A customer who has bought nothing this year buys some tracks, one of an unsold album.
    fn purchase(&mut self) -> Outcome {
        let late = penstock::not_exists_where("invoices", |invoices| {
            invoices.filter(col("invoiceDate").ge(YEAR_START_MS))
        });
        let late = Query::table("customer").filter(late).order_by("lastName", Asc);
        let customer = match self.first(late)? {
            Some(customer) => customer,
            None => self.any("customer", "customerId")?,
        };
        let mut tracks = Vec::new();
        let unsold = self.first(albums_without_sales())?;
        if let Some(album) = unsold {
            let of_album = col("albumId").eq(id(&album, "albumId"));
            tracks.extend(self.first(Query::table("track").filter(of_album))?);
        }
        for _ in 0..=self.chance(3) {
            tracks.push(self.any("track", "trackId")?);
        }
        let price = |track: &RowView| track.get("unitPrice").and_then(|price| price.as_f64());
        let total: f64 = tracks.iter().filter_map(price).sum();
        let invoice = self.next_id("invoice", "invoiceId")?;
        let first_line = self.next_id("invoiceLine", "invoiceLineId")?;
        let today = self.today_ms;
        self.write(|tx| {
            tx.insert(
                "invoice",
                row! {
                    invoiceId: invoice,
                    customerId: id(&customer, "customerId"),
                    invoiceDate: today,
                    total: (total * 100.0).round() / 100.0,
                },
            )?;
            tracks.iter().zip(first_line..).try_for_each(|(track, line)| {
                tx.insert(
                    "invoiceLine",
                    row! {
                        invoiceLineId: line,
                        invoiceId: invoice,
                        trackId: id(track, "trackId"),
                        unitPrice: price(track).unwrap_or_default(),
                        quantity: 1,
                    },
                )
            })
        })?;
        let text = format!("{} buys {} tracks", name(&customer), tracks.len());
        Ok(Event { text, rows: tracks.len() + 1 })
    }

    /// All tracks of the album with the artist's longest track get another price.
    fn new_price(&mut self) -> Outcome {
        let album = self.album_of_artist()?;
        let of_album = col("albumId").eq(id(&album, "albumId"));
        let tracks = self.rows(Query::table("track").filter(of_album))?;
        let price = [0.89, 1.29, 1.49][self.events / 8 % 3];
        self.write(|tx| {
            tracks.iter().try_for_each(|track| {
                tx.update("track", row! { trackId: id(track, "trackId"), unitPrice: price })
            })
        })?;
        let text = format!("{} now costs {price:.2} a track", name(&album));
        Ok(Event { text, rows: tracks.len() })
    }

    fn album_of_artist(&self) -> Result<RowView, Error> {
        let by_artist = exists_where("artist", |artist| artist.filter(col("name").eq(ARTIST)));
        let longest = Related::named().order_by("milliseconds", Desc).first();
        let albums = Query::table("album").filter(by_artist).related("tracks", longest);
        let albums = self.db.query(&albums)?;
        let length = |album: &penstock::Entry| {
            let track = album.related("tracks").and_then(|tracks| tracks.first());
            track.map(|track| id(&track.row(), "milliseconds"))
        };
        let longest = albums.iter().max_by_key(length);
        longest.map(|album| album.row()).ok_or_else(|| gone(&format!("album of {ARTIST}")))
    }

    /// A long track turns out to belong to the artist's album, and to another genre.
    fn moved_track(&mut self) -> Outcome {
        let album = self.album_of_artist()?;
        let genre = self.any("genre", "genreId")?;
        let rank = self.chance(20) as usize;
        let audio = Query::table("track").filter(col("mediaTypeId").eq(1));
        let by_length = audio.order_by("milliseconds", Desc).offset(rank);
        let track = self.first(by_length)?.ok_or_else(|| gone("track"))?;
        self.write(|tx| {
            tx.update(
                "track",
                row! {
                    trackId: id(&track, "trackId"),
                    albumId: id(&album, "albumId"),
                    genreId: id(&genre, "genreId"),
                },
            )
        })?;
        let text = format!("{} moves to {}, {}", name(&track), name(&album), name(&genre));
        Ok(Event { text, rows: 1 })
    }

    /// The newest track of a playlist goes and two others come.
    fn playlist_edit(&mut self) -> Outcome {
        let newest = Related::named().order_by("trackId", Desc).first();
        let lists = Query::table("playlist")
            .filter(penstock::exists("tracks"))
            .order_by("name", Asc)
            .related("tracks", newest)
            .limit(8);
        let lists = self.db.query(&lists)?;
        let at = self.chance(lists.len() as i64) as usize;
        let entry = lists.get(at).ok_or_else(|| gone("playlist"))?;
        let playlist = id(&entry.row(), "playlistId");
        let newest = entry.one("tracks")?.map(|track| track.row());
        let added = [self.any("track", "trackId")?, self.any("track", "trackId")?];
        let mut rows = 0;
        self.write(|tx| {
            if let Some(track) = &newest {
                tx.delete("playlistTrack", link(playlist, id(track, "trackId")))?;
                rows += 1;
            }
            for track in &added {
                rows +=
                    usize::from(tx.upsert("playlistTrack", link(playlist, id(track, "trackId")))?);
            }
            Ok(())
        })?;
        let newest = newest.map_or_else(String::new, |track| format!(" loses {}", name(&track)));
        let text = format!("playlist {}{newest} and gains others", name(&entry.row()));
        Ok(Event { text, rows })
    }

    /// The artist of the first unsold album is spelt another way.
    fn renamed_artist(&mut self) -> Outcome {
        let album = self.first(albums_without_sales())?.ok_or_else(|| gone("unsold album"))?;
        let artist = row! { artistId: id(&album, "artistId") };
        let artist = self.db.get("artist", artist)?.ok_or_else(|| gone("artist"))?;
        let (old, artist_id) = (name(&artist), id(&artist, "artistId"));
        let new = old.to_uppercase();
        let new = if new == old { old.to_lowercase() } else { new };
        self.write(|tx| tx.update("artist", row! { artistId: artist_id, name: &*new }))?;
        Ok(Event { text: format!("{old} is now spelt {new}"), rows: 1 })
    }

    /// A new album with long tracks, which go into a playlist too.
    fn release(&mut self) -> Outcome {
        let artist = self.first(Query::table("artist").filter(col("name").eq(ARTIST)))?;
        let artist = artist.ok_or_else(|| gone(ARTIST))?;
        let album = self.next_id("album", "albumId")?;
        let first_track = self.next_id("track", "trackId")?;
        let title = format!("Live on day {}", self.events);
        let lengths: Vec<i64> = (0..3).map(|_| 400_000 + self.chance(600_000)).collect();
        let mut rows = 1;
        self.write(|tx| {
            let artist = id(&artist, "artistId");
            tx.insert("album", row! { albumId: album, title: &*title, artistId: artist })?;
            for (part, length) in lengths.iter().enumerate() {
                let track = first_track + part as i64;
                tx.insert(
                    "track",
                    row! {
                        trackId: track,
                        name: format!("{title}, part {}", part + 1),
                        albumId: album,
                        mediaTypeId: 1,
                        genreId: 1,
                        milliseconds: *length,
                        unitPrice: 0.99,
                    },
                )?;
                tx.insert("playlistTrack", link(1, track))?;
                rows += 2;
            }
            Ok(())
        })?;
        Ok(Event { text: format!("{ARTIST} releases {title}"), rows })
    }

    /// The first customer of the watched employee and one of another change places.
    fn new_rep(&mut self) -> Outcome {
        let by_name = |filter| Query::table("customer").filter(filter).order_by("lastName", Asc);
        let mine = self.first(by_name(col("supportRepId").eq(REP_ID)))?;
        let other = self.first(by_name(col("supportRepId").ne(REP_ID)))?;
        let (Some(mine), Some(other)) = (mine, other) else { return Err(gone("customer")) };
        let reps = [(&mine, id(&other, "supportRepId")), (&other, REP_ID)];
        self.write(|tx| {
            reps.iter().try_for_each(|(customer, rep)| {
                let customer = id(customer, "customerId");
                tx.update("customer", row! { customerId: customer, supportRepId: *rep })
            })
        })?;
        let text = format!("{} and {} exchange their reps", name(&mine), name(&other));
        Ok(Event { text, rows: 2 })
    }

    /// The latest invoice is taken back, with its lines.
    fn refund(&mut self) -> Outcome {
        let latest = Query::table("invoice").order_by("invoiceDate", Desc);
        let invoice = self.first(latest)?.ok_or_else(|| gone("invoice"))?;
        let number = id(&invoice, "invoiceId");
        let lines = self.rows(Query::table("invoiceLine").filter(col("invoiceId").eq(number)))?;
        self.write(|tx| {
            tx.delete("invoice", row! { invoiceId: number })?;
            lines.iter().try_for_each(|line| {
                tx.delete("invoiceLine", row! { invoiceLineId: id(line, "invoiceLineId") })
            })
        })?;
        Ok(Event { text: format!("{} is taken back", name(&invoice)), rows: lines.len() + 1 })
    }
}

/// A track's place in a playlist.
fn link(playlist: i64, track: i64) -> RowInput {
    row! { playlistId: playlist, trackId: track }
}
