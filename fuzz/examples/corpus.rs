//! Seeds and dictionary for libFuzzer, and a run of single inputs.
//!
//!     cargo run -p flow-fuzz --example corpus -- seeds FOLDER
//!     cargo run -p flow-fuzz --example corpus -- run TARGET FILE...
//!
//! `seeds` writes `FOLDER/TARGET/seed-N` and `FOLDER/words.dict`; `run` hands
//! files to a target, which panics where it fails.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use flow_fuzz::{TARGETS, seeds, target};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["seeds", folder] => write_seeds(Path::new(folder)),
        ["run", name, ref files @ ..] => {
            let target = target(name).with_context(|| format!("no target {name}"))?;
            for file in files {
                (target.run)(&read(file)?);
                println!("{file}: survived");
            }
            Ok(())
        }
        _ => bail!("`seeds FOLDER` or `run TARGET FILE...`"),
    }
}

fn read(file: &str) -> anyhow::Result<Vec<u8>> {
    std::fs::read(file).with_context(|| file.to_owned())
}

fn write_seeds(folder: &Path) -> anyhow::Result<()> {
    for target in TARGETS {
        let corpus = folder.join(target.name);
        std::fs::create_dir_all(&corpus).with_context(|| corpus.display().to_string())?;
        for (number, seed) in (target.seeds)().iter().enumerate() {
            write(corpus.join(format!("seed-{number}")), seed)?;
        }
    }
    let mut words = String::new();
    for word in seeds::WORDS {
        let escaped: String = word.bytes().map(|byte| format!("\\x{byte:02x}")).collect();
        writeln!(words, "\"{escaped}\"")?;
    }
    write(folder.join("words.dict"), words.as_bytes())
}

fn write(path: PathBuf, bytes: &[u8]) -> anyhow::Result<()> {
    std::fs::write(&path, bytes).with_context(|| path.display().to_string())
}
