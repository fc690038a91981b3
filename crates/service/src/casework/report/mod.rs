//! The case file: what became of the money of a case, for a reader in court.

mod ends;
mod money;
mod paths;

pub(super) use paths::trail_rows;

use flow_codec::wire::share_ppm;
use flow_codec::{address, wire};
use flow_core::{Case, Chain, EngineConfig, Past, Policy, Source, Trace};

use super::bookings::Booking;
use super::document::{Document, Text, figures, words};
use super::inputs::Input;
use super::standing::{Advice, Standing, standing};
use super::{Unit, percent};
use crate::trace::ledger::Ledger;
use crate::trace::names;

/// What the reader is told beside the findings, and how much of these.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The file number of the police or the prosecutor.
    pub reference: Option<String>,
    /// Who prepared it.
    pub author: Option<String>,
    /// The date on it, as its author writes it.
    pub date: Option<String>,
    /// How amounts are written.
    pub unit: Unit,
    /// So many wallets are listed one by one.
    pub wallets: usize,
    /// To so many wallets, and so many accounts of services, the trail is shown.
    pub trails: usize,
    /// So many trails to each.
    pub k: usize,
    /// What was booked by hand, of whatever case.
    pub bookings: Vec<Booking>,
    /// What the figures rest on.
    pub inputs: Vec<Input>,
    /// The command that gives the same again.
    pub command: String,
}

/// A case file in the making.
struct Report<'a> {
    past: &'a mut Past,
    ledger: &'a Ledger,
    config: &'a EngineConfig,
    frame: &'a Frame,
    standing: Standing,
    document: Document,
}

/// The case file of a case that was traced.
///
/// # Errors
/// If the past cannot be read.
pub fn report(
    past: &mut Past,
    ledger: &Ledger,
    config: &EngineConfig,
    frame: &Frame,
) -> anyhow::Result<Document> {
    let (case, trace) = ledger.traced();
    let standing = standing(past, trace, config)?;
    let name = case.title.as_ref().unwrap_or(&case.id);
    let document = Document::new(format!("Case file: {name}"));
    let mut report = Report { past, ledger, config, frame, standing, document };
    report.summary()?;
    report.sources()?;
    report.money();
    report.booked()?;
    report.wallets();
    report.freezing()?;
    report.trails()?;
    report.method();
    report.again();
    Ok(report.document)
}

impl Report<'_> {
    fn case(&self) -> &Case {
        self.ledger.traced().0
    }

    fn trace(&self) -> &Trace {
        self.ledger.traced().1
    }

    /// An amount with its unit.
    fn told(&self, units: impl Into<u128>) -> String {
        format!("{} {}", self.frame.unit.of(units), self.frame.unit.name())
    }

    fn summary(&mut self) -> anyhow::Result<()> {
        let (case, frame) = (self.case(), self.frame);
        let mut facts = vec![vec![Text::plain("Case"), Text::code(&case.id)]];
        let optional = [
            ("Category", &case.category),
            ("Reference", &frame.reference),
            ("Prepared by", &frame.author),
            ("Date", &frame.date),
        ];
        for (name, value) in optional {
            facts.extend(value.as_ref().map(|value| vec![name.into(), Text::plain(value)]));
        }
        for chain in Chain::ALL {
            if self.past.covered(chain)?.is_some() {
                let told = names::covers(self.past, chain)?;
                let told = told.strip_prefix("it covers ").unwrap_or(&told).to_owned();
                facts.push(vec!["Transfers looked at".into(), told.into()]);
            }
        }
        let policy = self.trace().policy.name();
        facts.push(vec!["Rule of attribution".into(), Text::plain(policy).and(", see Method")]);
        let points = self.findings();
        self.document.chapter("Summary");
        self.document.table(&[], facts);
        self.document.list(points);
        Ok(())
    }

    /// What was found, in a few sentences.
    fn findings(&self) -> Vec<Text> {
        let (totals, standing) = (&self.trace().totals, &self.standing);
        let of = |units: u128| self.told(units);
        let frozen = standing.wallets.iter().filter(|wallet| wallet.advice == Advice::Frozen);
        let frozen = frozen.count();
        let emitted = format!("{} became tainted at the sources of the case.", of(totals.emitted));
        let mut points = vec![Text::plain(emitted)];
        let others = standing.wallets.len() - frozen;
        points.push(Text::plain(format!(
            "{} are in {} not frozen.",
            of(totals.held),
            count(others, "wallet that is", "wallets that are")
        )));
        if frozen > 0 {
            points.push(Text::plain(format!(
                "{} are in {} that the issuer has frozen.",
                of(totals.frozen),
                count(frozen, "wallet", "wallets")
            )));
        }
        for (entity, units) in &totals.services {
            points.push(Text::plain(format!("{} reached {entity}.", of(*units))));
        }
        for (units, what) in [
            (totals.destroyed, "were destroyed by the issuer"),
            (totals.redeemed, "were redeemed"),
            (totals.dust, "arrived in lots too small to follow"),
            (totals.horizon, "went further than the case is followed"),
        ] {
            if units > 0 {
                points.push(Text::plain(format!("{} {what}.", of(units))));
            }
        }
        let asked: Vec<_> = standing
            .wallets
            .iter()
            .filter(|wallet| matches!(wallet.advice, Advice::AskIssuer | Advice::AskService))
            .collect();
        let tainted: u128 = asked.iter().map(|wallet| u128::from(wallet.tainted)).sum();
        let services = standing.services.iter().filter(|service| service.ask).count();
        points.push(Text::plain(format!(
            "Recommended to be frozen: {} with {} of tainted units. To be asked about at \
             services: {}. See What to freeze.",
            count(asked.len(), "wallet", "wallets"),
            of(tainted),
            count(services, "account", "accounts"),
        )));
        points
    }

    fn sources(&mut self) -> anyhow::Result<()> {
        let case = self.case().clone();
        self.document.chapter("Where the money comes from");
        self.document.say(
            "The sources of the case are a premise of this file and not a finding: that the units \
             below come from the crime has to be shown by other evidence.",
        );
        let mut rows = Vec::new();
        for source in &case.sources {
            rows.push(match *source {
                Source::Wallet { account, since_block } => {
                    let since = match since_block {
                        0 => "all that it held and received".to_owned(),
                        block => format!("all that it held and received from block {block} on"),
                    };
                    let seen = match self.past.find(account) {
                        Some(_) => "",
                        None => "; it was never seen in the transfers looked at",
                    };
                    vec!["wallet".into(), name(account), format!("{since}{seen}").into()]
                }
                Source::Transfer { chain, tx, log_index } => {
                    let told = self.past.transfers_of(chain, &tx)?;
                    let found = told.iter().find(|facts| facts.log_index == Some(log_index));
                    let moved = match found {
                        None => "it was never seen in the transfers looked at".to_owned(),
                        Some(facts) => format!("the {} that it moved", self.told(facts.amount)),
                    };
                    let place = Text::code(address::format_tx(chain, tx));
                    let place = place.next_line().and(format!("{chain}, log {log_index}"));
                    vec!["transfer".into(), place, moved.into()]
                }
            });
        }
        self.document.table(&[words("source"), words("which"), words("tainted")], rows);
        let mut limits = Vec::new();
        if case.min_units > 0 {
            let least = self.told(case.min_units);
            limits.push(format!("Arrivals of less than {least} are not followed further (dust)."));
        }
        if let Some(most) = case.max_hops {
            limits.push(format!("Units are followed over {most} transfers (horizon)."));
        }
        self.document
            .parts
            .extend(limits.into_iter().map(|limit| super::document::Part::Paragraph(limit.into())));
        Ok(())
    }
}

/// An account with its chain.
fn name(account: flow_core::AccountKey) -> Text {
    let address = address::format(account.chain, account.address);
    Text::code(address).next_line().and(account.chain.name())
}

/// Block time to the second.
fn time(ms: u64) -> String {
    let text = wire::rfc3339_utc(ms);
    let (seconds, _) = text.split_once('.').unwrap_or((&text, ""));
    format!("{} UTC", seconds.replace('T', " "))
}

/// Block time on two lines of a cell.
fn day_and_time(ms: u64) -> Text {
    let text = time(ms);
    let (day, rest) = text.split_once(' ').unwrap_or((&text, ""));
    Text::plain(day).next_line().and(rest)
}

/// So many of a thing, in words.
fn count(many: usize, one: &str, several: &str) -> String {
    format!("{many} {}", if many == 1 { one } else { several })
}

/// A share of a whole as a percentage.
fn share(part: u64, whole: u64) -> String {
    percent(share_ppm(part, whole))
}

/// Whether the books of a trace have to add up.
const fn adds_up(policy: Policy) -> bool {
    !matches!(policy, Policy::Poison)
}

/// Columns of words and figures, by name; figures end with a colon here.
pub(super) fn columns(names: &[&'static str]) -> Vec<super::document::Column> {
    let column = |name: &&'static str| match name.strip_suffix(':') {
        Some(name) => figures(name),
        None => words(name),
    };
    names.iter().map(column).collect()
}
