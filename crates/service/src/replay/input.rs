//! Opening a file of events: compressed or not, CSV, JSON Lines or compact.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;

use flow_codec::compact;
use indicatif::ProgressBar;

use crate::report::Explain;

/// A file being read.
pub(super) type Reader = Box<dyn BufRead>;

/// Counts the bytes read from disk, before decompression.
pub type Progress = ProgressBar;

/// A file, by its first bytes.
pub(super) enum Input {
    /// A header row comes first.
    Csv(Reader),
    /// One JSON value a line.
    Lines(Reader),
    /// Messages, each behind its length.
    Compact(Reader),
}

impl Input {
    /// Opens a file; `-` is standard input.
    pub(super) fn open(path: &Path, progress: &Progress) -> anyhow::Result<Input> {
        let (message, hint) = (
            format!("cannot read {}", path.display()),
            "name files of events, or - to read a pipe",
        );
        let mut reader = reader(path, progress).explain(message.clone(), hint)?;
        let mut first = Vec::with_capacity(compact::PEEK);
        let peek = compact::PEEK as u64;
        reader.by_ref().take(peek).read_to_end(&mut first).explain(message.clone(), hint)?;
        let is_compact = compact::delimited(&first).is_some();
        let mut reader: Reader = Box::new(Cursor::new(first).chain(reader));
        if is_compact {
            return Ok(Input::Compact(reader));
        }
        let first = loop {
            let buffer = reader.fill_buf().explain(message.clone(), hint)?;
            let (blank, read) =
                (buffer.iter().take_while(|b| b.is_ascii_whitespace()).count(), buffer.len());
            if blank < read || read == 0 {
                break buffer.get(blank).copied();
            }
            reader.consume(blank);
        };
        Ok(match first {
            Some(b'{' | b'[') | None => Input::Lines(reader),
            Some(_) => Input::Csv(reader),
        })
    }
}

fn reader(path: &Path, progress: &Progress) -> io::Result<Reader> {
    const BUFFER_BYTES: usize = 1 << 18;
    let raw: Box<dyn Read> =
        if path == Path::new("-") { Box::new(io::stdin()) } else { Box::new(File::open(path)?) };
    let counted = progress.wrap_read(raw);
    let plain: Box<dyn Read> = match path.extension().and_then(|extension| extension.to_str()) {
        Some("gz") => Box::new(flate2::read::MultiGzDecoder::new(counted)),
        Some("zst") => Box::new(zstd::Decoder::new(counted)?),
        _ => Box::new(counted),
    };
    Ok(Box::new(BufReader::with_capacity(BUFFER_BYTES, plain)))
}

/// Reads the next record of a compact file; `false` at the end.
///
/// # Errors
/// If the file cannot be read, or ends within a record.
pub(super) fn next_message(reader: &mut Reader, record: &mut Vec<u8>) -> io::Result<bool> {
    record.clear();
    let Some(len) = next_length(reader)? else { return Ok(false) };
    let read = reader.by_ref().take(len).read_to_end(record)?;
    if (read as u64) < len {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(true)
}

/// A record's length, a varint; `None` at the end of the file.
fn next_length(reader: &mut Reader) -> io::Result<Option<u64>> {
    let mut len = 0;
    // Shorter than 2^35 bytes, or the file is damaged.
    for shift in (0..35).step_by(7) {
        let byte = match reader.by_ref().bytes().next().transpose()? {
            Some(byte) => byte,
            None if shift == 0 => return Ok(None),
            None => return Err(io::ErrorKind::UnexpectedEof.into()),
        };
        len |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(Some(len));
        }
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, "a record without a length"))
}
