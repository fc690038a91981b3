//! Segments of the past, damaged or made to deceive.
//!
//! What the readers promise: no bytes whatever make them panic or run without
//! end. Mutations break checksums nearly always, so each input is read twice:
//! as it is, and with its length and checksums made to match.

use flow_core::probe_segment;

/// Where the header tells the length and checksum of the first section.
const EXTENTS_AT: usize = 40;
const SECTIONS: usize = 8;
/// The header without its own checksum.
const CHECKED: usize = EXTENTS_AT + 12 * SECTIONS;
const HEADER_LEN: usize = CHECKED + 4;

/// Reads the bytes as a segment, and again with all its checks forged.
pub fn segment(data: &[u8]) {
    probe_segment(data);
    let mut forged = data.to_vec();
    if forged.len() >= HEADER_LEN {
        forge(&mut forged);
        probe_segment(&forged);
    }
}

/// Makes the whole length and all checksums match again, so that readers meet
/// what they guard against.
fn forge(bytes: &mut [u8]) {
    forge_length(bytes);
    forge_first_chunk(bytes);
    let mut start = HEADER_LEN;
    for section in 0..SECTIONS {
        let at = EXTENTS_AT + 12 * section;
        let Some(body) = part(bytes, start, length(bytes, at)) else { break };
        let crc = crc32fast::hash(body);
        start += body.len();
        put(bytes, at + 8, crc);
    }
    let crc = crc32fast::hash(&bytes[..CHECKED]);
    put(bytes, CHECKED, crc);
}

/// Lets the last section end where the bytes do, if it begins before that.
fn forge_length(bytes: &mut [u8]) {
    let last = EXTENTS_AT + 12 * (SECTIONS - 1);
    let mut others = (EXTENTS_AT..last).step_by(12).map(|at| length(bytes, at));
    let start = others.try_fold(HEADER_LEN, |start, len| start.checked_add(len?));
    if let Some(rest) = start.and_then(|start| bytes.len().checked_sub(start)) {
        bytes[last..last + 8].copy_from_slice(&(rest as u64).to_le_bytes());
    }
}

/// Makes the checksum of the first chunk match, which lies in the directory. Seeds
/// have no second one.
fn forge_first_chunk(bytes: &mut [u8]) {
    let (directory, chunks) = (length(bytes, EXTENTS_AT), length(bytes, EXTENTS_AT + 12));
    let Some(start) = directory.and_then(|len| HEADER_LEN.checked_add(len)) else { return };
    let Some(crc) = part(bytes, start, chunks).map(crc32fast::hash) else { return };
    if directory.is_some_and(|len| len >= 8) {
        put(bytes, HEADER_LEN + 4, crc);
    }
}

fn length(bytes: &[u8], at: usize) -> Option<usize> {
    let eight = bytes.get(at..)?.first_chunk::<8>()?;
    usize::try_from(u64::from_le_bytes(*eight)).ok()
}

fn part(bytes: &[u8], start: usize, len: Option<usize>) -> Option<&[u8]> {
    bytes.get(start..)?.get(..len?)
}

fn put(bytes: &mut [u8], at: usize, number: u32) {
    bytes[at..at + 4].copy_from_slice(&number.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forger_forges() {
        for seed in crate::seeds::segments() {
            let mut forged = seed.clone();
            forged[EXTENTS_AT + 12 * (SECTIONS - 1)] ^= 1;
            forged[CHECKED] ^= 1;
            forge(&mut forged);
            assert!(forged == seed);
        }
    }
}
