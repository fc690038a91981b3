//! Where sealed segments are kept.

use std::sync::Arc;

use crate::segment::{Image, ImageError};

/// Keeps segments for good. The shell implements it over files.
pub trait Archive: Send + std::fmt::Debug {
    /// Keeps the bytes of segment `number`, counted from 0, and gives them back
    /// to be read. They come in parts that lie one behind the other. Parts may
    /// be taken; the memory of those that are left serves for the next segment.
    ///
    /// # Errors
    /// If they cannot be kept; then nothing may be left under that number.
    fn keep(&mut self, number: usize, parts: &mut [Vec<u8>]) -> Result<Arc<dyn Image>, ImageError>;
}

/// Keeps segments in memory: some sixty bytes a transfer.
#[derive(Clone, Copy, Debug, Default)]
pub struct MemoryArchive;

impl Archive for MemoryArchive {
    fn keep(&mut self, _: usize, parts: &mut [Vec<u8>]) -> Result<Arc<dyn Image>, ImageError> {
        let take = |part: &mut Vec<u8>| {
            let mut part = std::mem::take(part);
            part.shrink_to_fit();
            part
        };
        Ok(Arc::new(parts.iter_mut().map(take).collect::<Vec<Vec<u8>>>()))
    }
}
