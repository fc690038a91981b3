//! The sum behind a hop, in words and numbers that a person can do again.

use flow_core::{Amount, Hop, Policy};

/// Runs of units that are named one by one.
const RUNS_NAMED: usize = 8;

/// Why the hop moved so many tainted units. All amounts in base units; `runs`
/// as of [`flow_core::Trace::runs`].
pub(super) fn arithmetic(policy: Policy, hop: &Hop, runs: &[(Amount, Amount)]) -> String {
    let Hop { amount: a, before: b, tainted_before: t, moved: m, .. } = *hop;
    if hop.marked {
        return format!("the transfer is itself a source: all {a} units are tainted");
    }
    match policy {
        Policy::Haircut => format!("floor(t × a / b) = floor({t} × {a} / {b}) = {m}"),
        Policy::DirtyFirst => format!("min(t, a) = min({t}, {a}) = {m}"),
        Policy::DirtyLast => {
            format!("t − min(t, b − a) = {t} − min({t}, {b} − {a}) = {m}")
        }
        Policy::Poison => format!("the sender was touched: all {a} units count as tainted"),
        Policy::Fifo => format!(
            "units 1 to {a} of the queue of {b} leave, the oldest first; tainted are {} = {m}",
            ranges(runs, |first, last| format!("{first} to {last}"))
        ),
        Policy::Lifo => format!(
            "units {b} down to {} of the stack of {b} leave, the newest first; tainted are {} = {m}",
            b - a + 1,
            ranges(runs, |first, last| format!("{} down to {}", b - first + 1, b - last + 1))
        ),
    }
}

/// Runs by their first and last unit, counted from 1 in the order of leaving.
fn ranges(runs: &[(Amount, Amount)], range: impl Fn(Amount, Amount) -> String) -> String {
    let named = runs.iter().take(RUNS_NAMED).map(|(start, len)| range(start + 1, start + len));
    let mut text = named.collect::<Vec<_>>().join(", ");
    if let Some(more) = runs.len().checked_sub(RUNS_NAMED).filter(|more| *more > 0) {
        text.push_str(&format!(" and {more} more runs"));
    }
    text
}

/// Base units as USDT, with thousands separators and six decimals.
pub(crate) fn usdt(units: impl Into<i128>) -> String {
    let units: i128 = units.into();
    let (sign, units) = (if units < 0 { "-" } else { "" }, units.unsigned_abs());
    let whole = (units / 1_000_000).to_string();
    let mut grouped = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{sign}{grouped}.{:06}", units % 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_grouped_and_exact() {
        assert_eq!(usdt(0), "0.000000");
        assert_eq!(usdt(999_999_999), "999.999999");
        assert_eq!(usdt(1_234_567_000_001_i128), "1,234,567.000001");
        assert_eq!(usdt(-5), "-0.000005");
        assert_eq!(usdt(u64::MAX), "18,446,744,073,709.551615");
    }
}
