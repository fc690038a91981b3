//! The first bytes of a segment: how much it holds and where each section is.
//!
//! Sections lie one behind the other without gaps, so their lengths tell where
//! they begin, no two overlap, and every byte is under some checksum.

use super::bytes::{Reader, put_u32s};
use super::{Image, Section, SegmentError, TRANSFERS_MAX};

const MAGIC: [u8; 8] = *b"usdtpast";
const VERSION: u32 = 1;
pub(super) const SECTIONS: usize = Section::STORED.len();
const HEADER_LEN: usize = MAGIC.len() + 4 + 7 * 4 + SECTIONS * 12 + 4;

/// How much a segment holds, and the global ids of the first of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) first_transfer: u32,
    pub(super) transfers: u32,
    pub(super) first_block: u32,
    pub(super) blocks: u32,
    pub(super) first_account: u32,
    pub(super) accounts: u32,
    pub(super) others: u32,
}

impl Counts {
    /// The first account id that neither this segment nor an earlier one introduced.
    pub(super) const fn account_end(&self) -> u32 {
        self.first_account.saturating_add(self.accounts)
    }

    /// The section of which there is too much for 32-bit ids or for one segment.
    pub(super) fn overfull(&self) -> Option<Section> {
        if self.transfers > TRANSFERS_MAX
            || self.first_transfer.checked_add(self.transfers).is_none()
        {
            return Some(Section::Chunks);
        }
        if self.first_block.checked_add(self.blocks).is_none() {
            return Some(Section::Blocks);
        }
        self.first_account.checked_add(self.accounts).is_none().then_some(Section::Accounts)
    }

    const fn to_array(self) -> [u32; 7] {
        [
            self.first_transfer,
            self.transfers,
            self.first_block,
            self.blocks,
            self.first_account,
            self.accounts,
            self.others,
        ]
    }

    fn read(reader: &mut Reader<'_>) -> Result<Counts, SegmentError> {
        Ok(Counts {
            first_transfer: reader.u32()?,
            transfers: reader.u32()?,
            first_block: reader.u32()?,
            blocks: reader.u32()?,
            first_account: reader.u32()?,
            accounts: reader.u32()?,
            others: reader.u32()?,
        })
    }
}

/// Where a section is in the image, and the checksum of all its bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Extent {
    pub(super) offset: u64,
    pub(super) len: u64,
    pub(super) crc: u32,
}

/// See the module.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    pub(super) counts: Counts,
    extents: [Extent; SECTIONS],
    /// The checksum of all before it: two segments with the same one and of the
    /// same length are the same.
    pub(super) crc: u32,
}

impl Header {
    /// Where a section is; all zero for the header itself, which is never asked for.
    pub(super) fn extent(&self, section: Section) -> Extent {
        let ix = Section::STORED.iter().position(|stored| *stored == section);
        ix.map_or(Extent::default(), |ix| self.extents[ix])
    }

    /// Reads the header, and checks it and the length of the whole.
    pub(super) fn read(image: &dyn Image) -> Result<Header, SegmentError> {
        let mut bytes = [0; HEADER_LEN];
        let shorter = SegmentError::Length { expected: HEADER_LEN as u64, found: image.len() };
        if image.len() < HEADER_LEN as u64 {
            return Err(shorter);
        }
        let failed = |source| SegmentError::Image { section: Section::Header, offset: 0, source };
        image.read_at(0, &mut bytes).map_err(failed)?;
        let mut reader = Reader::new(Section::Header, &bytes, 0);
        let header = Header::parse(&mut reader)?;
        let checked = HEADER_LEN - 4;
        if header.crc != crc32fast::hash(&bytes[..checked]) {
            let offset = checked as u64;
            return Err(SegmentError::Checksum { section: Section::Header, offset });
        }
        header.check(image.len())
    }

    fn parse(reader: &mut Reader<'_>) -> Result<Header, SegmentError> {
        let found = reader.array()?;
        if found != MAGIC {
            return Err(SegmentError::Magic { found });
        }
        let found = reader.u32()?;
        if found != VERSION {
            return Err(SegmentError::Version { found, expected: VERSION });
        }
        let counts = Counts::read(reader)?;
        let mut extents = [Extent::default(); SECTIONS];
        let mut offset = HEADER_LEN as u64;
        for extent in &mut extents {
            let (len, crc) = (reader.u64()?, reader.u32()?);
            *extent = Extent { offset, len, crc };
            let end = offset.checked_add(len);
            offset = end.ok_or_else(|| reader.malformed("a section is too long"))?;
        }
        let crc = reader.u32()?;
        Ok(Header { counts, extents, crc })
    }

    fn check(self, found: u64) -> Result<Header, SegmentError> {
        let last = self.extents[SECTIONS - 1];
        let expected = last.offset + last.len;
        if expected != found {
            return Err(SegmentError::Length { expected, found });
        }
        if self.counts.overfull().is_some() {
            let (section, what) = (Section::Header, "it counts more than a segment can hold");
            return Err(SegmentError::Malformed { section, offset: 0, what });
        }
        Ok(self)
    }
}

/// Appends the header of a segment of those sections, which follow it in the
/// order of [`Section::STORED`].
pub(super) fn put_header(into: &mut Vec<u8>, counts: Counts, sections: &[Vec<u8>; SECTIONS]) {
    let start = into.len();
    into.extend(MAGIC);
    put_u32s(into, [VERSION]);
    put_u32s(into, counts.to_array());
    for section in sections {
        into.extend((section.len() as u64).to_le_bytes());
        put_u32s(into, [crc32fast::hash(section)]);
    }
    let crc = crc32fast::hash(&into[start..]);
    put_u32s(into, [crc]);
}
