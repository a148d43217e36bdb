//! Between answers of scripts and values.

use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use passerelle_desktop::{Permission, Permissions};
use redis::Value;

use super::scripts::MARGIN;
use crate::{StoreError, Timestamp};

/// The values of an answer, taken one after the other.
pub(super) struct Answer(std::vec::IntoIter<Value>);

impl Answer {
    pub(super) fn new(value: Value) -> Result<Self, StoreError> {
        match value {
            Value::Array(values) => Ok(Self(values.into_iter())),
            other => Err(damaged(&format!("a list was expected, not {}", kind(&other)))),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.len() == 0
    }

    /// The values that remain, each of which is a list.
    pub(super) fn lists(self) -> impl Iterator<Item = Result<Answer, StoreError>> {
        self.0.map(Answer::new)
    }

    pub(super) fn list(&mut self) -> Result<Answer, StoreError> {
        Self::new(self.next()?)
    }

    pub(super) fn optional_bytes(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        match self.next()? {
            Value::Nil => Ok(None),
            Value::BulkString(bytes) => Ok(Some(bytes)),
            Value::SimpleString(text) => Ok(Some(text.into_bytes())),
            Value::Int(number) => Ok(Some(number.to_string().into_bytes())),
            other => Err(damaged(&format!("a text was expected, not {}", kind(&other)))),
        }
    }

    pub(super) fn bytes(&mut self) -> Result<Vec<u8>, StoreError> {
        self.optional_bytes()?.ok_or_else(|| damaged("a value is missing"))
    }

    pub(super) fn optional_text(&mut self) -> Result<Option<String>, StoreError> {
        self.optional_bytes()?
            .map(|bytes| String::from_utf8(bytes).map_err(|_| damaged("a text is not UTF-8")))
            .transpose()
    }

    pub(super) fn text(&mut self) -> Result<String, StoreError> {
        self.optional_text()?.ok_or_else(|| damaged("a value is missing"))
    }

    pub(super) fn optional<T: FromStr>(&mut self) -> Result<Option<T>, StoreError> {
        self.optional_text()?.map(|text| parse(&text)).transpose()
    }

    pub(super) fn parsed<T: FromStr>(&mut self) -> Result<T, StoreError> {
        parse(&self.text()?)
    }

    pub(super) fn optional_time(&mut self) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.optional::<i64>()?.map(Timestamp::from_millis))
    }

    pub(super) fn time(&mut self) -> Result<Timestamp, StoreError> {
        Ok(Timestamp::from_millis(self.parsed()?))
    }

    pub(super) fn address(&mut self) -> Result<IpAddr, StoreError> {
        self.parsed()
    }

    fn next(&mut self) -> Result<Value, StoreError> {
        self.0.next().ok_or_else(|| damaged("an answer is too short"))
    }
}

/// The text that is an answer.
pub(super) fn text(value: Value) -> Result<String, StoreError> {
    Answer(vec![value].into_iter()).text()
}

/// The text that is an answer, if there is one.
pub(super) fn optional_text(value: Value) -> Result<Option<String>, StoreError> {
    Answer(vec![value].into_iter()).optional_text()
}

/// Whether the answer is the number of something that there was.
pub(super) fn truth(value: &Value) -> Result<bool, StoreError> {
    match value {
        Value::Int(number) => Ok(*number > 0),
        other => Err(damaged(&format!("a number was expected, not {}", kind(other)))),
    }
}

pub(super) fn parse<T: FromStr>(text: &str) -> Result<T, StoreError> {
    text.parse().map_err(|_| damaged(&format!("{} was expected", std::any::type_name::<T>())))
}

/// The permissions with these names, separated by commas.
pub(super) fn permissions(names: &str) -> Permissions {
    // A permission that this version does not know is one that it does not give.
    names.split(',').filter_map(|name| name.parse::<Permission>().ok()).collect()
}

pub(super) fn write_permissions(permissions: Permissions) -> String {
    permissions.iter().map(Permission::name).collect::<Vec<_>>().join(",")
}

/// For how many milliseconds from now on a key is kept whose meaning ends `remembered` after `end`.
pub(super) fn life(end: Timestamp, remembered: Duration, now: Timestamp) -> i64 {
    let meant = i64::try_from(end.since(now).saturating_add(remembered).as_millis()).unwrap_or(i64::MAX);
    meant.saturating_add(MARGIN).min(Timestamp::MAX.as_millis())
}

pub(super) fn damaged(detail: &str) -> StoreError {
    StoreError::Damaged { detail: detail.to_owned() }
}

/// What an answer is, without saying what it holds.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Nil => "nothing",
        Value::Int(_) => "a number",
        Value::BulkString(_) | Value::SimpleString(_) | Value::Okay => "a text",
        Value::Array(_) => "a list",
        _ => "something else",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_as_written_is_damage() {
        let answer = |values: &[Value]| Answer::new(Value::Array(values.to_vec())).unwrap();
        let text = |text: &str| Value::BulkString(text.as_bytes().to_vec());
        assert!(matches!(Answer::new(Value::Nil), Err(StoreError::Damaged { .. })));
        assert!(matches!(answer(&[]).text(), Err(StoreError::Damaged { .. })));
        assert!(matches!(answer(&[Value::Nil]).text(), Err(StoreError::Damaged { .. })));
        assert!(matches!(answer(&[Value::BulkString(vec![0xff])]).text(), Err(StoreError::Damaged { .. })));
        assert!(matches!(answer(&[text("soon")]).time(), Err(StoreError::Damaged { .. })));
        assert!(matches!(answer(&[text("here")]).address(), Err(StoreError::Damaged { .. })));
        assert!(matches!(truth(&Value::Nil), Err(StoreError::Damaged { .. })));
        assert_eq!(answer(&[text("5")]).time().unwrap(), Timestamp::from_millis(5));
        assert_eq!(answer(&[Value::Int(5)]).parsed::<u64>().unwrap(), 5);
    }

    #[test]
    fn keys_outlive_their_meaning() {
        let at = Timestamp::from_millis;
        assert_eq!(life(at(5000), Duration::from_secs(1), at(0)), 6000 + MARGIN);
        assert_eq!(life(at(0), Duration::ZERO, at(5000)), MARGIN);
        assert!(life(Timestamp::MAX, Duration::MAX, Timestamp::MIN) > 0);
    }
}
