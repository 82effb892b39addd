//! Taking a concatenation of encoded values apart.

use penstock_operators::key::{Direction, KeyBuffer, decode, encode};
use smallvec::SmallVec;

/// The encodings of single values.
pub(super) type Pieces = SmallVec<[KeyBuffer; 4]>;

/// Bytes that are not the concatenation of the encodings that were expected.
#[derive(Debug)]
pub(super) struct Malformed;

/// The encodings of single values that `bytes` consists of, one for each direction.
///
/// Goes through the values, whose encodings are canonical, so that the encoding stays the business
/// of [`penstock_operators::key`] alone. Costs an allocation for the values and one for each that
/// is not a number.
pub(super) fn split(bytes: &[u8], directions: &[Direction]) -> Result<Pieces, Malformed> {
    let values = decode(bytes, directions).map_err(|_| Malformed)?;
    let pieces: Pieces = values
        .iter()
        .zip(directions)
        .map(|(value, direction)| {
            let mut piece = KeyBuffer::new();
            encode(&mut piece, value.as_ref(), *direction);
            piece
        })
        .collect();
    let whole = pieces.len() == directions.len()
        && pieces.iter().map(|piece| piece.len()).sum::<usize>() == bytes.len();
    if whole { Ok(pieces) } else { Err(Malformed) }
}
