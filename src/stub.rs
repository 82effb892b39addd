//! STUB
#![allow(missing_docs)]
use crate::*;
use std::sync::Arc;
use std::time::Duration;
#[derive(Debug)]
pub struct Following;
impl Following { pub fn last_error(&self) -> Option<Arc<Error>> { None } }
impl Database {
    pub fn open(_: impl AsRef<std::path::Path>) -> Result<Database, Error> { Err(Error::Broken) }
    pub fn subscribe_sql(&self, _: &str, _: ()) -> Result<Subscription, Error> { Err(Error::Broken) }
    pub fn follow(&self, _: Duration) -> Result<Following, Error> { Ok(Following) }
    pub fn sync(&self) -> Result<bool, Error> { Ok(false) }
}
