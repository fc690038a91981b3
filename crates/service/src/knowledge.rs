//! Cases, labels and opening balances from files.

use std::path::{Path, PathBuf};

use anyhow::Context;
use flow_codec::case_file;
use flow_core::{Case, Effect, Engine, EngineConfig, Event, Label};

use crate::config::read_file;
use crate::report::Explain;

/// What is known before the first event.
#[derive(Clone, Debug, Default)]
pub struct Knowledge {
    /// Open cases, by file order.
    pub cases: Vec<Case>,
    /// Labelled accounts; a later one replaces an earlier one.
    pub labels: Vec<Label>,
    /// Balances before the first event; those of one account add up.
    pub opening: Vec<(flow_core::AccountKey, flow_core::Amount)>,
}

impl Knowledge {
    /// Reads the files.
    ///
    /// # Errors
    /// Names the file and what is wrong with it, and where.
    pub fn read(
        cases: &[PathBuf],
        labels: &[PathBuf],
        opening: &[PathBuf],
    ) -> anyhow::Result<Knowledge> {
        let mut known = Knowledge::default();
        for path in cases {
            let file = parsed(path, "a JSON array of cases", case_file::parse_cases)?;
            for warning in file.warnings {
                tracing::warn!(file = %path.display(), "{warning}");
            }
            for case in file.cases {
                let twice = known.cases.iter().any(|known| known.id == case.id);
                anyhow::ensure!(
                    !twice,
                    "case {} stands in two files, the second {}",
                    case.id,
                    path.display()
                );
                known.cases.push(case);
            }
        }
        for path in labels {
            let columns = "columns chain,address,entity,kind,stop";
            known.labels.extend(parsed(path, columns, case_file::parse_labels_csv)?);
        }
        for path in opening {
            let columns = "columns chain,address,balance";
            known.opening.extend(parsed(path, columns, case_file::parse_opening_csv)?);
        }
        Ok(known)
    }

    /// An engine that knows all this from before its first event.
    ///
    /// # Errors
    /// If an opening balance overflows.
    pub fn engine(&self, config: EngineConfig) -> anyhow::Result<Engine> {
        let mut engine = Engine::new(config);
        let mut effects: Vec<Effect> = Vec::new();
        engine.load_opening(&self.opening).context("cannot load the opening balances")?;
        for label in &self.labels {
            engine.apply(Event::LabelSet(label.clone()), &mut effects)?;
        }
        for case in &self.cases {
            engine.apply(Event::CaseOpened(case.clone()), &mut effects)?;
        }
        Ok(engine)
    }
}

fn parsed<T, E: std::error::Error + Send + Sync + 'static>(
    path: &Path,
    expected: &str,
    parse: impl FnOnce(&[u8]) -> Result<T, E>,
) -> anyhow::Result<T> {
    let bytes = read_file(path)?;
    parse(&bytes)
        .explain(format!("cannot understand {}", path.display()), format!("expected: {expected}"))
}
