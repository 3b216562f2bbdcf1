//! Quotas of usage plans: when a period begins and what is left of it (API Gateway developer guide, "Usage plans", 2026-11).
//! The one place that decides it, for traffic and for what `GetUsage` shows. Days are counted since 1970-01-01 in UTC.
//!
//! Who counts requests, and when they are written down, is not decided here.

use crate::resource::usage_plan::{Quota, QuotaPeriod, Usage};
use crate::time::Moment;

const MS_A_DAY: i64 = 86_400_000;
/// 1970-01-01 was the fifth day of a week that begins on Sunday.
const FIRST_WEEKDAY: u32 = 4;

/// The day of a moment; the first one for every moment before it.
#[must_use]
pub fn day(moment: Moment) -> u32 {
    u32::try_from(moment.0.div_euclid(MS_A_DAY)).unwrap_or(0)
}

impl QuotaPeriod {
    /// The first day of the period that `day` is in.
    #[must_use]
    pub fn first_day(self, day: u32) -> u32 {
        match self {
            Self::Day => day,
            Self::Week => day.saturating_sub((day + FIRST_WEEKDAY) % 7),
            Self::Month => day + 1 - Date::of_day(day).day,
        }
    }
}

impl Quota {
    /// Requests that a key may make in the period that `day` is in: its limit, less the offset in the key's first period, and
    /// what was granted or taken for this one.
    #[must_use]
    pub fn allowance(&self, usage: &Usage, added: Moment, on: u32) -> u64 {
        let first = self.period.first_day(on);
        let is_first_period = self.period.first_day(day(added)) == first;
        let offset = if is_first_period { self.offset } else { 0 };
        let granted = usage.granted.filter(|(period, _)| *period == first).map_or(0, |(_, more)| more);
        self.limit.saturating_sub(offset).saturating_add_signed(granted)
    }

    /// Requests that are left at the end of the day `on`.
    #[must_use]
    pub fn remaining(&self, usage: &Usage, added: Moment, on: u32) -> u64 {
        let used: u64 = usage.days.range(self.period.first_day(on)..=on).map(|(_, used)| *used).sum();
        self.allowance(usage, added, on).saturating_sub(used)
    }
}

/// A day of the civil calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    /// The year.
    pub year: u32,
    /// The month, from 1.
    pub month: u32,
    /// The day of the month, from 1.
    pub day: u32,
}

/// Days of 400 years, after which the calendar repeats itself.
const DAYS_OF_ERA: u32 = 146_097;
/// Days from 0000-03-01, where the years of the reckoning begin, to 1970-01-01.
const DAYS_BEFORE_1970: u32 = 719_468;

impl Date {
    /// The date of a day. Years begin in March in this reckoning, so that a leap day is the last of its year.
    #[must_use]
    pub fn of_day(day: u32) -> Self {
        let shifted = day.saturating_add(DAYS_BEFORE_1970);
        let (era, of_era) = (shifted / DAYS_OF_ERA, shifted % DAYS_OF_ERA);
        let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        Self { year: era * 400 + year + u32::from(month <= 2), month, day }
    }

    /// The day of a date, or `None` where there is no such day or it is before 1970.
    #[must_use]
    pub fn to_day(self) -> Option<u32> {
        let year = self.year.checked_sub(u32::from(self.month <= 2))?;
        let (era, of_era) = (year / 400, year % 400);
        let month = (self.month + 9) % 12;
        let of_year = (153 * month + 2) / 5 + self.day.checked_sub(1)?;
        let days = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
        let day = era.checked_mul(DAYS_OF_ERA)?.checked_add(days)?.checked_sub(DAYS_BEFORE_1970)?;
        (Self::of_day(day) == self).then_some(day)
    }
}

impl std::fmt::Display for Date {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

/// A text that is no date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoDate;

impl std::str::FromStr for Date {
    type Err = NoDate;
    /// `2026-11-24`
    fn from_str(text: &str) -> Result<Self, NoDate> {
        let digits = |part: &str, length| part.len() == length && part.bytes().all(|b| b.is_ascii_digit());
        let [year, month, day] = text.split('-').collect::<Vec<_>>()[..] else { return Err(NoDate) };
        if !digits(year, 4) || !digits(month, 2) || !digits(day, 2) {
            return Err(NoDate);
        }
        let number = |part: &str| part.parse().map_err(|_| NoDate);
        let date = Self { year: number(year)?, month: number(month)?, day: number(day)? };
        date.to_day().map(|_| date).ok_or(NoDate)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn days_are_dates_and_back() {
        let rows = [
            (0, "1970-01-01"),
            (59, "1970-03-01"),
            (789, "1972-02-29"),
            (11_016, "2000-02-29"),
            (20_781, "2026-11-24"),
            (47_540, "2100-02-28"),
            (47_541, "2100-03-01"),
        ];
        for (day, text) in rows {
            assert_eq!(Date::of_day(day).to_string(), text);
            assert_eq!(text.parse::<Date>().unwrap().to_day(), Some(day), "{text}");
        }
        for text in ["", "2026-02-29", "2026-13-01", "2026-00-01", "2026-01-00", "2026-1-1", "1969-12-31", "+026-01-01"]
        {
            assert_eq!(text.parse::<Date>(), Err(NoDate), "{text}");
        }
    }

    #[test]
    fn periods_begin_at_midnight_on_sundays_and_on_the_first() {
        let day = |text: &str| text.parse::<Date>().unwrap().to_day().unwrap();
        let rows = [
            (QuotaPeriod::Day, "2026-11-24", "2026-11-24"),
            (QuotaPeriod::Week, "2026-11-24", "2026-11-22"),
            (QuotaPeriod::Week, "2026-11-22", "2026-11-22"),
            (QuotaPeriod::Week, "2026-11-21", "2026-11-15"),
            (QuotaPeriod::Month, "2026-11-24", "2026-11-01"),
            (QuotaPeriod::Month, "2026-11-01", "2026-11-01"),
            (QuotaPeriod::Month, "1970-01-05", "1970-01-01"),
        ];
        for (period, on, first) in rows {
            assert_eq!(Date::of_day(period.first_day(day(on))).to_string(), first, "{period:?} {on}");
        }
    }

    #[test]
    fn what_is_left_counts_the_period_its_offset_and_what_was_granted() {
        let quota = Quota { limit: 10, offset: 2, period: QuotaPeriod::Week };
        // 2026-11-22 is a Sunday.
        let sunday = 20_779;
        let added = Moment(i64::from(sunday + 1) * MS_A_DAY);
        let mut usage = Usage { days: BTreeMap::from([(sunday - 1, 9), (sunday, 3), (sunday + 2, 4)]), granted: None };
        assert_eq!(quota.remaining(&usage, added, sunday), 5);
        assert_eq!(quota.remaining(&usage, added, sunday + 2), 1);
        assert_eq!(quota.remaining(&usage, added, sunday + 7), 10, "a new period has no offset");
        usage.granted = Some((sunday, -1));
        assert_eq!(quota.remaining(&usage, added, sunday + 2), 0);
        usage.granted = Some((sunday, 5));
        assert_eq!(quota.remaining(&usage, added, sunday + 2), 6);
        assert_eq!(quota.remaining(&usage, added, sunday + 7), 10, "a grant ends with its period");
    }
}
