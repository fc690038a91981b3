//! What the store must know of a segment: how long it is and how it is told
//! from another.

use flow_core::{Image, ImageError};

use super::manifest::SegmentName;

/// A segment is read for its upload in pieces of no more than this.
const PIECE: usize = 8 << 20;

/// All bytes of an image.
///
/// # Errors
/// If they cannot be read.
pub(super) fn read(image: &dyn Image) -> Result<Vec<u8>, ImageError> {
    let len = usize::try_from(image.len())
        .map_err(|_| ImageError(format!("{} bytes do not fit in memory", image.len())))?;
    let mut bytes = vec![0; len];
    let mut offset = 0;
    for piece in bytes.chunks_mut(PIECE) {
        image.read_at(offset, piece)?;
        offset += piece.len() as u64;
    }
    Ok(bytes)
}

/// Whether these bytes are the segment that is meant, as far as its header
/// tells; how they are not.
pub(super) fn check(bytes: &[u8], named: SegmentName) -> Result<(), String> {
    let found = bytes.len() as u64;
    if found != named.bytes {
        return Err(format!("it has {found} bytes, not {}", named.bytes));
    }
    match header_check(bytes) {
        Some(check) if check == named.check => Ok(()),
        Some(check) => {
            Err(format!("its header's checksum is {check:08x}, not {:08x}", named.check))
        }
        None => Err("its header is damaged".to_owned()),
    }
}

/// The checksum of the header, if it matches.
fn header_check(bytes: &[u8]) -> Option<u32> {
    // Magic, version, seven counts, length and checksum of eight sections.
    const COVERED: usize = 8 + 4 + 7 * 4 + 8 * 12;
    let (header, rest) = bytes.split_at_checked(COVERED)?;
    let check = u32::from_le_bytes(*rest.first_chunk()?);
    (header.starts_with(b"usdtpast") && crc32fast::hash(header) == check).then_some(check)
}
