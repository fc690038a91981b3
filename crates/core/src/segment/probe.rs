//! Lets every reader loose on any bytes, for tests that look for a panic.

use std::sync::Arc;

use super::{Columns, Segment};

/// Opens the bytes as a segment and calls every reader. What they answer does
/// not matter here; that they come back does.
pub fn probe(bytes: &[u8]) {
    let Ok(segment) = Segment::open(Arc::new(bytes.to_vec())) else { return };
    segment.verify().ok();
    segment.blocks().ok();
    segment.others().ok();
    segment.accounts().ok();
    let mut columns = Columns::default();
    for ix in 0..=segment.chunk_count() {
        segment.chunk(ix, &mut columns).ok();
        probe_rows(&segment, &columns);
    }
    for ix in (0..=segment.transfers()).step_by(61) {
        if let Ok(tx) = segment.tx(ix) {
            segment.find_tx(&tx).ok();
        }
    }
}

fn probe_rows(segment: &Segment, columns: &Columns) {
    let mut rows = columns.rows();
    for ix in 0..columns.len() {
        let row = rows.row_at(ix);
        if ix % 61 == 0 {
            std::hint::black_box((columns.row(ix), columns.transfer(ix)));
            segment.chunks_of(row.from).ok();
            segment.chunks_of(row.to.wrapping_add(1)).ok();
        }
    }
}
