//! The bytes of a segment's sections: asked for by section and offset, and
//! never beyond the section's end.
//!
//! What always holds: nothing is allocated for a length that exceeds the image.

use std::sync::Arc;

use super::header::Header;
use super::{Image, Section, SegmentError};

/// Bytes read at once where a section is only compared with its checksum.
const WINDOW: u64 = 1 << 16;

/// An image, and where each section is in it.
#[derive(Debug)]
pub(super) struct Sections {
    image: Arc<dyn Image>,
    pub(super) header: Header,
}

impl Sections {
    /// Reads the header, and checks it and the image's length.
    pub(super) fn open(image: Arc<dyn Image>) -> Result<Sections, SegmentError> {
        let header = Header::read(&*image)?;
        Ok(Sections { image, header })
    }

    pub(super) fn image(&self) -> Arc<dyn Image> {
        Arc::clone(&self.image)
    }

    /// Bytes of the whole segment.
    pub(super) fn len(&self) -> u64 {
        self.image.len()
    }

    /// A whole section, compared with its checksum.
    pub(super) fn whole(&self, section: Section) -> Result<Vec<u8>, SegmentError> {
        let extent = self.header.extent(section);
        let bytes = self.range(section, 0, extent.len)?;
        if crc32fast::hash(&bytes) == extent.crc {
            return Ok(bytes);
        }
        Err(SegmentError::Checksum { section, offset: 0 })
    }

    /// The same without keeping more than a window of it.
    pub(super) fn check(&self, section: Section) -> Result<(), SegmentError> {
        let extent = self.header.extent(section);
        let mut hasher = crc32fast::Hasher::new();
        let mut window = Vec::new();
        let mut offset = 0;
        while offset < extent.len {
            let len = self.within(section, offset, WINDOW.min(extent.len - offset))?;
            window.resize(len, 0);
            self.fill(section, offset, &mut window)?;
            hasher.update(&window);
            offset += len as u64;
        }
        if hasher.finalize() == extent.crc {
            return Ok(());
        }
        Err(SegmentError::Checksum { section, offset: 0 })
    }

    pub(super) fn range(
        &self,
        section: Section,
        offset: u64,
        len: u64,
    ) -> Result<Vec<u8>, SegmentError> {
        let mut bytes = vec![0; self.within(section, offset, len)?];
        self.fill(section, offset, &mut bytes)?;
        Ok(bytes)
    }

    /// The length, once it is known that the section has so many bytes there.
    pub(super) fn within(
        &self,
        section: Section,
        offset: u64,
        len: u64,
    ) -> Result<usize, SegmentError> {
        let end = offset.checked_add(len);
        let fits = end.is_some_and(|end| end <= self.header.extent(section).len);
        let what = "something lies beyond the section's end";
        let beyond = SegmentError::Malformed { section, offset, what };
        usize::try_from(len).ok().filter(|_| fits).ok_or(beyond)
    }

    pub(super) fn fill(
        &self,
        section: Section,
        offset: u64,
        into: &mut [u8],
    ) -> Result<(), SegmentError> {
        let failed = |source| SegmentError::Image { section, offset, source };
        self.image.read_at(self.header.extent(section).offset + offset, into).map_err(failed)
    }
}
