//! SQL from any thread, inside a runtime or not.

use std::sync::mpsc;
use std::thread::JoinHandle;

use tokio_postgres::{NoTls, SimpleQueryMessage};

use crate::Error;

/// Rows as the server prints them; `None` is null.
pub type Rows = Vec<Vec<Option<String>>>;

type Question = (String, mpsc::Sender<Result<Rows, Error>>);

/// A connection of its own. It lives in a thread, so that a test may call it from within a runtime.
#[derive(Debug)]
pub struct Client {
    questions: Option<tokio::sync::mpsc::UnboundedSender<Question>>,
    thread: Option<JoinHandle<()>>,
}

impl Client {
    /// Connects.
    ///
    /// # Errors
    ///
    /// The server's, or that it cannot be reached.
    pub fn connect(url: &str) -> Result<Client, Error> {
        let (questions, mut asked) = tokio::sync::mpsc::unbounded_channel::<Question>();
        let (connected, is_connected) = mpsc::channel();
        let url = url.to_owned();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.expect("a runtime of one thread needs a poll handle");
            runtime.block_on(async {
                let (client, connection) = match tokio_postgres::connect(&url, NoTls).await {
                    Ok(both) => both,
                    Err(error) => {
                        let _ = connected.send(Err(described(&error)));
                        return;
                    }
                };
                let _ = connected.send(Ok(()));
                let connection = tokio::spawn(connection);
                while let Some((sql, answer)) = asked.recv().await {
                    let _ = answer.send(rows(&client, &sql).await);
                }
                drop(client);
                let _ = connection.await;
            });
        });
        let client = Client { questions: Some(questions), thread: Some(thread) };
        is_connected.recv().map_err(|_| Error("the client's thread ended".into()))??;
        Ok(client)
    }

    /// Runs statements and gives the rows of all of them.
    ///
    /// # Errors
    ///
    /// The server's, with its code, or that the connection is gone.
    pub fn sql(&self, sql: &str) -> Result<Rows, Error> {
        self.begin(sql).recv().map_err(|_| Error("the connection is gone".into()))?
    }

    /// Sends statements and does not wait: the answer comes through the channel.
    pub fn begin(&self, sql: &str) -> mpsc::Receiver<Result<Rows, Error>> {
        let (answer, answers) = mpsc::channel();
        if let Some(questions) = &self.questions {
            let _ = questions.send((sql.to_owned(), answer));
        }
        answers
    }

    /// Runs statements and gives the first value of the first row; empty for null or none.
    ///
    /// # Errors
    ///
    /// As [`Client::sql`].
    pub fn value(&self, sql: &str) -> Result<String, Error> {
        let rows = self.sql(sql)?;
        Ok(rows.into_iter().flatten().next().flatten().unwrap_or_default())
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.questions = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn rows(client: &tokio_postgres::Client, sql: &str) -> Result<Rows, Error> {
    let messages = client.simple_query(sql).await.map_err(|error| described(&error))?;
    let rows = messages.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => {
            Some((0..row.len()).map(|column| row.get(column).map(str::to_owned)).collect())
        }
        _ => None,
    });
    Ok(rows.collect())
}

fn described(error: &tokio_postgres::Error) -> Error {
    match error.as_db_error() {
        Some(error) => Error(format!("{} ({})", error.message(), error.code().code())),
        None => match std::error::Error::source(error) {
            Some(source) => Error(format!("{error}: {source}")),
            None => Error(error.to_string()),
        },
    }
}
