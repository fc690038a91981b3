//! What is handed on about a case: a case file for a prosecutor, and a request
//! to freeze for whoever can.
//!
//! What always holds: the same past, cases, labels and options give the same
//! bytes, so nothing comes from the wall clock; amounts are exact; text that
//! others wrote (titles, labels, names of files) is escaped wherever it goes.

pub mod bookings;
pub mod document;
pub mod dsse;
mod html;
pub mod inputs;
pub mod letter;
mod markdown;
mod method;
pub mod packet;
pub mod report;
pub mod standing;
pub mod trail;

use crate::trace::usdt;

/// How amounts are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// USDT with six decimals.
    Usdt,
    /// Base units, of which one USDT has a million.
    Base,
}

impl Unit {
    /// The amount in this unit.
    pub fn of(self, units: impl Into<u128>) -> String {
        let units: u128 = units.into();
        match self {
            Unit::Usdt => usdt(i128::try_from(units).unwrap_or(i128::MAX)),
            Unit::Base => units.to_string(),
        }
    }

    /// What stands above a column of amounts.
    pub const fn name(self) -> &'static str {
        match self {
            Unit::Usdt => "USDT",
            Unit::Base => "base units",
        }
    }
}

/// Parts per million as a percentage with four decimals.
pub fn percent(ppm: u64) -> String {
    format!("{}.{:04} %", ppm / 10_000, ppm % 10_000)
}

#[cfg(test)]
mod tests {
    use flow_codec::wire::share_ppm;

    use super::*;

    #[test]
    fn shares_are_rounded_down_and_written_exactly() {
        assert_eq!(percent(share_ppm(1, 3)), "33.3333 %");
        assert_eq!(percent(share_ppm(5, 5)), "100.0000 %");
        assert_eq!(percent(share_ppm(1, u64::MAX)), "0.0000 %");
        assert_eq!(share_ppm(0, 0), 0);
        assert_eq!(Unit::Usdt.of(1_234_567_890_u64), "1,234.567890");
        assert_eq!(Unit::Base.of(1_234_567_890_u64), "1234567890");
    }
}
