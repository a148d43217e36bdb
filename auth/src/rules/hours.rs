//! Hours in which a rule applies.

use std::fmt;

use jiff::civil::{DateTime, Weekday};
use jiff::tz::TimeZone;

use crate::Timestamp;

/// Hours of the week by the clock on the wall of some place.
///
/// Where the clock is set back, the hour that comes twice counts both times; where it is set forward, the hour
/// that is skipped does not come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hours {
    /// The place.
    pub zone: TimeZone,
    /// The days on which the hours begin.
    pub days: Vec<Weekday>,
    /// Minute of the day, from 0, with which they begin.
    pub from: u16,
    /// Minute of the day, up to 1440, before which they end: on the next day when it is not after [`Hours::from`].
    pub to: u16,
}

impl Hours {
    /// Whether `now` is within.
    pub fn cover(&self, now: Timestamp) -> bool {
        let local = self.local(now);
        let (today, minute) = (local.weekday(), minute_of(local));
        let on = |day| self.days.contains(&day);
        if self.from < self.to {
            on(today) && (self.from..self.to).contains(&minute)
        } else {
            (on(today) && minute >= self.from) || (on(today.previous()) && minute < self.to)
        }
    }

    /// What the clock on the wall shows: `Mon 14:05`.
    pub(crate) fn wall(&self, now: Timestamp) -> String {
        let local = self.local(now);
        format!("{} {}", name(local.weekday()), Minute(minute_of(local)))
    }

    fn local(&self, now: Timestamp) -> DateTime {
        // Every timestamp is within jiff's range, so the fallback is never used.
        self.zone.to_datetime(jiff::Timestamp::from_millisecond(now.as_millis()).unwrap_or_default())
    }
}

/// `Mon, Tue 08:00-18:00 Europe/Berlin`
impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.days.len() < 7 {
            let days: Vec<_> = self.days.iter().copied().map(name).collect();
            write!(f, "{} ", days.join(", "))?;
        }
        let zone = self.zone.iana_name().unwrap_or("local time");
        write!(f, "{}-{} {zone}", Minute(self.from), Minute(self.to))
    }
}

fn minute_of(time: DateTime) -> u16 {
    // Hours and minutes of a time are never negative.
    u16::try_from(i16::from(time.hour()) * 60 + i16::from(time.minute())).unwrap_or(0)
}

fn name(day: Weekday) -> &'static str {
    match day {
        Weekday::Monday => "Mon",
        Weekday::Tuesday => "Tue",
        Weekday::Wednesday => "Wed",
        Weekday::Thursday => "Thu",
        Weekday::Friday => "Fri",
        Weekday::Saturday => "Sat",
        Weekday::Sunday => "Sun",
    }
}

/// A minute of the day: `08:05`.
struct Minute(u16);

impl fmt::Display for Minute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Weekday::{Friday, Monday, Saturday, Sunday, Thursday, Tuesday, Wednesday};

    const WEEK: [Weekday; 7] = [Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday];

    fn hours(zone: &str, days: &[Weekday], from: u16, to: u16) -> Hours {
        Hours { zone: TimeZone::get(zone).unwrap(), days: days.to_vec(), from: from * 60, to: to * 60 }
    }

    fn covers(hours: &Hours, cases: &[(&str, bool)]) {
        for (time, expected) in cases {
            assert_eq!(hours.cover(time.parse().unwrap()), *expected, "{hours} at {time}");
        }
    }

    #[test]
    fn begin_counts_and_end_does_not() {
        covers(
            &hours("Europe/Berlin", &WEEK[..5], 8, 18),
            &[
                // A Friday in winter, UTC+1.
                ("2026-11-20T06:59:59.999Z", false),
                ("2026-11-20T07:00:00Z", true),
                ("2026-11-20T16:59:59.999Z", true),
                ("2026-11-20T17:00:00Z", false),
                // In summer, UTC+2.
                ("2026-07-17T06:00:00Z", true),
                ("2026-07-17T16:00:00Z", false),
                // A Saturday.
                ("2026-11-21T12:00:00Z", false),
            ],
        );
        covers(
            &hours("Pacific/Kiritimati", &[Monday], 0, 24),
            &[
                // UTC+14: Monday there begins on Sunday.
                ("2026-11-22T09:59:59Z", false),
                ("2026-11-22T10:00:00Z", true),
                ("2026-11-23T09:59:59Z", true),
                ("2026-11-23T10:00:00Z", false),
            ],
        );
    }

    #[test]
    fn hours_over_midnight_belong_to_the_day_on_which_they_begin() {
        covers(
            &hours("UTC", &[Friday], 22, 6),
            &[
                ("2026-11-20T05:00:00Z", false),
                ("2026-11-20T21:59:59Z", false),
                ("2026-11-20T22:00:00Z", true),
                ("2026-11-21T05:59:59Z", true),
                ("2026-11-21T06:00:00Z", false),
                ("2026-11-21T23:00:00Z", false),
            ],
        );
        // From Sunday into Monday.
        covers(&hours("UTC", &[Sunday], 22, 6), &[("2026-11-23T01:00:00Z", true)]);
        // Begin and end alike: a whole day from there.
        covers(
            &hours("UTC", &[Friday], 9, 9),
            &[
                ("2026-11-20T08:59:59Z", false),
                ("2026-11-20T09:00:00Z", true),
                ("2026-11-21T08:59:59Z", true),
                ("2026-11-21T09:00:00Z", false),
            ],
        );
    }

    #[test]
    fn clocks_that_are_set_count_as_the_wall_shows() {
        // 2026-03-29 02:00 becomes 03:00 in Berlin, at 01:00 UTC.
        covers(
            &hours("Europe/Berlin", &[Sunday], 2, 3),
            &[
                ("2026-03-29T00:59:59Z", false),
                ("2026-03-29T01:00:00Z", false),
                ("2026-03-29T02:00:00Z", false),
            ],
        );
        covers(
            &hours("Europe/Berlin", &[Sunday], 1, 4),
            &[
                ("2026-03-28T23:59:59Z", false),
                ("2026-03-29T00:00:00Z", true),
                ("2026-03-29T01:00:00Z", true),
                ("2026-03-29T01:59:59Z", true),
                ("2026-03-29T02:00:00Z", false),
            ],
        );
        // 2026-10-25 03:00 becomes 02:00, at 01:00 UTC: the hour from 02:00 comes twice.
        covers(
            &hours("Europe/Berlin", &[Sunday], 2, 3),
            &[
                ("2026-10-24T23:59:59Z", false),
                ("2026-10-25T00:00:00Z", true),
                ("2026-10-25T00:59:59Z", true),
                ("2026-10-25T01:00:00Z", true),
                ("2026-10-25T01:59:59Z", true),
                ("2026-10-25T02:00:00Z", false),
            ],
        );
    }

    #[test]
    fn hours_are_shown_as_people_say_them() {
        let shown = hours("Europe/Berlin", &[Monday, Tuesday], 8, 18);
        assert_eq!(shown.to_string(), "Mon, Tue 08:00-18:00 Europe/Berlin");
        assert_eq!(shown.wall("2026-11-20T06:05:00Z".parse().unwrap()), "Fri 07:05");
        assert_eq!(hours("UTC", &WEEK, 0, 24).to_string(), "00:00-24:00 UTC");
    }
}
