//! The folder that `--out` names.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use flow_codec::{address, wire};
use flow_core::{CaseLedger, CaseTotals, Chain, Effect, Engine, Policy};
use serde_json::json;

use super::ranking;
use crate::audit::{Known, Trail};
use crate::pipeline::Rejected;
use crate::report::Explain;
use crate::summary::{Summary, case_totals_under, policies};

/// The outputs of a replay.
pub(super) struct Folder {
    path: PathBuf,
    alerts: BufWriter<File>,
    freezes: BufWriter<File>,
    refused: BufWriter<File>,
    audit: BufWriter<File>,
    /// By chain: none before the first thing is told of it.
    trails: [Option<Trail>; Chain::ALL.len()],
    known: Known,
    /// By case, chain and day: the last ledger of it.
    ledgers: BTreeMap<(String, Chain, String), CaseLedger>,
}

impl Folder {
    /// Makes the folder, for a run that begins with that engine.
    pub(super) fn create(path: &Path, engine: &Engine) -> anyhow::Result<Folder> {
        std::fs::create_dir_all(path).explain(
            format!("cannot make the folder {}", path.display()),
            "name a folder that you may write to with --out",
        )?;
        Ok(Folder {
            path: path.to_owned(),
            alerts: create(path, "alerts.jsonl")?,
            freezes: create(path, "freezes.jsonl")?,
            refused: create(path, "refused.jsonl")?,
            audit: create(path, "audit.jsonl")?,
            trails: [None, None],
            known: Known { cases: engine.open_cases(), labels: engine.labels() },
            ledgers: BTreeMap::new(),
        })
    }

    /// Writes an effect as the output topics carry it.
    pub(super) fn write(&mut self, effect: &Effect) -> anyhow::Result<()> {
        match effect {
            Effect::Raise(alert) | Effect::Settle(alert) | Effect::Retract(alert) => {
                line(&mut self.alerts, &wire::alert_message(alert).value)
            }
            Effect::Recommend(record) => {
                let message = wire::freeze_message(record);
                line(&mut self.freezes, &message.value)?;
                let as_of = Some((record.block, record.timestamp_ms));
                let entry = self.trail(record.account.chain)?.recommended(&message, as_of);
                line(&mut self.audit, &entry.value)
            }
            Effect::Ledger(ledger) => {
                let day = wire::day(ledger.timestamp_ms);
                let key = (ledger.case.clone(), ledger.chain, day);
                self.ledgers.insert(key, (**ledger).clone());
                Ok(())
            }
            Effect::Refuse(refused) => {
                let record = json!({
                    "chain": refused.chain.name(),
                    "block": refused.block,
                    "tx": address::format_tx(refused.chain, refused.event.tx),
                    "log_index": refused.event.log_index,
                    "reason": refused.reason.name(),
                });
                line(&mut self.refused, record.to_string().as_bytes())
            }
        }
    }

    /// The audit trail of a chain, which begins with what was known before the
    /// first event.
    fn trail(&mut self, chain: Chain) -> anyhow::Result<&mut Trail> {
        let place = &mut self.trails[chain.index()];
        let is_new = place.is_none();
        let trail = place.get_or_insert_with(|| Trail::new(chain));
        if is_new {
            for entry in trail.reconcile(&self.known, None) {
                line(&mut self.audit, &entry.value)?;
            }
        }
        Ok(trail)
    }

    pub(super) fn refuse(
        &mut self,
        rejected: &Rejected,
        file: &Path,
        number: u64,
        text: &[u8],
    ) -> anyhow::Result<()> {
        let mut record = json!({
            "file": file.to_string_lossy(),
            "line": number,
            "reason": rejected.reason,
            "message": rejected.message,
            "text": String::from_utf8_lossy(text),
        });
        if std::str::from_utf8(text).is_err() {
            record["text_hex"] = hex::encode(text).into();
        }
        line(&mut self.refused, record.to_string().as_bytes())
    }

    pub(super) fn finish(mut self, engine: &Engine, summary: &Summary) -> anyhow::Result<()> {
        for chain in Chain::ALL.into_iter().filter(|chain| engine.head(*chain).is_some()) {
            self.trail(chain)?;
        }
        let files = [&mut self.alerts, &mut self.freezes, &mut self.refused, &mut self.audit];
        for file in files {
            file.flush().with_context(|| format!("cannot write to {}", self.path.display()))?;
        }
        write_ledgers(&self.path, &self.ledgers)?;
        write_tables(&self.path, &[engine], summary)
    }
}

/// The tables and `summary.json`. The tables are those of the leading policy;
/// where there are several, each has its own in a folder of its name too. The
/// engines share no chain.
pub(super) fn write_tables(
    path: &Path,
    engines: &[&Engine],
    summary: &Summary,
) -> anyhow::Result<()> {
    let policies = policies(engines);
    let leading = policies.iter().take(1).map(|policy| (*policy, path.to_owned()));
    let several = policies.iter().filter(|_| policies.len() > 1);
    let apart = several.map(|policy| (*policy, path.join(policy.name())));
    for (policy, path) in leading.chain(apart) {
        std::fs::create_dir_all(&path)
            .with_context(|| format!("cannot make the folder {}", path.display()))?;
        write_taint(&path, engines, policy)?;
        write_cases(&path, &case_totals_under(engines, policy))?;
    }
    ranking::write(path, engines)?;
    let mut file = create(path, "summary.json")?;
    line(&mut file, serde_json::to_string_pretty(&summary.json())?.as_bytes())?;
    file.flush().with_context(|| format!("cannot write to {}", path.display()))
}

fn write_taint(path: &Path, engines: &[&Engine], policy: Policy) -> anyhow::Result<()> {
    let rows = engines.iter().flat_map(|engine| engine.taint_rows_under(policy));
    let rows = rows.map(|(case, row)| {
        let chain = row.account.chain;
        vec![
            case,
            chain.name().to_owned(),
            address::format(chain, row.account.address),
            row.balance.to_string(),
            row.tainted.to_string(),
            row.hops.to_string(),
            row.frozen.to_string(),
        ]
    });
    let columns = ["case", "chain", "address", "balance", "tainted", "hops", "frozen"];
    table(path, "taint.csv", &columns, rows.collect())
}

/// The columns of the books of a case, in this order.
const SUMS: [&str; 8] =
    ["emitted", "held", "frozen", "service", "redeemed", "destroyed", "dust", "horizon"];

fn sums(t: &CaseTotals) -> [String; 8] {
    let service = t.service();
    [t.emitted, t.held, t.frozen, service, t.redeemed, t.destroyed, t.dust, t.horizon]
        .map(|units| units.to_string())
}

/// `ledger_history.csv`.
fn write_ledgers(
    path: &Path,
    ledgers: &BTreeMap<(String, Chain, String), CaseLedger>,
) -> anyhow::Result<()> {
    let rows = ledgers.iter().map(|((case, chain, day), ledger)| {
        let block = ledger.block.to_string();
        let place = [case.clone(), chain.name().to_owned(), day.clone(), block];
        place.into_iter().chain(sums(&ledger.totals)).collect()
    });
    let columns = [&["case", "chain", "day", "block"], &SUMS[..]].concat();
    table(path, "ledger_history.csv", &columns, rows.collect())
}

/// `cases.csv` and `services.csv`.
fn write_cases(path: &Path, totals: &[(String, CaseTotals)]) -> anyhow::Result<()> {
    let cases = totals
        .iter()
        .map(|(case, totals)| std::iter::once(case.clone()).chain(sums(totals)).collect());
    let columns = [&["case"], &SUMS[..]].concat();
    table(path, "cases.csv", &columns, cases.collect())?;
    let services = totals.iter().flat_map(|(case, totals)| {
        totals
            .services
            .iter()
            .map(move |(entity, units)| vec![case.clone(), entity.clone(), units.to_string()])
    });
    table(path, "services.csv", &["case", "entity", "tainted"], services.collect())
}

/// Writes rows sorted as text by their columns from the left.
pub(super) fn table(
    path: &Path,
    name: &str,
    columns: &[&str],
    mut rows: Vec<Vec<String>>,
) -> anyhow::Result<()> {
    rows.sort();
    let failed = || format!("cannot write {}", path.join(name).display());
    let mut writer = csv::Writer::from_path(path.join(name)).with_context(failed)?;
    writer.write_record(columns).with_context(failed)?;
    for row in rows {
        writer.write_record(row).with_context(failed)?;
    }
    writer.flush().with_context(failed)
}

fn create(path: &Path, name: &str) -> anyhow::Result<BufWriter<File>> {
    let path = path.join(name);
    let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(BufWriter::with_capacity(1 << 18, file))
}

fn line(file: &mut BufWriter<File>, bytes: &[u8]) -> anyhow::Result<()> {
    file.write_all(bytes).and_then(|()| file.write_all(b"\n")).context("cannot write an output")
}
