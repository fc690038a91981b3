//! The files that a configuration names: cases, labels, opening balances.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use flow_codec::case_file;

use super::Config;
use super::problem::Problem;

/// A file that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {}", path.display())]
pub struct ReadFileError {
    path: PathBuf,
    source: io::Error,
}

/// The bytes of a file, decompressed when its name ends in `.gz` or `.zst`;
/// `-` is standard input.
pub fn read_file(path: &Path) -> Result<Vec<u8>, ReadFileError> {
    read(path).map_err(|source| ReadFileError { path: path.to_owned(), source })
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        io::stdin().lock().read_to_end(&mut bytes)?;
        return Ok(bytes);
    }
    let mut file = File::open(path)?;
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("gz") => flate2::read::MultiGzDecoder::new(file).read_to_end(&mut bytes)?,
        Some("zst") => zstd::Decoder::new(file)?.read_to_end(&mut bytes)?,
        _ => file.read_to_end(&mut bytes)?,
    };
    Ok(bytes)
}

/// Whether the files exist and can be understood: problems and warnings.
pub fn check_files(config: &Config) -> (Vec<Problem>, Vec<Problem>) {
    let knowledge = &config.knowledge;
    let mut problems = Vec::new();
    let mut warnings = Vec::new();
    for path in &knowledge.case_files {
        check(path, "input.case_files", &mut problems, |bytes| {
            let file = case_file::parse_cases(bytes).map_err(|error| error.to_string())?;
            warnings.extend(file.warnings.into_iter().map(|text| {
                Problem::of("input.case_files", format!("{}: {text}", path.display()))
            }));
            Ok(())
        });
    }
    for path in &knowledge.label_files {
        check(path, "input.label_files", &mut problems, |bytes| {
            case_file::parse_labels_csv(bytes).map(drop).map_err(|error| error.to_string())
        });
    }
    for path in &knowledge.opening_files {
        check(path, "input.opening_files", &mut problems, |bytes| {
            case_file::parse_opening_csv(bytes).map(drop).map_err(|error| error.to_string())
        });
    }
    (problems, warnings)
}

fn check(
    path: &Path,
    key: &str,
    problems: &mut Vec<Problem>,
    parse: impl FnOnce(&[u8]) -> Result<(), String>,
) {
    match read(path) {
        Ok(bytes) => {
            if let Err(message) = parse(&bytes) {
                problems.push(Problem::of(key, format!("{}: {message}", path.display())));
            }
        }
        Err(error) => problems.push(
            Problem::of(key, format!("cannot read {}: {error}", path.display()))
                .hint("relative paths of a file start at that file's folder"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn compressed_files_are_read_by_their_names() {
        let folder = tempfile::tempdir().unwrap();
        let plain = folder.path().join("a.csv");
        std::fs::write(&plain, "x").unwrap();
        let gz = folder.path().join("a.csv.gz");
        let mut encoder =
            flate2::write::GzEncoder::new(File::create(&gz).unwrap(), flate2::Compression::fast());
        encoder.write_all(b"x").unwrap();
        encoder.finish().unwrap();
        let zst = folder.path().join("a.csv.zst");
        std::fs::write(&zst, zstd::encode_all(&b"x"[..], 1).unwrap()).unwrap();
        for path in [plain, gz, zst] {
            assert_eq!(read_file(&path).unwrap(), b"x", "{}", path.display());
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = read_file(Path::new("/nowhere/cases.json")).unwrap_err();
        assert_eq!(error.to_string(), "cannot read /nowhere/cases.json");
    }
}
