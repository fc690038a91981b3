//! Events from files through the pipeline into a folder (docs/output.md).
//!
//! What always holds: the same files give the same bytes in every output but
//! the run time; a line that cannot be read stands in `refused.jsonl` with its
//! number and text.

mod folder;
mod input;
mod ranking;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use flow_codec::{AssemblerConfig, CsvLayout, Decoded, Decoder, Format};
use flow_core::{Chain, Effect, Engine};

use crate::metrics::Metrics;
use crate::pipeline::{Pipeline, Rejected};
use crate::report::Explain;
use folder::Folder;
use input::Input;

pub use input::Progress;

/// A run over files.
pub struct Replay {
    pipeline: Pipeline,
    /// The format that was named, if any was.
    format: Option<Format>,
    decoder: Decoder,
    metrics: Arc<Metrics>,
    folder: Option<Folder>,
    strict: bool,
    /// Whether the history is kept beyond the run, so all of it is sealed.
    seals: bool,
    decoded: Vec<Decoded>,
    effects: Vec<Effect>,
}

/// Where a record stands.
struct Place<'a> {
    file: &'a Path,
    /// Its line, or its number where there are no lines.
    line: u64,
}

impl Replay {
    /// A run with that engine, which knows its cases and labels already.
    ///
    /// # Errors
    /// If the folder cannot be made.
    pub fn new(
        engine: Engine,
        format: Option<Format>,
        window_blocks: usize,
        strict: bool,
        seals: bool,
        out: Option<&Path>,
    ) -> anyhow::Result<Replay> {
        let metrics = Metrics::new();
        // Files are the past: what is applied is final.
        let window =
            AssemblerConfig { window_blocks, finality_blocks: 0, ..AssemblerConfig::default() };
        let folder = out.map(|out| Folder::create(out, &engine)).transpose()?;
        Ok(Replay {
            pipeline: Pipeline::new(engine, [window; 2], Arc::clone(&metrics)),
            format,
            // The slice and the plain CSV are told by their headers.
            decoder: Decoder::new(format.filter(|format| *format != Format::Slice)),
            metrics,
            folder,
            strict,
            seals,
            decoded: Vec::new(),
            effects: Vec::new(),
        })
    }

    /// Reads one file to its end; `-` is standard input.
    ///
    /// # Errors
    /// If the file cannot be read or recognised, an output cannot be written,
    /// the engine stops, or (strict) a line cannot be read.
    pub fn read(&mut self, path: &Path, progress: &Progress) -> anyhow::Result<()> {
        match Input::open(path, progress)? {
            Input::Csv(_) if self.format == Some(Format::Compact) => {
                Err(anyhow::anyhow!("{} does not begin with a compact record", path.display()))
                    .explain(
                        format!("cannot read {}", path.display()),
                        "leave --format out, and it is told from the file; in a compact one each \
                         block stands behind its length",
                    )
            }
            Input::Csv(reader) => self.read_csv(path, reader),
            Input::Lines(reader) => self.read_lines(path, reader),
            Input::Compact(reader) => self.read_messages(path, reader),
        }
    }

    fn read_csv(&mut self, path: &Path, reader: input::Reader) -> anyhow::Result<()> {
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(reader);
        let header = reader.headers().with_context(|| format!("cannot read {}", path.display()))?;
        let layout = CsvLayout::from_header(header.iter()).explain(
            format!("{} is of no known format", path.display()),
            "name the columns chain,block,log_index,timestamp,tx,event,from,to,amount",
        )?;
        let mut row = csv::ByteRecord::new();
        loop {
            let line = reader.position().line();
            let more = reader
                .read_byte_record(&mut row)
                .with_context(|| format!("cannot read {} at line {line}", path.display()))?;
            if !more {
                return Ok(());
            }
            let line = row.position().map_or(line, csv::Position::line);
            let result = self.decoder.decode_row(&layout, &row, &mut self.decoded);
            let rejected = result.err().map(Rejected::from);
            self.take(rejected, &Place { file: path, line }, || joined(&row))?;
        }
    }

    fn read_lines(&mut self, path: &Path, mut reader: input::Reader) -> anyhow::Result<()> {
        let mut line = Vec::new();
        for number in 1.. {
            line.clear();
            let read = std::io::BufRead::read_until(&mut reader, b'\n', &mut line)
                .with_context(|| format!("cannot read {} at line {number}", path.display()))?;
            if read == 0 {
                break;
            }
            let text = line.trim_ascii();
            if text.is_empty() {
                continue;
            }
            self.read_record(text, &Place { file: path, line: number })?;
        }
        Ok(())
    }

    fn read_messages(&mut self, path: &Path, mut reader: input::Reader) -> anyhow::Result<()> {
        let mut record = Vec::new();
        for number in 1.. {
            let more = input::next_message(&mut reader, &mut record)
                .with_context(|| format!("cannot read {} at record {number}", path.display()))?;
            if !more {
                break;
            }
            self.read_record(&record, &Place { file: path, line: number })?;
        }
        Ok(())
    }

    /// Decodes a record that is no row, and takes it.
    fn read_record(&mut self, record: &[u8], place: &Place<'_>) -> anyhow::Result<()> {
        let result = self.decoder.decode(record, &mut self.decoded);
        self.take(result.err().map(Rejected::from), place, || record.to_vec())
    }

    /// Puts a decoded record through the pipeline, or refuses it.
    fn take(
        &mut self,
        rejected: Option<Rejected>,
        place: &Place<'_>,
        text: impl FnOnce() -> Vec<u8>,
    ) -> anyhow::Result<()> {
        let chain = self.decoded.iter().find_map(Decoded::chain);
        if let Some(chain) = chain {
            self.metrics.chain(chain).records_consumed.inc();
        }
        let (_, dropped) = self.pipeline.accept(None, self.decoded.drain(..))?;
        if let Some(rejected) = rejected.or(dropped) {
            self.refuse(&rejected, place, &text())?;
        }
        if let Some(chain) = chain {
            self.pipeline.advance(chain, u64::MAX, &mut self.effects)?;
            self.write()?;
        }
        Ok(())
    }

    fn refuse(
        &mut self,
        rejected: &Rejected,
        place: &Place<'_>,
        text: &[u8],
    ) -> anyhow::Result<()> {
        self.metrics.dead_letters(rejected.reason).inc();
        if self.strict {
            anyhow::bail!(
                "{} line {}: {} ({})",
                place.file.display(),
                place.line,
                rejected.message,
                rejected.reason
            );
        }
        match &mut self.folder {
            Some(folder) => folder.refuse(rejected, place.file, place.line, text),
            None => Ok(()),
        }
    }

    fn write(&mut self) -> anyhow::Result<()> {
        for effect in self.effects.drain(..) {
            match &effect {
                Effect::Raise(alert) => self.metrics.alerts(alert.rule, alert.risk).inc(),
                Effect::Settle(_) => self.metrics.alerts_settled.inc(),
                Effect::Retract(alert) => self.metrics.alerts_retracted(alert.rule).inc(),
                Effect::Recommend(record) => {
                    self.metrics.freeze_recommendations(record.status).inc();
                }
                Effect::Ledger(_) => self.metrics.case_ledgers.inc(),
                Effect::Refuse(refused) => {
                    self.metrics.dead_letters(refused.reason.name()).inc();
                    anyhow::ensure!(
                        !self.strict,
                        "{} block {}: {}",
                        refused.chain,
                        refused.block,
                        refused.reason.name()
                    );
                }
            }
            if let Some(folder) = &mut self.folder {
                folder.write(&effect)?;
            }
        }
        Ok(())
    }

    /// Applies what is still held and hands the engine over, for whoever asks
    /// about the past.
    ///
    /// # Errors
    /// If the engine stops.
    pub fn into_engine(mut self) -> anyhow::Result<Engine> {
        for chain in Chain::ALL {
            self.pipeline.flush(chain, &mut self.effects)?;
        }
        self.write()?;
        Ok(self.pipeline.engine)
    }

    /// Applies what is still held, checks the books once more, and writes the
    /// tables.
    ///
    /// # Errors
    /// If an output cannot be written or the books do not balance.
    pub fn finish(mut self, run_ms: u128) -> anyhow::Result<crate::summary::Summary> {
        for chain in Chain::ALL {
            self.pipeline.flush(chain, &mut self.effects)?;
        }
        self.pipeline.engine.close_books(&mut self.effects);
        self.write()?;
        self.pipeline.engine.audit()?;
        if self.seals {
            self.pipeline.engine.seal()?;
        }
        let summary = crate::summary::Summary::of(&[&self.pipeline], &self.metrics, run_ms);
        if let Some(folder) = self.folder {
            folder.finish(&self.pipeline.engine, &summary)?;
        }
        Ok(summary)
    }
}

/// Writes the tables of the final state of a live run to a folder; each engine
/// has chains of its own.
///
/// # Errors
/// If a file cannot be written.
pub fn write_tables(
    out: &Path,
    engines: &[&Engine],
    summary: &crate::summary::Summary,
) -> anyhow::Result<()> {
    folder::write_tables(out, engines, summary)
}

/// Sizes of the files, for a progress bar; `None` if one is a stream.
pub fn total_bytes(paths: &[PathBuf]) -> Option<u64> {
    paths.iter().map(|path| std::fs::metadata(path).ok().map(|file| file.len())).sum()
}

/// The row as it stood, but for quotes.
fn joined(row: &csv::ByteRecord) -> Vec<u8> {
    row.iter().collect::<Vec<_>>().join(&b","[..])
}
