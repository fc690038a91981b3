//! What several benches of usdt-flow share: an invented long past, the limit that
//! the machine's memory sets, and settings of criterion. The benches lie in
//! `benches/`; the example `growth` shows how times grow, `stream` what a stream
//! takes that is too long for criterion, with its memory.

use std::time::Duration;

use criterion::Criterion;

pub mod limit;
pub mod long_past;
pub mod timing;

/// Criterion with settings by which all benches together take minutes: its usual
/// number of resamples takes longer than most of what is measured.
pub fn criterion() -> Criterion {
    let second = Duration::from_secs(1);
    Criterion::default().nresamples(10_000).warm_up_time(second).measurement_time(3 * second)
}
