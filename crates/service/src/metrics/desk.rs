//! What is measured of the freeze desk.

use flow_core::{Chain, DeskTotals, FreezeRecommendation, FreezeStatus};
use prometheus::{Gauge, Histogram};

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

/// See the module.
#[derive(Debug)]
pub struct DeskMetrics {
    /// By chain, in the order of [`OUTCOMES`].
    units: [[Gauge; OUTCOMES.len()]; Chain::ALL.len()],
    recommended: Histogram,
    submitted: Histogram,
    frozen: Histogram,
}

impl DeskMetrics {
    pub(super) fn new(family: &Family) -> DeskMetrics {
        DeskMetrics {
            units: Chain::ALL.map(family.units_by(catalog::FREEZE_OUTCOMES, "outcome", OUTCOMES)),
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
