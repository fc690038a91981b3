//! Unix milliseconds as RFC 3339 in UTC, by exact integer arithmetic.

const MS_PER_DAY: u64 = 86_400_000;
const DAYS_PER_ERA: u64 = 146_097;
const DAYS_FROM_0000_03_01_TO_1970: u64 = 719_468;

/// The time as RFC 3339 in UTC with milliseconds, for example
/// `2023-11-27T00:49:24.000Z`.
pub fn rfc3339_utc(unix_ms: u64) -> String {
    let (year, month, day) = civil_date(unix_ms / MS_PER_DAY);
    let ms = unix_ms % MS_PER_DAY;
    let (seconds, ms) = (ms / 1_000, ms % 1_000);
    let (minutes, second) = (seconds / 60, seconds % 60);
    let (hour, minute) = (minutes / 60, minutes % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
}

/// Year, month and day of a count of days since 1970-01-01.
///
/// The calendar repeats every 400 years (an era). Years are taken to begin in
/// March, so that the leap day comes last and month lengths follow one rule.
fn civil_date(days_since_1970: u64) -> (u64, u64, u64) {
    let days = days_since_1970 + DAYS_FROM_0000_03_01_TO_1970;
    let (era, day_of_era) = (days / DAYS_PER_ERA, days % DAYS_PER_ERA);
    // Leap days before that day: one each 4 years but the 100th, and the 400th.
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // Five months from March take 153 days, and again from August.
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

/// Unix milliseconds of a time that [`rfc3339_utc`] wrote; of no other spelling.
pub(super) fn parse_rfc3339_utc(text: &str) -> Option<u64> {
    let (date, time) = text.split_once('T')?;
    let mut date = date.split('-').map(|part| part.parse::<u64>().ok());
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let mut time = time.strip_suffix('Z')?.split([':', '.']).map(|part| part.parse().ok());
    let mut part = || time.next().flatten();
    let (hour, minute, second, ms): (u64, u64, u64, u64) = (part()?, part()?, part()?, part()?);
    let seconds =
        (hour.checked_mul(60)?.checked_add(minute)?).checked_mul(60)?.checked_add(second)?;
    let unix_ms = days_since_1970(year, month, day)?
        .checked_mul(MS_PER_DAY)?
        .checked_add(seconds.checked_mul(1_000)?)?
        .checked_add(ms)?;
    // What is out of range or spelled otherwise is written differently.
    (rfc3339_utc(unix_ms) == text).then_some(unix_ms)
}

/// The inverse of [`civil_date`], for dates from 1970 on.
fn days_since_1970(year: u64, month: u64, day: u64) -> Option<u64> {
    let year_from_march = year.checked_sub(u64::from(month <= 2))?;
    let month_from_march = (month.checked_add(9)?) % 12;
    let (era, year_of_era) = (year_from_march / 400, year_from_march % 400);
    let day_of_year = ((153 * month_from_march + 2) / 5).checked_add(day)?.checked_sub(1)?;
    let leap_days = year_of_era / 4 - year_of_era / 100;
    let day_of_era = (365 * year_of_era + leap_days).checked_add(day_of_year)?;
    let days = era.checked_mul(DAYS_PER_ERA)?.checked_add(day_of_era)?;
    days.checked_sub(DAYS_FROM_0000_03_01_TO_1970)
}

#[cfg(test)]
mod tests {
    use super::{MS_PER_DAY, civil_date, parse_rfc3339_utc, rfc3339_utc};

    #[test]
    fn what_is_written_reads_back_and_nothing_else_does() {
        for days in 0..200_000 {
            let unix_ms = days * MS_PER_DAY + days;
            assert_eq!(parse_rfc3339_utc(&rfc3339_utc(unix_ms)), Some(unix_ms));
        }
        assert_eq!(parse_rfc3339_utc(&rfc3339_utc(u64::MAX)), Some(u64::MAX));
        for bad in [
            "",
            "2023-11-27",
            "2023-11-27T00:49:24Z",
            "2023-11-27T00:49:24.000",
            "2023-11-27T00:49:24.000+00:00",
            "2023-02-29T00:00:00.000Z",
            "2023-00-01T00:00:00.000Z",
            "2023-11-27T24:00:00.000Z",
            "2023-11-27T00:49:24.000.0Z",
            "1969-12-31T23:59:59.999Z",
            "18446744073709551615-01-01T00:00:00.000Z",
            "2023-18446744073709551615-18446744073709551615T00:00:00.000Z",
        ] {
            assert_eq!(parse_rfc3339_utc(bad), None, "{bad}");
        }
    }

    #[test]
    fn known_times() {
        assert_eq!(rfc3339_utc(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339_utc(951_782_399_999), "2000-02-28T23:59:59.999Z");
        assert_eq!(rfc3339_utc(951_782_400_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(rfc3339_utc(1_683_029_999_000), "2023-05-02T12:19:59.000Z");
        assert_eq!(rfc3339_utc(1_701_046_164_000), "2023-11-27T00:49:24.000Z");
        assert_eq!(rfc3339_utc(1_767_225_600_000), "2026-01-01T00:00:00.000Z");
        assert_eq!(rfc3339_utc(4_107_542_400_001), "2100-03-01T00:00:00.001Z");
    }

    #[test]
    fn each_day_of_two_eras_follows_the_day_before() {
        let is_leap = |year: u64| {
            year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
        };
        let mut expected = (1970, 1, 1);
        for days in 0..2 * super::DAYS_PER_ERA {
            assert_eq!(civil_date(days), expected);
            let (year, month, day) = expected;
            let length = match month {
                2 => 28 + u64::from(is_leap(year)),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            expected = match (month, day) {
                (12, 31) => (year + 1, 1, 1),
                (_, last) if last == length => (year, month + 1, 1),
                _ => (year, month, day + 1),
            };
        }
    }

    #[test]
    fn the_last_representable_time_does_not_overflow() {
        assert_eq!(rfc3339_utc(u64::MAX), "584556019-04-03T14:25:51.615Z");
    }
}
