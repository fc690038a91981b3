//! Where a segment's bytes lie. The shell implements [`Image`] over files;
//! the core only asks for ranges and knows nothing of what is behind.

/// Bytes that were written once and never change: a file, or memory.
pub trait Image: Send + Sync + std::fmt::Debug {
    /// How many bytes there are.
    fn len(&self) -> u64;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fills `into` with the bytes from `offset` on; fails when there are fewer.
    fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<(), ImageError>;
}

/// Why bytes could not be read, in the words of whoever keeps them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ImageError(pub String);

impl Image for Vec<u8> {
    fn len(&self) -> u64 {
        self.as_slice().len() as u64
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<(), ImageError> {
        let start = usize::try_from(offset).ok();
        let tail = start.and_then(|start| self.get(start..));
        let range = tail.and_then(|tail| tail.get(..into.len()));
        let beyond = || format!("{} bytes at {offset}, of {}", into.len(), Vec::len(self));
        let range = range.ok_or_else(|| ImageError(beyond()))?;
        into.copy_from_slice(range);
        Ok(())
    }
}
