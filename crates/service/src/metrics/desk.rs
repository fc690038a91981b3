//! What is measured of the freeze desk.

use flow_core::{Chain, DeskTotals, FreezeRecommendation, FreezeStatus};
use prometheus::{Histogram, IntGaugeVec};

use super::{Family, options};

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

/// See the module.
#[derive(Debug)]
pub struct DeskMetrics {
    /// By chain and status.
    state: IntGaugeVec,
    /// By chain and outcome.
    units: IntGaugeVec,
    recommended: Histogram,
    submitted: Histogram,
    frozen: Histogram,
}

impl DeskMetrics {
    pub(super) fn new(family: &Family) -> DeskMetrics {
        let by = |name: &str, help: &str, label: &str, values: &[&str]| {
            let gauges = IntGaugeVec::new(options(name, help), &["chain", label]);
            let gauges = family.register(gauges);
            for chain in Chain::ALL {
                for value in values {
                    gauges.with_label_values(&[chain.name(), *value]).set(0);
                }
            }
            gauges
        };
        let delay = |name: &str, help: &str| family.histogram(name, help, &DELAYS);
        DeskMetrics {
            state: by(
                "freeze_state",
                "Accounts that were ever recommended, by what was told of them last",
                "status",
                &FreezeStatus::ALL.map(FreezeStatus::name),
            ),
            units: by(
                "freeze_units",
                "Tainted base units that were recommended, caught by a freeze, or left before",
                "outcome",
                &["recommended", "caught", "escaped"],
            ),
            recommended: delay(
                "freeze_recommended_seconds",
                "Block time from the first tainted arrival to the recommendation",
            ),
            submitted: delay(
                "freeze_submitted_seconds",
                "Block time from the first tainted arrival to the submission of a freeze",
            ),
            frozen: delay(
                "freeze_frozen_seconds",
                "Block time from the first tainted arrival to the freeze",
            ),
        }
    }

    /// The desk of a chain as it stands.
    pub fn stands(&self, chain: Chain, totals: &DeskTotals) {
        for (status, count) in FreezeStatus::ALL.iter().zip(totals.by_status) {
            let gauge = self.state.with_label_values(&[chain.name(), status.name()]);
            gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        let units = [
            ("recommended", totals.recommended),
            ("caught", totals.caught),
            ("escaped", totals.escaped),
        ];
        for (outcome, units) in units {
            let gauge = self.units.with_label_values(&[chain.name(), outcome]);
            gauge.set(i64::try_from(units).unwrap_or(i64::MAX));
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
