//! What an answer rests on: the files that were read, by their SHA-256, and the
//! command that gives it again.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::ValueEnum;
use ring::digest::{Context as Digest, SHA256};

use crate::cli::{InputFormat, PastArgs};
use crate::history::segment_files;
use crate::report::Explain;

/// A file or folder that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// What it holds.
    pub holds: &'static str,
    /// Its name, as it was given.
    pub name: String,
    /// Bytes in all.
    pub bytes: u64,
    /// SHA-256 in hex: of the file; of a folder that of the lines which
    /// `sha256sum` prints for its segments, in the order of their numbers.
    pub sha256: String,
    /// How many segments, of a history.
    pub segments: Option<usize>,
}

/// Everything that these arguments name.
///
/// # Errors
/// If a file cannot be read, or is standard input, which cannot be read again.
pub fn inputs(
    cases: &[PathBuf],
    bookings: &[PathBuf],
    past: &PastArgs,
) -> anyhow::Result<Vec<Input>> {
    let named = [
        ("cases", cases),
        ("bookings", bookings),
        ("labels", &past.labels),
        ("opening balances", &past.opening),
        ("events", &past.events),
    ];
    let mut inputs = Vec::new();
    for (holds, path) in named.iter().flat_map(|(holds, paths)| paths.iter().map(|p| (*holds, p))) {
        if path == Path::new("-") {
            return Err(anyhow::anyhow!("standard input cannot be read again"))
                .explain("cannot name what this rests on", "name a file instead of -");
        }
        let (bytes, sha256) = digest(path)?;
        let name = path.display().to_string();
        inputs.push(Input { holds, name, bytes, sha256, segments: None });
    }
    if let Some(dir) = &past.history {
        inputs.push(folder(dir)?);
    }
    Ok(inputs)
}

fn folder(dir: &Path) -> anyhow::Result<Input> {
    let files = segment_files(dir)?;
    let (mut all, mut lines) = (0, String::new());
    for file in &files {
        let (bytes, sha256) = digest(file)?;
        all += bytes;
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        lines += &format!("{sha256}  {name}\n");
    }
    let sha256 = sha256(lines.as_bytes());
    let name = dir.display().to_string();
    Ok(Input { holds: "the past", name, bytes: all, sha256, segments: Some(files.len()) })
}

/// Length and SHA-256 of a file.
fn digest(path: &Path) -> anyhow::Result<(u64, String)> {
    let failed = || format!("cannot read {}", path.display());
    let mut file = File::open(path).with_context(failed)?;
    let mut digest = Digest::new(&SHA256);
    let (mut bytes, mut buffer) = (0, vec![0; 1 << 16]);
    loop {
        let read = file.read(&mut buffer).with_context(failed)?;
        if read == 0 {
            return Ok((bytes, hex::encode(digest.finish())));
        }
        bytes += read as u64;
        digest.update(&buffer[..read]);
    }
}

/// SHA-256 in hex.
pub fn sha256(bytes: &[u8]) -> String {
    hex::encode(crate::audit::sha256(bytes))
}

/// The flags that name the past.
pub fn past_words(past: &PastArgs) -> Vec<String> {
    let mut words = Vec::new();
    let mut flag = |name: &str, value: String| words.extend([name.to_owned(), value]);
    for (name, paths) in
        [("--events", &past.events), ("--opening", &past.opening), ("--labels", &past.labels)]
    {
        paths.iter().for_each(|path| flag(name, path.display().to_string()));
    }
    if let Some(dir) = &past.history {
        flag("--history", dir.display().to_string());
    }
    if past.format != InputFormat::Auto {
        let format = past.format.to_possible_value().expect("no format is hidden");
        flag("--format", format.get_name().to_owned());
    }
    words
}

/// Words as a line for a POSIX shell.
pub fn shell(words: &[String]) -> String {
    let safe = |char: char| char.is_ascii_alphanumeric() || "_./:=,@%+-".contains(char);
    let quoted = |word: &String| match word.is_empty() || !word.chars().all(safe) {
        true => format!("'{}'", word.replace('\'', "'\\''")),
        false => word.clone(),
    };
    words.iter().map(quoted).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_the_words_as_they_were() {
        let words = ["a", "", "b c", "it's", "$HOME", "x=1"].map(str::to_owned);
        assert_eq!(shell(&words), "a '' 'b c' 'it'\\''s' '$HOME' x=1");
    }

    #[test]
    fn digests_are_those_of_sha256sum() {
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256(b"abc"), abc);
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "abc").unwrap();
        assert_eq!(digest(file.path()).unwrap(), (3, abc.to_owned()));
    }
}
