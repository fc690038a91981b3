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

/// Parts that lie one behind the other.
impl Image for Vec<Vec<u8>> {
    fn len(&self) -> u64 {
        self.iter().map(Image::len).sum()
    }

    fn read_at(&self, offset: u64, mut into: &mut [u8]) -> Result<(), ImageError> {
        let mut start = 0;
        let mut at = offset;
        for part in self {
            let end = start + Image::len(part);
            if at < end && !into.is_empty() {
                let len = usize::try_from(end - at).unwrap_or(usize::MAX).min(into.len());
                let (here, rest) = into.split_at_mut(len);
                part.read_at(at - start, here)?;
                at += len as u64;
                into = rest;
            }
            start = end;
        }
        if into.is_empty() {
            return Ok(());
        }
        Err(ImageError(format!("{} bytes at {at}, of {start}", into.len())))
    }
}
