//! The application: what people do with drawings, as the statements that it sends.

use penstock_postgres_harness::{Client, Server};

/// How many accounts there are from the start on, that stay.
pub(crate) const PEOPLE: [&str; 4] = ["ann", "bob", "cleo", "dan"];

/// How often a transaction is begun again that has met a migration or another one.
const TRIES_MAX: usize = 20;

/// A file as the application remembers it.
#[derive(Clone, Debug)]
pub(crate) struct File {
    pub(crate) id: String,
}

/// One process of the application, with its connection.
pub(crate) struct App {
    client: Client,
    /// The state of the draws.
    draws: u64,
    /// Counts everything that is made.
    made: u64,
    /// Seconds since the application began.
    clock: u64,
    pub(crate) files: Vec<File>,
    /// Which migrations this version of the application needs.
    pub(crate) version: usize,
}

impl App {
    /// Connects, and makes the accounts.
    pub(crate) fn start(server: &Server, seed: u64) -> App {
        let client = server.connect().expect("a server");
        let (draws, files) = (seed, Vec::new());
        let app = App { client, draws, made: 0, clock: 0, files, version: 1 };
        for name in PEOPLE {
            let preferences = drawing(seed + name.len() as u64, 60);
            app.run(&format!(
                "INSERT INTO \"user\" (id, name, email, preferences) \
                 VALUES ('{name}', 'Person {name}', '{name}@example.org', '{preferences}')"
            ));
        }
        app
    }

    /// Runs a transaction, again if the server had to choose it as the victim of a deadlock.
    pub(crate) fn run(&self, sql: &str) {
        run(&self.client, sql);
    }

    fn draw(&mut self, below: usize) -> usize {
        self.draws = self.draws.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_041);
        (self.draws >> 33) as usize % below
    }

    /// The time of the next action, later than that of any before it.
    fn now(&mut self) -> String {
        self.clock += 1;
        format!("timestamptz '2026-03-01 12:00:00.654321+00' + interval '{} s'", self.clock)
    }

    fn person(&mut self) -> &'static str {
        PEOPLE[self.draw(PEOPLE.len())]
    }

    fn file(&mut self) -> Option<File> {
        if self.files.is_empty() {
            return None;
        }
        let at = self.draw(self.files.len());
        Some(self.files[at].clone())
    }

    /// Makes a file, with what its owner sees of it.
    pub(crate) fn create(&mut self, owner: &'static str) -> File {
        self.made += 1;
        let (number, now) = (self.made, self.now());
        let id = format!("{:08x}-5eed-4000-8000-{number:012x}", self.draw(1 << 31));
        let document = drawing(self.draws, 120);
        self.run(&format!(
            "BEGIN;
             INSERT INTO file (id, owner_id, name, slug, document, created_at, updated_at)
                 VALUES ('{id}', '{owner}', 'Drawing {number}', 'drawing-{number}', '{document}', {now}, {now});
             INSERT INTO file_state (user_id, file_id, first_visit_at, last_visit_at)
                 VALUES ('{owner}', '{id}', {now}, {now});
             COMMIT"
        ));
        let file = File { id };
        self.files.push(file.clone());
        file
    }

    /// Switches the link to a file on or off.
    pub(crate) fn share(&mut self, file: &File, shared: bool) {
        let (id, now) = (&file.id, self.now());
        self.run(&format!(
            "UPDATE file SET shared = {shared}, shared_access = 'edit', updated_at = {now} WHERE id = '{id}'"
        ));
    }

    /// Opens a file: by its owner, or by its link while that is on.
    pub(crate) fn visit(&mut self, file: &File, person: &str) {
        let (id, now) = (&file.id, self.now());
        self.run(&format!(
            "INSERT INTO file_state (user_id, file_id, first_visit_at, last_visit_at)
                 SELECT '{person}', id, {now}, {now} FROM file
                     WHERE id = '{id}' AND (shared OR owner_id = '{person}')
             ON CONFLICT (user_id, file_id) DO UPDATE SET last_visit_at = excluded.last_visit_at"
        ));
    }

    pub(crate) fn rename(&mut self, file: &File, name: &str) {
        let (id, now) = (&file.id, self.now());
        self.run(&format!("UPDATE file SET name = '{name}', updated_at = {now} WHERE id = '{id}'"));
    }

    /// Draws something into a file.
    pub(crate) fn edit(&mut self, file: &File, person: &str) {
        let (id, now, at) = (&file.id, self.now(), self.draw(120));
        self.run(&format!(
            "BEGIN;
             UPDATE file SET document = jsonb_set(document, '{{shapes,{at},x}}', '{at}.5'), updated_at = {now}
                 WHERE id = '{id}';
             UPDATE file_state SET last_edit_at = {now} WHERE file_id = '{id}' AND user_id = '{person}';
             COMMIT"
        ));
    }

    /// Deletes a file, or marks it as deleted once that is possible.
    pub(crate) fn delete(&mut self, file: &File) {
        let (id, now) = (&file.id, self.now());
        self.files.retain(|other| other.id != *id);
        match self.version {
            ..5 => self.run(&format!("DELETE FROM file WHERE id = '{id}'")),
            _ => self.run(&format!(
                "UPDATE file SET is_deleted = true, deleted_at = {now} WHERE id = '{id}'"
            )),
        }
    }

    /// Uploads a picture, which only the server sees.
    pub(crate) fn upload(&mut self, file: &File) {
        self.made += 1;
        let (id, number) = (&file.id, self.made);
        self.run(&format!(
            "INSERT INTO asset (object_name, file_id, content_type, bytes, digest)
                 SELECT 'upload/{number}', id, 'image/png', {number} * 1000, decode(md5('{number}'), 'hex')
                 FROM file WHERE id = '{id}'"
        ));
    }

    /// What a newer version does in addition.
    fn newer(&mut self, file: &File, person: &str) {
        let (id, at) = (&file.id, self.draw(1000));
        match self.draw(self.version) + 1 {
            2 => self.run(&format!("UPDATE file SET thumbnail = '/t/{at}.webp' WHERE id = '{id}'")),
            3 => self.run(&format!(
                "UPDATE \"user\" SET locale = 'de', edge_scroll_speed = {at} / 100.0,
                     feature_flags = array_append(feature_flags, 'flag {at}'), birthday = date '2001-01-01' + {at}
                     WHERE id = '{person}'"
            )),
            4 => self.run(&format!(
                "UPDATE file_state SET is_pinned = NOT is_pinned, session = '{{\"tool\": \"pen {at}\"}}'
                     WHERE file_id = '{id}' AND user_id = '{person}'"
            )),
            6 => self.run(&format!(
                "BEGIN;
                 UPDATE file_comment SET resolved = true WHERE file_id = '{id}' AND id % 3 = 0;
                 INSERT INTO file_comment (file_id, author_id, place, body)
                     SELECT id, '{person}', '(1.5,{at})', 'Remark {at}' FROM file WHERE id = '{id}';
                 COMMIT"
            )),
            7 => self.run(&format!(
                "UPDATE \"user\" SET color = 'colour of the number {at}', pronouns = 'they' WHERE id = '{person}'"
            )),
            8 => self.run(&format!(
                "UPDATE file SET share_token = md5('{at} {id}')::uuid WHERE id = '{id}'"
            )),
            _ => {}
        }
    }

    /// One thing that somebody does.
    pub(crate) fn act(&mut self) {
        let (person, what) = (self.person(), self.draw(20));
        let Some(file) = self.file().filter(|_| what > 1) else {
            self.create(person);
            return;
        };
        let (id, now) = (file.id.clone(), self.now());
        match what {
            2..=4 => self.share(&file, what < 4),
            5..=7 => self.visit(&file, person),
            8 => self.rename(&file, &format!("It''s drawing {}", self.clock)),
            9..=11 => self.edit(&file, person),
            12 => self.run(&format!(
                "UPDATE file_state SET camera = '{{\"x\": {}, \"y\": -1.5, \"z\": 1}}'
                     WHERE user_id = '{person}' AND file_id = '{id}'",
                self.clock
            )),
            13 if self.files.len() > 8 => self.delete(&file),
            14 => self.upload(&file),
            // Somebody thinks better of it, wholly or in part.
            15 => self.run(&format!(
                "BEGIN; DELETE FROM file_state WHERE file_id = '{id}'; UPDATE file SET name = 'never'; ROLLBACK"
            )),
            16 => self.run(&format!(
                "BEGIN; UPDATE file SET slug = slug || '-x', updated_at = {now} WHERE id = '{id}';
                 SAVEPOINT here; DELETE FROM file WHERE id = '{id}'; ROLLBACK TO here;
                 UPDATE \"user\" SET name = 'Person {}', updated_at = {now} WHERE id = '{person}'; COMMIT",
                self.clock
            )),
            // An account comes, makes a file, shares it, is visited, and goes again: all cascades.
            17 => self.visitor(person),
            18 => self.run(&format!(
                "UPDATE \"user\" SET preferences = jsonb_set(preferences, '{{shapes,1}}', '\"{}\"')
                     WHERE id = '{person}'",
                self.clock
            )),
            _ => self.newer(&file, person),
        }
    }

    fn visitor(&mut self, friend: &str) {
        let (number, now) = (self.clock, self.now());
        let document = drawing(number, 100);
        self.run(&format!(
            "INSERT INTO \"user\" (id, name, email) VALUES ('guest {number}', 'Guest', 'guest{number}@example.org');
             INSERT INTO file (id, owner_id, name, slug, shared, document)
                 VALUES (md5('guest {number}')::uuid, 'guest {number}', 'Guest''s', 'guest-{number}', true, '{document}')"
        ));
        self.run(&format!(
            "INSERT INTO file_state (user_id, file_id, first_visit_at)
                 VALUES ('{friend}', md5('guest {number}')::uuid, {now})"
        ));
        if number.is_multiple_of(2) {
            self.run(&format!("DELETE FROM \"user\" WHERE id = 'guest {number}'"));
        }
    }

    pub(crate) fn acts(&mut self, count: usize) {
        (0..count).for_each(|_| self.act());
    }
}

/// Runs a transaction, again if the server had to choose it as the victim of a deadlock.
pub(crate) fn run(client: &Client, sql: &str) {
    for _ in 0..TRIES_MAX {
        match client.sql(sql) {
            Ok(_) => return,
            Err(error) if error.0.contains("(40P01)") => {
                client.sql("ROLLBACK").expect("a server");
            }
            Err(error) => panic!("{error}: {sql}"),
        }
    }
    panic!("{TRIES_MAX} deadlocks: {sql}");
}

/// A drawing as JSON, which does not become small enough by compression to stay in its row.
fn drawing(seed: u64, shapes: usize) -> String {
    let mut state = seed | 1;
    let mut draw = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 40
    };
    let shape = |number| {
        let (x, y, color) = (draw(), draw(), draw());
        let points: Vec<String> = (0..4).map(|_| format!("[{}, {}]", draw(), draw())).collect();
        format!(
            "{{\"id\": \"shape:{number}\", \"x\": {x}.25, \"y\": {y}, \"color\": \"{color:06x}\", \"points\": [{}]}}",
            points.join(", ")
        )
    };
    let shapes: Vec<String> = (0..shapes).map(shape).collect();
    format!("{{\"version\": 2, \"shapes\": [{}]}}", shapes.join(", "))
}
