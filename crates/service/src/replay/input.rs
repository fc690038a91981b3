//! Opening a file of events: compressed or not, CSV or JSON Lines.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use indicatif::ProgressBar;

use crate::report::Explain;

/// A file being read.
pub(super) type Reader = Box<dyn BufRead>;

/// Counts the bytes read from disk, before decompression.
pub type Progress = ProgressBar;

/// A file, by its first character.
pub(super) enum Input {
    /// A header row comes first.
    Csv(Reader),
    /// One JSON value a line.
    Lines(Reader),
}

impl Input {
    /// Opens a file; `-` is standard input.
    pub(super) fn open(path: &Path, progress: &Progress) -> anyhow::Result<Input> {
        let (message, hint) = (
            format!("cannot read {}", path.display()),
            "name files of events, or - to read a pipe",
        );
        let mut reader = reader(path, progress).explain(message.clone(), hint)?;
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
