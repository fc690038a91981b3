//! One checkpoint in one object: manifest and images, every byte under a
//! checksum.
//!
//! What always holds: [`decode`] gives what [`encode`] was given, or tells the
//! damage; a flipped bit, a lost tail, a byte too many and a section of another
//! object are each noticed. A file made to deceive, checksums and all, may tell
//! lies, but does not make `decode` panic.
//!
//! ```text
//! magic      8 bytes, "usdtckpt"
//! version    u32
//! length     u64, of everything
//! sections   for each of the four: kind u8, coding u8, length as it lies here
//!            u64, length u64, CRC-32 of the bytes as they lie here u32
//! check      u32, CRC-32 of all the above
//! …          the bytes of the sections, one behind the other
//! ```
//!
//! Numbers are little-endian.

#[cfg(test)]
mod tests;

use std::fmt;
use std::io::{self, Read as _};

use super::manifest::Manifest;

const MAGIC: [u8; 8] = *b"usdtckpt";
const VERSION: u32 = 1;
/// Magic, version, length.
const PRELUDE: usize = 8 + 4 + 8;
/// Kind, coding, two lengths, checksum.
const ROW: usize = 1 + 1 + 8 + 8 + 4;
const HEADER: usize = PRELUDE + Section::ALL.len() * ROW + 4;

/// The quickest level: an image is written each minute and read once a start.
const LEVEL: i32 = 1;

/// What a checkpoint holds. The images are opaque here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// What it stands for.
    pub manifest: Manifest,
    /// The image of the engine.
    pub engine: Vec<u8>,
    /// The image of the assembler.
    pub assembler: Vec<u8>,
    /// What has been published.
    pub published: Vec<u8>,
}

/// A part of the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// Of [`Parts::manifest`].
    Manifest,
    /// Of [`Parts::engine`].
    Engine,
    /// Of [`Parts::assembler`].
    Assembler,
    /// Of [`Parts::published`].
    Published,
}

impl Section {
    /// In the order in which they are stored.
    const ALL: [Section; 4] =
        [Section::Manifest, Section::Engine, Section::Assembler, Section::Published];

    const fn code(self) -> u8 {
        match self {
            Section::Manifest => 1,
            Section::Engine => 2,
            Section::Assembler => 3,
            Section::Published => 4,
        }
    }
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Section::Manifest => "manifest",
            Section::Engine => "engine",
            Section::Assembler => "assembler",
            Section::Published => "published",
        })
    }
}

/// Why bytes are not a checkpoint that can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// It begins otherwise.
    #[error("it is not a checkpoint of usdt-flow")]
    Magic,
    /// Written by a later release.
    #[error("its format, version {found}, is newer than this program, which knows {VERSION}")]
    Newer {
        /// The version of the object.
        found: u32,
    },
    /// Written by an earlier release.
    #[error("its format, version {found}, is older than this program, which knows {VERSION}")]
    Older {
        /// The version of the object.
        found: u32,
    },
    /// Bytes are missing at its end.
    #[error("it ends after {found} of {expected} bytes")]
    Truncated {
        /// How many bytes there should be, at least.
        expected: u64,
        /// How many there are.
        found: u64,
    },
    /// There are bytes after its end.
    #[error("it goes on after its end: {found} bytes instead of {expected}")]
    Trailing {
        /// How many bytes there should be.
        expected: u64,
        /// How many there are.
        found: u64,
    },
    /// The header is not what was written.
    #[error("the checksum of its header does not match")]
    Header,
    /// A section is not what was written.
    #[error("the checksum of its section {0} does not match")]
    Checksum(Section),
    /// The checksums match, and what they cover makes no sense.
    #[error("its section {section} cannot be read: {reason}")]
    Malformed {
        /// Which section.
        section: Section,
        /// Why.
        reason: String,
    },
}

/// How the bytes of a section lie in the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    Plain,
    Zstd,
}

/// One row of the header.
#[derive(Clone, Copy, Debug)]
struct Row {
    section: Section,
    coding: Coding,
    /// Bytes in the object.
    stored: u64,
    /// Bytes of the section itself.
    len: u64,
    check: u32,
}

/// The object that holds these parts.
///
/// # Errors
/// If the compressor fails, which it does for want of memory alone.
pub fn encode(parts: Parts) -> io::Result<Vec<u8>> {
    let manifest = serde_json::to_vec(&parts.manifest)?;
    let sections = [manifest, parts.engine, parts.assembler, parts.published];
    let mut rows = Vec::new();
    let mut stored = Vec::new();
    // One after the other, each image freed once it is packed.
    for (section, bytes) in Section::ALL.into_iter().zip(sections) {
        let len = bytes.len() as u64;
        let (coding, bytes) = pack(bytes)?;
        let check = crc32fast::hash(&bytes);
        rows.push(Row { section, coding, stored: bytes.len() as u64, len, check });
        stored.push(bytes);
    }
    let mut object = header(&rows);
    object.reserve_exact(stored.iter().map(Vec::len).sum());
    for bytes in stored {
        object.extend(bytes);
    }
    Ok(object)
}

/// Reads the object.
///
/// # Errors
/// The first damage that is found.
pub fn decode(object: &[u8]) -> Result<Parts, Damage> {
    let rows = read_header(object)?;
    let mut rest = &object[HEADER..];
    let mut sections = Vec::new();
    for row in rows {
        let stored = usize::try_from(row.stored).expect("the header's sum was compared");
        let (bytes, after) = rest.split_at(stored);
        rest = after;
        if crc32fast::hash(bytes) != row.check {
            return Err(Damage::Checksum(row.section));
        }
        sections.push(unpack(row, bytes)?);
    }
    let [manifest, engine, assembler, published] =
        <[Vec<u8>; 4]>::try_from(sections).expect("one for each row");
    let manifest = serde_json::from_slice(&manifest)
        .map_err(|error| malformed(Section::Manifest, error.to_string()))?;
    Ok(Parts { manifest, engine, assembler, published })
}

fn header(rows: &[Row]) -> Vec<u8> {
    let total = HEADER as u64 + rows.iter().map(|row| row.stored).sum::<u64>();
    let mut bytes = Vec::with_capacity(HEADER);
    bytes.extend(MAGIC);
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend(total.to_le_bytes());
    for row in rows {
        bytes.extend([row.section.code(), u8::from(row.coding == Coding::Zstd)]);
        bytes.extend(row.stored.to_le_bytes());
        bytes.extend(row.len.to_le_bytes());
        bytes.extend(row.check.to_le_bytes());
    }
    let check = crc32fast::hash(&bytes);
    bytes.extend(check.to_le_bytes());
    bytes
}

/// The rows, once version, length and checksum are known to be right.
fn read_header(object: &[u8]) -> Result<[Row; Section::ALL.len()], Damage> {
    let found = object.len() as u64;
    let truncated = |expected| Damage::Truncated { expected, found };
    let Some(magic) = object.first_chunk() else { return Err(truncated(HEADER as u64)) };
    if *magic != MAGIC {
        return Err(Damage::Magic);
    }
    let Some(header) = object.first_chunk::<HEADER>() else {
        return Err(truncated(HEADER as u64));
    };
    let mut reader = Reader(&header[MAGIC.len()..]);
    match reader.u32() {
        VERSION => {}
        found if found > VERSION => return Err(Damage::Newer { found }),
        found => return Err(Damage::Older { found }),
    }
    let (covered, check) = header.split_at(HEADER - 4);
    if crc32fast::hash(covered) != Reader(check).u32() {
        return Err(Damage::Header);
    }
    let expected = reader.u64();
    match found.cmp(&expected) {
        std::cmp::Ordering::Less => return Err(truncated(expected)),
        std::cmp::Ordering::Greater => return Err(Damage::Trailing { expected, found }),
        std::cmp::Ordering::Equal => {}
    }
    let mut rows = Vec::new();
    for section in Section::ALL {
        rows.push(read_row(section, &mut reader)?);
    }
    let sum = rows.iter().try_fold(HEADER as u64, |sum, row| sum.checked_add(row.stored));
    if sum != Some(expected) {
        return Err(malformed(Section::Manifest, "the sections are not as long as the object"));
    }
    Ok(rows.try_into().expect("one for each section"))
}

fn read_row(section: Section, reader: &mut Reader<'_>) -> Result<Row, Damage> {
    let [kind, coding] = [reader.u8(), reader.u8()];
    let coding = match coding {
        0 => Coding::Plain,
        1 => Coding::Zstd,
        other => return Err(malformed(section, format!("nothing is coded as {other}"))),
    };
    if kind != section.code() {
        return Err(malformed(section, format!("a section of kind {kind} is in its place")));
    }
    Ok(Row { section, coding, stored: reader.u64(), len: reader.u64(), check: reader.u32() })
}

/// Compressed where that saves an eighth or more.
fn pack(bytes: Vec<u8>) -> io::Result<(Coding, Vec<u8>)> {
    let packed = zstd::bulk::compress(&bytes, LEVEL)?;
    let worth = packed.len() < bytes.len() - bytes.len() / 8;
    Ok(if worth { (Coding::Zstd, packed) } else { (Coding::Plain, bytes) })
}

fn unpack(row: Row, stored: &[u8]) -> Result<Vec<u8>, Damage> {
    let failed = |error: io::Error| malformed(row.section, error.to_string());
    let bytes = match row.coding {
        Coding::Plain => stored.to_vec(),
        Coding::Zstd => {
            let mut bytes = Vec::new();
            // Whatever the object claims, memory is taken as bytes come.
            let decoder = zstd::Decoder::with_buffer(stored).map_err(failed)?;
            decoder.take(row.len.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
            bytes
        }
    };
    if bytes.len() as u64 != row.len {
        return Err(malformed(row.section, "it is not as long as the header says"));
    }
    Ok(bytes)
}

fn malformed(section: Section, reason: impl Into<String>) -> Damage {
    Damage::Malformed { section, reason: reason.into() }
}

/// Numbers off the front of a header, whose length is known to suffice.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let (taken, rest) = self.0.split_first_chunk().expect("a header has its full length");
        self.0 = rest;
        *taken
    }

    fn u8(&mut self) -> u8 {
        u8::from_le_bytes(self.take())
    }

    fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.take())
    }

    fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.take())
    }
}
