//! Events as comma-separated values (RFC 4180).

use std::fmt::Write as _;

use crate::audit::EventLine;

/// The first record, which names the fields.
pub const CSV_HEADER: &str =
    "seq,time,kind,outcome,technician,target,session,address,message,detail,prev\r\n";

/// An event as a record. What a spreadsheet would take for a formula is preceded by an apostrophe.
#[must_use]
pub fn csv(line: &EventLine) -> String {
    let event = &line.event;
    let outcome = event.outcome.map(super::outcome_name).unwrap_or_default();
    let detail = if event.detail.is_empty() {
        String::new()
    } else {
        // Plain values with text keys always serialize.
        serde_json::to_string(&event.detail).unwrap_or_default()
    };
    let mut record = line.seq.to_string();
    for field in [&line.time, event.kind.name(), outcome] {
        record.push(',');
        record.push_str(field);
    }
    let texts = [&event.technician, &event.target, &event.session, &event.address, &event.message];
    for field in texts.into_iter().map(|text| text.as_deref().unwrap_or_default()).chain([&*detail]) {
        record.push(',');
        push_text(&mut record, field);
    }
    // Writing to a text cannot fail.
    let _ = write!(record, ",{}\r\n", line.prev);
    record
}

/// Adds a field that somebody outside may have chosen.
fn push_text(record: &mut String, text: &str) {
    if text.is_empty() {
        return;
    }
    record.push('"');
    // Spreadsheets look for formulas behind blanks, too, and take full-width signs for the usual ones.
    let first = text.trim_start().chars().next();
    let starts = |signs: &str| first.is_some_and(|first| signs.contains(first));
    if starts("=+-@\u{ff1d}\u{ff0b}\u{ff0d}\u{ff20}|%") || text.starts_with(['\t', '\r', '\n']) {
        record.push('\'');
    }
    for char in text.chars() {
        match char {
            '"' => record.push_str("\"\""),
            // A line feed within a field is allowed, and breaks whatever reads line by line.
            '\r' | '\n' | '\0' => record.push(' '),
            other => record.push(other),
        }
    }
    record.push('"');
}

#[cfg(test)]
mod tests {
    use super::super::samples::one_of_each;
    use super::*;

    fn with_message(message: &str) -> String {
        let mut line = one_of_each().remove(0);
        line.event.message = Some(message.to_owned());
        line.event.detail.clear();
        csv(&line)
    }

    #[test]
    fn records_have_the_fields_of_the_header() {
        let line = one_of_each().remove(0);
        assert_eq!(
            csv(&line),
            format!(
                "1,2026-11-23T06:12:18.250Z,gateway.started,refused,\"alice\",\"front-desk\",\"01hzy3\",\
                 \"192.0.2.7:50112\",\"one sentence\",\
                 \"{{\"\"by\"\":\"\"chief\"\",\"\"permissions\"\":[\"\"view\"\",\"\"pointer\"\"]}}\",{}\r\n",
                "0".repeat(64)
            )
        );
        assert_eq!(CSV_HEADER.split(',').count(), 11);
        assert!(with_message("").contains("\"192.0.2.7:50112\",,,0000"));
    }

    #[test]
    fn no_field_is_a_formula_or_breaks_the_line() {
        for text in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "  =1", "\r=1", "\u{ff1d}1", "|cmd", "%0"] {
            let record = with_message(text);
            assert!(record.contains(",\"'"), "{record:?}");
            assert_eq!(record.matches(['\r', '\n']).count(), 2, "{record:?}");
        }
        for (text, stored) in [
            ("a,b", "\"a,b\""),
            ("say \"no\"", "\"say \"\"no\"\"\""),
            ("two\nlines", "\"two lines\""),
            ("1=1", "\"1=1\""),
        ] {
            assert!(with_message(text).contains(stored), "{text}");
        }
    }
}
