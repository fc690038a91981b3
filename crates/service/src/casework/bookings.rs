//! What people booked by hand: money seized or recovered for a case.
//!
//! What always holds: bookings are statements of people and stand beside the
//! traced ledger; they never change it. A file of bookings is only ever appended
//! to, and is read whole before that.

use std::fs::OpenOptions;
use std::path::Path;

use anyhow::{Context, bail, ensure};
use flow_core::Chain;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::report::Explain;
use crate::trace::words::usdt;

/// Decimal places of USDT.
const DECIMALS: usize = 6;

/// What a booking says happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BookingKind {
    /// The money is in the hands of an authority.
    Seized,
    /// The victims have it back.
    Recovered,
}

impl BookingKind {
    /// The name used in files.
    pub const fn name(self) -> &'static str {
        match self {
            BookingKind::Seized => "seized",
            BookingKind::Recovered => "recovered",
        }
    }
}

/// One line of a file of bookings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Booking {
    /// The case.
    pub case: String,
    /// The chain on which the money was.
    pub chain: String,
    /// What happened.
    pub kind: BookingKind,
    /// USDT, with up to six decimals.
    pub amount: String,
    /// The day, `YYYY-MM-DD`.
    pub date: String,
    /// The number of the document that says so.
    pub reference: String,
    /// Whatever else is to be said.
    #[serde(default)]
    pub note: String,
}

impl Booking {
    /// Base units of the amount.
    ///
    /// # Errors
    /// If it is no amount of USDT.
    pub fn units(&self) -> anyhow::Result<u64> {
        base_units(&self.amount)
    }

    /// Says what is wrong with it, if anything is.
    ///
    /// # Errors
    /// Names the field.
    pub fn check(&self) -> anyhow::Result<()> {
        ensure!(!self.case.is_empty(), "the case is empty");
        let chains = Chain::ALL.map(Chain::name).join(" or ");
        ensure!(Chain::from_name(&self.chain).is_some(), "{:?} is not {chains}", self.chain);
        ensure!(self.units()? > 0, "the amount is 0");
        ensure!(is_date(&self.date), "{:?} is no date of the form YYYY-MM-DD", self.date);
        ensure!(!self.reference.trim().is_empty(), "the reference is empty");
        Ok(())
    }
}

/// An amount of USDT, as in `1000.50`, in base units.
fn base_units(text: &str) -> anyhow::Result<u64> {
    let wrong = || format!("{text:?} is no amount of USDT with at most {DECIMALS} decimals");
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    ensure!(digits(whole) && digits(part) && part.len() <= DECIMALS, wrong());
    format!("{whole}{part:0<DECIMALS$}").parse().with_context(wrong)
}

/// Whether that is a day of the calendar, `YYYY-MM-DD`.
fn is_date(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let number = |text: &str, digits| {
        let all = text.len() == digits && text.bytes().all(|b| b.is_ascii_digit());
        all.then(|| text.parse::<u32>().ok()).flatten()
    };
    let [year, month, day] = parts.as_slice() else { return false };
    let (Some(year), Some(month), Some(day)) = (number(year, 4), number(month, 2), number(day, 2))
    else {
        return false;
    };
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return false,
    };
    (1..=days).contains(&day)
}

/// Reads a file of bookings, in its order.
///
/// # Errors
/// Names the file, the line and what is wrong there.
pub fn read(path: &Path) -> anyhow::Result<Vec<Booking>> {
    let mut reader = csv::Reader::from_path(path).explain(
        format!("cannot read the bookings in {}", path.display()),
        "usdt-flow case book writes such a file",
    )?;
    let mut bookings = Vec::new();
    for (line, row) in (2..).zip(reader.deserialize()) {
        let place = || format!("{} line {line}", path.display());
        let booking: Booking = row.with_context(place)?;
        booking.check().with_context(place)?;
        bookings.push(booking);
    }
    Ok(bookings)
}

/// Reads several files.
///
/// # Errors
/// As [`read`].
pub fn read_all(paths: &[std::path::PathBuf]) -> anyhow::Result<Vec<Booking>> {
    let mut all = Vec::new();
    for path in paths {
        all.extend(read(path)?);
    }
    Ok(all)
}

/// Appends a booking to the file, which is made if there is none.
///
/// # Errors
/// If the booking or the file cannot be, or the same stands there already.
pub fn append(path: &Path, booking: &Booking) -> anyhow::Result<()> {
    booking.check()?;
    let is_new = !path.exists();
    if !is_new && read(path)?.contains(booking) {
        bail!("{} holds that booking already", path.display());
    }
    let failed = || format!("cannot write {}", path.display());
    let file = OpenOptions::new().create(true).append(true).open(path).with_context(failed)?;
    let mut writer = csv::WriterBuilder::new().has_headers(is_new).from_writer(file);
    writer.serialize(booking).with_context(failed)?;
    writer.flush().with_context(failed)
}

/// What was booked of a case, in base units.
///
/// # Errors
/// If an amount is none.
pub fn sum(bookings: &[Booking], case: &str, kind: BookingKind) -> anyhow::Result<u128> {
    let mine = bookings.iter().filter(|booking| booking.case == case && booking.kind == kind);
    mine.map(|booking| booking.units().map(u128::from)).sum()
}

/// What was booked of a case, for programs.
///
/// # Errors
/// If an amount is none.
pub fn summary(bookings: &[Booking], case: &str) -> anyhow::Result<Value> {
    let units = |kind| anyhow::Ok(sum(bookings, case, kind)?.to_string());
    let mine: Vec<&Booking> = bookings.iter().filter(|booking| booking.case == case).collect();
    Ok(json!({
        "seized": units(BookingKind::Seized)?,
        "recovered": units(BookingKind::Recovered)?,
        "bookings": mine,
    }))
}

/// What was booked of a case, a line each, for people.
///
/// # Errors
/// If an amount is none.
pub fn lines(bookings: &[Booking], case: &str) -> anyhow::Result<Vec<String>> {
    let mine = bookings.iter().filter(|booking| booking.case == case);
    let line = |booking: &Booking| {
        let Booking { chain, kind, date, reference, note, .. } = booking;
        let (amount, kind) = (usdt(booking.units()?), kind.name());
        let line = format!("{date}  {chain:<8}  {kind:<9}  {amount:>26} USDT  {reference}  {note}");
        anyhow::Ok(line.trim_end().to_owned())
    };
    mine.map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn booking(amount: &str) -> Booking {
        Booking {
            case: "theft-1".to_owned(),
            chain: "tron".to_owned(),
            kind: BookingKind::Seized,
            amount: amount.to_owned(),
            date: "2026-02-28".to_owned(),
            reference: "12 Js 345/26".to_owned(),
            note: "by court order, \"all\"".to_owned(),
        }
    }

    #[test]
    fn amounts_are_exact_or_refused() {
        let units = |text| base_units(text).ok();
        assert_eq!(units("1000.50"), Some(1_000_500_000));
        assert_eq!(units("0.000001"), Some(1));
        assert_eq!(units("18446744073709.551615"), Some(u64::MAX));
        for wrong in ["", ".5", "5.", "1.0000001", "-1", "1e3", "1,000", "18446744073709.551616"] {
            assert_eq!(units(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn days_are_of_the_calendar() {
        assert!(["2024-02-29", "2026-12-31"].into_iter().all(is_date));
        let wrong = ["2026-02-29", "2026-13-01", "26-01-01", "2026-1-1", "2026-01-00", "today"];
        assert!(!wrong.into_iter().any(is_date));
    }

    #[test]
    fn a_file_is_appended_to_and_never_told_the_same_twice() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bookings.csv");
        append(&path, &booking("1000.50")).unwrap();
        let recovered = Booking { kind: BookingKind::Recovered, ..booking("250") };
        append(&path, &recovered).unwrap();
        assert!(append(&path, &recovered).unwrap_err().to_string().contains("already"));
        let read = read(&path).unwrap();
        assert_eq!(read, [booking("1000.50"), recovered]);
        assert_eq!(sum(&read, "theft-1", BookingKind::Seized).unwrap(), 1_000_500_000);
        assert_eq!(sum(&read, "theft-2", BookingKind::Seized).unwrap(), 0);
        let wrong = Booking { reference: " ".to_owned(), ..booking("1") };
        assert!(append(&path, &wrong).is_err());
    }

    #[test]
    fn a_line_that_is_wrong_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bookings.csv");
        let rows = "case,chain,kind,amount,date,reference,note\na,tron,lost,1,2026-01-01,x,\n";
        std::fs::write(&path, rows).unwrap();
        assert!(format!("{:#}", read(&path).unwrap_err()).contains("line 2"));
    }
}
