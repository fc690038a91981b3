//! Cases, labels and opening balances from files.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context;
use flow_codec::case_file;
use flow_core::{Archive, Case, Effect, Engine, EngineConfig, Event, Label};

use crate::config::read_file;
use crate::report::Explain;

/// The pause between two looks at the files.
const LOOK_PAUSE: Duration = Duration::from_secs(2);

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

    /// What must be told to an engine that knows this, so that it knows `now`.
    pub fn changes(&self, now: &Knowledge) -> Vec<Event> {
        let mut changes = Vec::new();
        let gone = |label: &&Label| !now.labels.iter().any(|kept| kept.account == label.account);
        let removed = self.labels.iter().filter(gone);
        changes.extend(removed.map(|label| Event::LabelRemoved(label.account)));
        let new = now.labels.iter().filter(|label| !self.labels.contains(label));
        changes.extend(new.cloned().map(Event::LabelSet));
        let gone = |case: &&Case| !now.cases.iter().any(|kept| kept.id == case.id);
        let closed = self.cases.iter().filter(gone);
        changes.extend(closed.map(|case| Event::CaseClosed(case.id.clone())));
        let new = now.cases.iter().filter(|case| !self.cases.contains(case));
        changes.extend(new.cloned().map(Event::CaseOpened));
        changes
    }

    /// Takes the cases and labels of `now`; opening balances are of the start.
    pub fn replace_by(&mut self, now: Knowledge) {
        self.cases = now.cases;
        self.labels = now.labels;
    }

    /// Takes a change of cases or labels; any other event is of no concern.
    pub fn learn(&mut self, change: Event) {
        match change {
            Event::CaseOpened(case) => {
                self.cases.retain(|known| known.id != case.id);
                self.cases.push(case);
            }
            Event::CaseClosed(id) => self.cases.retain(|known| known.id != id),
            Event::LabelSet(label) => {
                self.labels.retain(|known| known.account != label.account);
                self.labels.push(label);
            }
            Event::LabelRemoved(account) => self.labels.retain(|known| known.account != account),
            Event::BlockCommitted(_)
            | Event::BlockReverted { .. }
            | Event::BlockFinalized { .. } => {}
        }
    }

    /// An engine that knows all this from before its first event, and keeps its
    /// past in that archive.
    ///
    /// # Errors
    /// If an opening balance overflows.
    pub fn engine(
        &self,
        config: EngineConfig,
        archive: Box<dyn Archive>,
    ) -> anyhow::Result<Engine> {
        let mut engine = Engine::with_archive(config, archive);
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

/// The files of cases and labels, looked at again while the service runs.
#[derive(Debug)]
pub struct Watch {
    cases: Vec<PathBuf>,
    labels: Vec<PathBuf>,
    /// When each was written, as far as that can be told.
    written: Vec<Option<SystemTime>>,
    looked: Instant,
}

impl Watch {
    /// Watches those files from now on.
    pub fn new(cases: &[PathBuf], labels: &[PathBuf]) -> Watch {
        let mut watch = Watch {
            cases: cases.to_vec(),
            labels: labels.to_vec(),
            written: Vec::new(),
            looked: Instant::now(),
        };
        watch.written = watch.times();
        watch
    }

    /// What the files say, if one was written since the last look; looks once
    /// in two seconds. A file that cannot be read changes nothing, and is told.
    pub fn look(&mut self) -> Option<Knowledge> {
        if self.looked.elapsed() < LOOK_PAUSE {
            return None;
        }
        self.looked = Instant::now();
        let times = self.times();
        if times == self.written {
            return None;
        }
        self.written = times;
        match Knowledge::read(&self.cases, &self.labels, &[]) {
            Ok(known) => Some(known),
            Err(error) => {
                tracing::error!("{error:#}; what was known before stays in force");
                None
            }
        }
    }

    fn times(&self) -> Vec<Option<SystemTime>> {
        let written =
            |path: &PathBuf| std::fs::metadata(path).and_then(|file| file.modified()).ok();
        self.cases.iter().chain(&self.labels).map(written).collect()
    }
}

fn parsed<T, E: std::error::Error + Send + Sync + 'static>(
    path: &Path,
    expected: &str,
    parse: impl FnOnce(&[u8]) -> Result<T, E>,
) -> anyhow::Result<T> {
    let bytes = read_file(path)?;
    parse(&bytes)
        .explain(format!("cannot understand {}", path.display()), format!("expected: {expected}, see docs/input.md; nothing is guessed where it could accuse a wallet"))
}

#[cfg(test)]
mod tests {
    use flow_core::{AccountKey, Address, Chain};

    use super::*;

    fn case(id: &str, min_units: u64) -> Case {
        let (title, category, max_hops) = (None, None, None);
        Case { id: id.to_owned(), title, category, sources: Vec::new(), min_units, max_hops }
    }

    fn label(byte: u8, entity: &str) -> Label {
        let account = AccountKey { chain: Chain::Tron, address: Address([byte; 20]) };
        Label { account, entity: entity.to_owned(), kind: "exchange".to_owned(), stop: true }
    }

    #[test]
    fn only_what_differs_is_told() {
        let known = |cases: &[Case], labels: &[Label]| Knowledge {
            cases: cases.to_vec(),
            labels: labels.to_vec(),
            opening: Vec::new(),
        };
        let before = known(&[case("a", 0), case("b", 0)], &[label(1, "x"), label(2, "y")]);
        let now = known(&[case("b", 5), case("c", 0)], &[label(2, "y"), label(3, "z")]);
        assert_eq!(
            before.changes(&now),
            [
                Event::LabelRemoved(label(1, "x").account),
                Event::LabelSet(label(3, "z")),
                Event::CaseClosed("a".to_owned()),
                Event::CaseOpened(case("b", 5)),
                Event::CaseOpened(case("c", 0)),
            ]
        );
        assert_eq!(now.changes(&now), []);
    }
}
