//! How large a record may be.

use super::decide::RequestPath;
use super::layout::Layout;
use super::record::Record;
use crate::violations::Violations;
use crate::{Result, Violation};

/// The key and all indexed values of a record together, in bytes.
pub(crate) const MAX_INDEXED_BYTES: usize = 2_048;

/// Which values of a record count for its size, and which of them the request sets, by the
/// positions of their columns.
#[derive(Clone, Copy)]
pub(crate) struct Counted<'a> {
    pub counts: &'a dyn Fn(usize) -> bool,
    pub sent: &'a dyn Fn(usize) -> bool,
}

/// Checks that what is keyed and indexed stays below [`MAX_INDEXED_BYTES`], which every backend
/// can store, and that an answer can hold the record. A violation names the largest value at fault
/// of those that the request sets, or the entity if it sets none of them.
///
/// # Errors
///
/// One that no caller is told, if a long JSON text was not judged before ([`super::json`]).
pub(crate) fn check_size(
    layout: &Layout,
    record: &Record,
    counted: Counted<'_>,
    entity: &RequestPath,
    violations: &mut Violations,
) -> Result<()> {
    let size = |&position: &usize| record.0[position].size();
    let indexed = || layout.sized.iter().copied().filter(|&position| (counted.counts)(position));
    let total: usize = indexed().map(|position| size(&position)).sum();
    if total > MAX_INDEXED_BYTES {
        let what = format!(
            "the key and the indexed fields together have {total} bytes, the limit is \
             {MAX_INDEXED_BYTES}"
        );
        let largest = indexed().filter(|&position| (counted.sent)(position)).max_by_key(size);
        blame(layout, largest, entity, what, violations);
    }
    if !layout.fits_answer(record, counted.counts)? {
        let what = format!(
            "the record would have more than the {} bytes that fit an answer",
            layout.max_record_bytes
        );
        let columns = 0..layout.entity.columns.len();
        let largest = columns.filter(|&position| (counted.sent)(position)).max_by_key(size);
        blame(layout, largest, entity, what, violations);
    }
    Ok(())
}

fn blame(
    layout: &Layout,
    position: Option<usize>,
    entity: &RequestPath,
    what: String,
    violations: &mut Violations,
) {
    let column = position.and_then(|position| layout.column(position));
    let (place, path) = match column {
        Some(column) => entity.column(column),
        None => (entity.place(), entity.path.to_string()),
    };
    violations.push(place, Violation::too_large(path, what));
}
