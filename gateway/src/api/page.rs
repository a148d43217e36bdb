//! Long answers in parts.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::problem::Problem;

/// How many elements a part has when nothing is said.
const USUAL: usize = 100;

/// How many elements a part has at most.
pub(crate) const MOST: usize = 1000;

/// Which part of a list is wanted.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Part {
    /// How many elements at most.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<usize>,
    /// `next` of the part before; absent for the first.
    cursor: Option<String>,
}

/// A part of a list.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Page<T> {
    /// The elements.
    pub(crate) items: Vec<T>,
    /// The `cursor` of the next part; absent in the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<String>,
}

impl Part {
    /// How many elements to show.
    ///
    /// # Errors
    /// More than may be asked for, or none.
    pub(super) fn limit(&self) -> Result<usize, Problem> {
        match self.limit.unwrap_or(USUAL) {
            limit @ 1..=MOST => Ok(limit),
            _ => Err(Problem::unprocessable("limit", format_args!("limit must be from 1 to {MOST}"))),
        }
    }

    /// The last element of the part before.
    pub(super) fn cursor(&self) -> Option<&str> {
        self.cursor.as_deref()
    }

    /// The part of `all`, in whose order each element has a key of its own.
    ///
    /// # Errors
    /// As [`limit`](Self::limit). A cursor that is no element's any more is an error too.
    pub(super) fn of<T>(&self, all: Vec<T>, key: impl Fn(&T) -> String) -> Result<Page<T>, Problem> {
        let start = match self.cursor() {
            None => 0,
            Some(cursor) => match all.iter().position(|element| key(element) == cursor) {
                Some(position) => position + 1,
                None => return Err(stale_cursor()),
            },
        };
        self.first(all.into_iter().skip(start), key)
    }

    /// The part with which `rest` begins: what comes behind the cursor. Of the others only one is looked at.
    ///
    /// # Errors
    /// As [`limit`](Self::limit).
    pub(super) fn first<T>(
        &self,
        mut rest: impl Iterator<Item = T>,
        key: impl Fn(&T) -> String,
    ) -> Result<Page<T>, Problem> {
        let items: Vec<T> = rest.by_ref().take(self.limit()?).collect();
        let more = rest.next().is_some();
        let next = items.last().filter(|_| more).map(key);
        Ok(Page { items, next })
    }
}

/// What to say about a cursor that is no element's any more.
pub(super) fn stale_cursor() -> Problem {
    Problem::unprocessable("cursor", "the list changed; begin again without cursor")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(limit: usize, cursor: Option<&str>) -> Part {
        Part { limit: Some(limit), cursor: cursor.map(str::to_owned) }
    }

    #[test]
    fn parts_make_the_whole() {
        let all: Vec<u32> = (0..5).collect();
        let page = |limit, cursor| part(limit, cursor).of(all.clone(), u32::to_string).unwrap();
        let first = page(2, None);
        assert_eq!((first.items, first.next.as_deref()), (vec![0, 1], Some("1")));
        let last = page(3, Some("1"));
        assert_eq!((last.items, last.next), (vec![2, 3, 4], None));
        for (limit, cursor) in [(0, None), (MOST + 1, None), (2, Some("9"))] {
            assert!(part(limit, cursor).of(all.clone(), u32::to_string).is_err());
        }
    }
}
