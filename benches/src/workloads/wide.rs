//! Wide transactions: the same edits, ever more of them per transaction.

use penstock::Error;
use penstock::operators::source::Change;

use super::live::{edits, live};
use super::subjects::{self, Subject};
use crate::data::Data;
use crate::report::Outcome;
use crate::setting::Setting;

/// How many edits there are, however wide the transactions: as many as there are issues.
pub(super) fn edit_count(data: &Data) -> usize {
    data.sizes.issues as usize
}

fn wide(setting: &Setting, subject: &Subject, width: usize) -> Result<Outcome, Error> {
    let opened = setting.open(subject.indexes)?;
    let changes = edits(&opened.db, &setting.data, edit_count(&setting.data))?.concat();
    let transactions = changes.chunks(width).map(<[Change]>::to_vec).collect();
    Ok(live(&opened, subject, transactions)?.0)
}

/// X with `WIDTH` edits per transaction.
pub(super) fn list<const WIDTH: usize>(setting: &Setting) -> Result<Outcome, Error> {
    wide(setting, &subjects::list(), WIDTH)
}

/// Xt with `WIDTH` edits per transaction.
pub(super) fn tree<const WIDTH: usize>(setting: &Setting) -> Result<Outcome, Error> {
    wide(setting, &subjects::tree(), WIDTH)
}
