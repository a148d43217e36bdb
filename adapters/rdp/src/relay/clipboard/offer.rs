//! Format lists: what a side offers, and what the other side is told of it.

use passerelle_desktop::Side;

use super::formats::{FormatList, Kind};
use super::message::{Header, list_refused};
use super::{Context, State, Whole};

/// How many unanswered lists are followed.
const MOST_LISTS: usize = 64;

impl State {
    /// `from` offers what is in a format list.
    ///
    /// A list of which nothing is permitted goes on empty: the other side must neither keep an offer that is no
    /// longer true nor wait for a first one.
    pub(super) fn format_list(
        &mut self,
        from: Side,
        header: Header,
        body: &[u8],
        cx: &mut Context<'_>,
    ) -> Whole {
        let long_names = self.long_names();
        let Some(list) = FormatList::read(header.flags, long_names, body) else {
            return Whole::Instead(self.list_unreadable(from, "malformed", cx));
        };
        let missing = list.missing(from, cx.permissions, long_names);
        let verdict = if missing.is_empty() {
            Whole::Pass
        } else {
            Whole::Instead(list.encode(|kind| kind.missing(from, cx.permissions).is_none()))
        };
        for (permission, names) in missing {
            self.deny(from, permission, format!("offer {names} on the clipboard"), None, cx);
        }
        self.offered(from, list, long_names, cx);
        self.expect_answer(from, true);
        verdict
    }

    /// `from` has sent a format list that cannot be judged. Returns what the other side gets in its place.
    pub(super) fn list_unreadable(&mut self, from: Side, why: &str, cx: &mut Context<'_>) -> Vec<u8> {
        let permission = Kind::Text.permission(from);
        self.deny(from, permission, "offer a list of clipboard formats", Some(why.to_owned()), cx);
        cx.injections.push((from, list_refused()));
        let nothing = FormatList::default();
        let message = nothing.encode(|_| false);
        self.offered(from, nothing, false, cx);
        self.expect_answer(from, false);
        message
    }

    /// After a change of permissions: tells the other side what is offered now, if that has become more or less.
    pub(super) fn offer_again(&mut self, cx: &mut Context<'_>) {
        let Some(from) = self.owner else { return };
        let now = cx.permissions;
        let long_names = self.long_names();
        let source = self.source(from);
        let before = std::mem::replace(&mut source.offered_under, now);
        let may = |kind: Kind, permissions| kind.missing(from, permissions).is_none();
        if source.offered_with_long_names != long_names
            || !source.offer.any(|kind| may(kind, before) != may(kind, now))
        {
            return;
        }
        let list = source.offer.encode(|kind| may(kind, now));
        cx.injections.push((from.other(), list));
        self.expect_answer(from, false);
    }

    fn offered(&mut self, from: Side, list: FormatList, long_names: bool, cx: &mut Context<'_>) {
        self.owner = Some(from);
        let source = self.source(from);
        source.offer = list;
        source.offered_with_long_names = long_names;
        source.offered_under = cx.permissions;
        source.files.changed(from, cx.notices);
    }

    /// The other side will answer a list; `from` waits for that or does not know of it.
    fn expect_answer(&mut self, from: Side, awaited: bool) {
        let lists = &mut self.source(from).lists;
        if lists.len() == MOST_LISTS {
            lists.pop_front();
        }
        lists.push_back(awaited);
    }
}
