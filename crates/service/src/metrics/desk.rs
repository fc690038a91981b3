//! What is measured of the freeze desk.

use flow_core::{
    Chain, DeskTotals, FreezeRank, FreezeRecommendation, FreezeStatus, ranked, smallest_set,
};
use prometheus::{Gauge, Histogram, IntGauge};

use super::chain::float;
use super::{Family, catalog};

/// Seconds from minutes to a month.
const DELAYS: [f64; 12] = [
    60.0,
    300.0,
    900.0,
    3_600.0,
    7_200.0,
    14_400.0,
    28_800.0,
    57_600.0,
    86_400.0,
    259_200.0,
    604_800.0,
    2_592_000.0,
];

/// What becomes of the units of recommendations.
const OUTCOMES: [&str; 3] = ["recommended", "caught", "escaped"];

/// What the open recommendations are worth.
const WORTH: [&str; 3] = ["claimed", "expected", "clean"];

/// The share of what is expected that the smallest set is to catch.
const SET_SHARE_PPM: u32 = 900_000;

/// See the module.
#[derive(Debug)]
pub struct DeskMetrics {
    /// By chain, in the order of [`OUTCOMES`].
    units: [[Gauge; OUTCOMES.len()]; Chain::ALL.len()],
    /// By chain, in the order of [`WORTH`].
    worth: [[Gauge; WORTH.len()]; Chain::ALL.len()],
    set: [IntGauge; Chain::ALL.len()],
    recommended: Histogram,
    submitted: Histogram,
    frozen: Histogram,
}

impl DeskMetrics {
    pub(super) fn new(family: &Family) -> DeskMetrics {
        DeskMetrics {
            units: Chain::ALL.map(family.units_by(catalog::FREEZE_OUTCOMES, "outcome", OUTCOMES)),
            worth: Chain::ALL.map(family.units_by(catalog::FREEZE_WORTH, "worth", WORTH)),
            set: Chain::ALL.map(family.level(catalog::FREEZE_SET)),
            recommended: family.histogram(catalog::FREEZE_RECOMMENDED, &DELAYS),
            submitted: family.histogram(catalog::FREEZE_SUBMITTED, &DELAYS),
            frozen: family.histogram(catalog::FREEZE_FROZEN, &DELAYS),
        }
    }

    /// The desk of a chain as it stands.
    pub fn stands(&self, chain: Chain, totals: &DeskTotals) {
        let units = [totals.recommended, totals.caught, totals.escaped];
        for (gauge, units) in self.units[chain.index()].iter().zip(units) {
            gauge.set(float(units));
        }
    }

    /// What could be frozen on a chain now, by its ranking.
    pub fn could_freeze(&self, chain: Chain, ranks: &[FreezeRank]) {
        let ranking = ranked(ranks, None);
        let mut sums = [0_u128; WORTH.len()];
        for (_, claimed, worth) in &ranking {
            for (sum, units) in sums.iter_mut().zip([*claimed, worth.expected, worth.clean]) {
                *sum += u128::from(units);
            }
        }
        for (gauge, units) in self.worth[chain.index()].iter().zip(sums) {
            gauge.set(float(units));
        }
        let set = smallest_set(&ranking, SET_SHARE_PPM).len();
        self.set[chain.index()].set(i64::try_from(set).unwrap_or(i64::MAX));
    }

    /// A record is told: how long it took, where it is the first of its kind.
    pub fn told(&self, record: &FreezeRecommendation) {
        let progress = &record.progress;
        let Some(arrived) = progress.arrived_ms else { return };
        let now = record.timestamp_ms;
        let stage = match record.status {
            FreezeStatus::Raised => &self.recommended,
            FreezeStatus::Submitted
                if progress.submission.is_some_and(|told| told.timestamp_ms == now) =>
            {
                &self.submitted
            }
            FreezeStatus::Frozen if progress.frozen_ms == Some(now) => &self.frozen,
            _ => return,
        };
        let seconds = u32::try_from(now.saturating_sub(arrived) / 1_000).unwrap_or(u32::MAX);
        stage.observe(f64::from(seconds));
    }
}
