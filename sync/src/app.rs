//! By which name the application goes, and where its bookkeeping is.

/// The application and its shard: `zero` and 0 unless said otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    id: String,
    shard: u32,
}

/// A name that an application cannot have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" cannot be the name of an application: it must have 1 to 40 small letters, digits or underscores"
)]
pub struct BadAppId(pub String);

impl Default for App {
    fn default() -> App {
        App { id: "zero".to_owned(), shard: 0 }
    }
}

impl App {
    /// An application by its name, with the number of its shard.
    ///
    /// # Errors
    /// A name of anything but small letters, digits and underscores.
    pub fn new(id: impl Into<String>, shard: u32) -> Result<App, BadAppId> {
        let id = id.into();
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if id.is_empty() || id.len() > 40 || !id.bytes().all(allowed) {
            return Err(BadAppId(id));
        }
        Ok(App { id, shard })
    }

    /// The name.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The schema in Postgres of the shard's bookkeeping: `zero_0`.
    #[must_use]
    pub fn schema(&self) -> String {
        format!("{}_{}", self.id, self.shard)
    }

    /// Whether a schema in Postgres is for bookkeeping: that of the application, or of one of its shards.
    #[must_use]
    pub fn owns_schema(&self, schema: &str) -> bool {
        let Some(rest) = schema.strip_prefix(self.id.as_str()) else { return false };
        let number = |rest: &str| rest.bytes().next().is_some_and(|byte| byte.is_ascii_digit());
        rest.is_empty() || rest.strip_prefix('_').is_some_and(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_are_harmless_everywhere() {
        let app = App::default();
        assert_eq!((app.id(), app.schema().as_str()), ("zero", "zero_0"));
        assert_eq!(App::new("my_app2", 3).map(|app| app.schema()), Ok("my_app2_3".to_owned()));
        for bad in ["", "Zero", "a b", "a\"; drop", "é", &"a".repeat(41)] {
            assert_eq!(App::new(bad, 0), Err(BadAppId(bad.to_owned())));
        }
        for own in ["zero", "zero_0", "zero_17", "zero_0/cvr"] {
            assert!(app.owns_schema(own), "{own}");
        }
        for other in ["public", "zeros", "zero_x", "zer", "my_zero_0"] {
            assert!(!app.owns_schema(other), "{other}");
        }
    }
}
