//! Sums and counts that events can go on adding to without ever overflowing.

use super::must;
use crate::CaseTotals;
use crate::image::{RestoreError, format};

/// Fewer than 2^32 transfers move fewer than 2^64 units each; as much again is
/// left for what comes.
const UNITS_MAX: u128 = 1 << 100;

/// No run ever counts as far.
const COUNT_MAX: u64 = 1 << 62;

pub(super) fn counts(sums: &format::Sums) -> Result<(), RestoreError> {
    let counts = [sums.accounts, sums.zero_transfers, sums.self_transfers];
    must(counts.iter().all(|count| *count <= COUNT_MAX), "a count is too large")?;
    must(sums.opening_units <= UNITS_MAX, "a sum is too large")
}

pub(super) fn totals(totals: &CaseTotals) -> Result<(), RestoreError> {
    let CaseTotals { emitted, held, frozen, services, redeemed, destroyed, dust, horizon } = totals;
    let parts = [emitted, held, frozen, redeemed, destroyed, dust, horizon];
    let mut all = parts.into_iter().chain(services.values());
    let sum = all.try_fold(0_u128, |sum, part| sum.checked_add(*part));
    must(sum.is_some_and(|sum| sum <= UNITS_MAX), "a sum is too large")
}
