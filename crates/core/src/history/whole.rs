//! One segment examined by itself, without the past that it belongs to.

use std::sync::Arc;

use super::HistoryError;
use crate::segment::{Image, Segment};

/// Reads a sealed segment from its first byte to its last and compares it with
/// every checksum in it.
///
/// # Errors
/// The first damage found.
pub fn verify_segment(image: Arc<dyn Image>) -> Result<(), HistoryError> {
    Ok(Segment::open(image)?.verify()?)
}
