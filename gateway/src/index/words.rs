//! Words of texts, and where they stand.

use std::collections::BTreeSet;
use std::ops::Range;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The longest word that is kept, in characters; what is longer is found by its beginning.
const LONGEST: usize = 40;

/// How many different words of a recording are kept.
const WORDS: usize = 2000;

/// How many words a query has at most.
const ASKED: usize = 8;

/// How many places of a recording an answer shows.
const SHOWN: usize = 3;

/// How many characters before and behind a word are shown.
const AROUND: usize = 40;

/// Something that was said or done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Text {
    /// When, in milliseconds since the recording's start.
    pub(crate) t_ms: u32,
    /// The kind of the event, `session` for what is known of the session itself.
    pub(crate) kind: String,
    pub(crate) text: String,
    /// Whether it was on the clipboard: of that, nothing but the words that were asked for is shown.
    pub(crate) clipboard: bool,
}

/// Where something was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = RecordingMatch)]
pub(crate) struct Found {
    /// When, in milliseconds since the recording's start.
    pub(crate) t_ms: u32,
    /// The kind of the event, or `session` for what was known at the start.
    pub(crate) kind: String,
    /// What stands there, or, of the clipboard, what was asked for.
    pub(crate) text: String,
}

/// The words of `text` as they are compared, with their places in it.
fn words(text: &str) -> impl Iterator<Item = (Range<usize>, String)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let start = rest.find(char::is_alphanumeric)?;
        let word = &rest[start..];
        let len = word.find(|sign: char| !sign.is_alphanumeric()).unwrap_or(word.len());
        let place = text.len() - rest.len() + start;
        rest = &word[len..];
        let folded = word[..len].chars().flat_map(char::to_lowercase).take(LONGEST).collect();
        Some((place..place + len, folded))
    })
}

/// The different words of these texts.
pub(super) fn of(texts: &[Text]) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for text in texts {
        for (_, word) in words(&text.kind).chain(words(&text.text)) {
            if all.len() == WORDS {
                return all;
            }
            all.insert(word);
        }
    }
    all
}

/// What somebody asks for: beginnings of words, all of which have to occur.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Query(Vec<String>);

impl Query {
    /// Nothing when there is no word in it, or too many are.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let asked: Vec<String> = words(text).map(|(_, word)| word).take(ASKED + 1).collect();
        (1..=ASKED).contains(&asked.len()).then_some(Self(asked))
    }

    pub(super) fn words(&self) -> &[String] {
        &self.0
    }

    /// The first places where the words occur.
    pub(super) fn places(&self, texts: &[Text]) -> Vec<Found> {
        let mut found: Vec<Found> = Vec::new();
        for asked in &self.0 {
            let place = texts.iter().find_map(|text| {
                let mut occurring = words(&text.text).filter(|(_, word)| word.starts_with(asked.as_str()));
                let (place, _) = occurring.next()?;
                let shown = if text.clipboard {
                    text.text[place].chars().take(asked.chars().count()).collect()
                } else {
                    around(&text.text, place)
                };
                Some(Found { t_ms: text.t_ms, kind: text.kind.clone(), text: shown })
            });
            if let Some(place) = place
                && !found.contains(&place)
                && found.len() < SHOWN
            {
                found.push(place);
            }
        }
        found
    }
}

/// The word at `place` with what stands around it.
fn around(text: &str, place: Range<usize>) -> String {
    let start = text[..place.start].char_indices().rev().nth(AROUND - 1).map_or(0, |(at, _)| at);
    let behind = &text[place.end..];
    let end = behind.char_indices().nth(AROUND).map_or(behind.len(), |(at, _)| at);
    let (before, after) = (if start > 0 { "…" } else { "" }, if end < behind.len() { "…" } else { "" });
    format!("{before}{}{after}", &text[start..place.end + end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str, clipboard: bool) -> Text {
        Text { t_ms: 7, kind: "file.transferred".to_owned(), text: text.to_owned(), clipboard }
    }

    #[test]
    fn words_are_compared_without_case_and_signs() {
        let found: Vec<_> = words("Étude-2024.PDF ").collect();
        assert_eq!(
            found,
            [(0..6, "étude".to_owned()), (7..11, "2024".to_owned()), (12..15, "pdf".to_owned())]
        );
        assert_eq!(Query::parse(" Invoice  #7 "), Some(Query(vec!["invoice".to_owned(), "7".to_owned()])));
        assert_eq!((Query::parse(""), Query::parse("--")), (None, None));
        assert_eq!(Query::parse(&"a ".repeat(9)), None);
        assert_eq!(of(&[text(&"x".repeat(100), false)]).last().unwrap().len(), LONGEST);
    }

    #[test]
    fn what_stands_around_a_word_is_shown_but_not_of_the_clipboard() {
        let query = Query::parse("invoi").unwrap();
        let long = format!("{} Invoices of May {}", "ä".repeat(60), "ö".repeat(60));
        let found = query.places(&[text("nothing", false), text(&long, false)]);
        assert_eq!(found.len(), 1);
        assert!(found[0].text.starts_with("…ä") && found[0].text.ends_with("ö…"), "{}", found[0].text);
        assert!(found[0].text.contains(" Invoices of May "));
        assert_eq!(query.places(&[text("the invoices are secret", true)])[0].text, "invoi");
    }
}
