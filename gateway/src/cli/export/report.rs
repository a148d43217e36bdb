//! A report that stands alone: what is known of a session, what happened in it, and the proof that it was not changed
//! since. One file, without scripts, that loads nothing from anywhere.

use std::io::Write;
use std::path::Path;

use data_encoding::BASE64;
use passerelle_recorder::audit::{self as log, Proof};
use passerelle_recorder::{Entry, PublicKey, Reader, State, Summary, Verification};
use serde_json::{Value, json};

use super::super::access::{self, Named};
use super::super::{CliError, duration};
use super::ExportError;
use crate::gateway::data;

/// How it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Json,
    Html,
}

/// What is known before the recording is opened.
pub(super) struct Report {
    summary: Summary,
    verification: Verification,
    signer: PublicKey,
    /// The proof that the audit log has the root, and the number of that event; or why there is none.
    proof: Result<(u64, String), String>,
    /// What the desktop looked like: when, in milliseconds since the start, and a JPEG file.
    pub(super) thumbnails: Vec<(u32, Vec<u8>)>,
}

impl Report {
    /// Verifies the recording and takes its proof out of the audit log, if that is here.
    pub(super) fn of(named: &Named, signer: Option<PublicKey>, config: &Path) -> Result<Self, CliError> {
        let signer = access::signer(signer, config)?;
        let summary = passerelle_recorder::summary(&named.directory).map_err(|error| {
            CliError::new(format_args!(
                "the recording in {} cannot be read: {error}",
                named.directory.display()
            ))
        })?;
        let ours = named.ours.as_ref().map(|(id, places)| (id, places.data_dir.join(data::AUDIT)));
        let sealing = match &ours {
            Some((id, log)) => log::sealing(log, id).map_err(|error| error.to_string()),
            None => {
                Err("this copy lies outside of the gateway's directory, and so has no audit log".to_owned())
            }
        };
        let root = sealing.as_ref().ok().and_then(Option::as_ref);
        let root = root.and_then(|line| line.event.detail.get("root")?.as_str().map(str::to_owned));
        let verification = passerelle_recorder::verify(&named.directory, &signer).map_err(CliError::new)?;
        let proof = match (sealing, &ours) {
            (Err(why), _) => Err(why),
            (Ok(Some(line)), Some((_, log))) => {
                let proof = Proof::make(log, line.seq, &signer);
                proof.map(|proof| (line.seq, proof.to_string())).map_err(|error| error.to_string())
            }
            (Ok(_), _) => Err("the audit log does not say that the recording was sealed".to_owned()),
        };
        Ok(Self {
            summary,
            verification: verification.compared(root.as_deref()),
            signer,
            proof,
            thumbnails: Vec::new(),
        })
    }

    /// Length of the recording in milliseconds.
    pub(super) fn length_ms(&self) -> u32 {
        u32::try_from(self.summary.duration.as_millis()).unwrap_or(u32::MAX)
    }

    /// Writes the report with the events of `reader`.
    pub(super) fn write(&self, reader: Reader, form: Form, out: &mut dyn Write) -> Result<(), ExportError> {
        match form {
            Form::Json => self.json(reader, out),
            Form::Html => self.html(reader, out),
        }
    }

    fn json(&self, reader: Reader, out: &mut dyn Write) -> Result<(), ExportError> {
        let (proof, without) = match &self.proof {
            Ok((_, proof)) => (Some(proof), None),
            Err(why) => (None, Some(why)),
        };
        let about = json!({
            "report": 1,
            "recording": self.summary,
            "verification": self.verification,
            "signer": self.signer.to_string(),
            "verifier_key": log::verifier_key(&self.signer),
            "proof": proof,
            "without_proof_because": without,
        });
        // Events are added one by one: a long session has many.
        let about = about.to_string();
        out.write_all(about.strip_suffix('}').unwrap_or(&about).as_bytes())?;
        out.write_all(b",\"events\":[")?;
        for (number, entry) in reader.enumerate() {
            let (t_ms, kind, detail) = event(&entry?);
            out.write_all(if number == 0 { b"\n" } else { b",\n" })?;
            out.write_all(json!({ "t_ms": t_ms, "kind": kind, "detail": detail }).to_string().as_bytes())?;
        }
        out.write_all(b"\n]}\n")?;
        Ok(())
    }

    fn html(&self, reader: Reader, out: &mut dyn Write) -> Result<(), ExportError> {
        let header = &self.summary.header;
        let title = format!("Recording {}", escaped(&header.id));
        let (class, verdict) = (
            if self.verification.is_intact() { "good" } else { "bad" },
            self.verification.verdict.to_string(),
        );
        write!(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n")?;
        // Whatever got into the file in spite of all is neither run nor loaded.
        write!(
            out,
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
             style-src 'unsafe-inline'; img-src data:\">\n\
             <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n<style>{STYLE}</style>\n\
             <h1>{title}</h1>\n<p class=\"{class}\">{}</p>\n<table>\n",
            escaped(&verdict)
        )?;
        let state = match &self.summary.state {
            State::Open => "open".to_owned(),
            State::Sealed { end } => format!("sealed: {end}"),
            State::Interrupted => "interrupted".to_owned(),
        };
        let mut rows = vec![
            ("started".to_owned(), header.started.clone()),
            ("length".to_owned(), duration(self.summary.duration)),
            ("state".to_owned(), state),
        ];
        for (name, value) in header.facts.as_object().into_iter().flatten() {
            if name != "id" && name != "started" {
                rows.push((name.replace('_', " "), plain(value)));
            }
        }
        rows.push(("signing key".to_owned(), self.signer.to_string()));
        for (name, value) in rows {
            writeln!(out, "<tr><th>{}<td>{}", escaped(&name), escaped(&value))?;
        }
        write!(out, "</table>\n<h2>What happened</h2>\n<table>\n<tr><th>time<th>event<th>details<th>\n")?;
        let whole = self.summary.duration.as_millis().max(1) as f64;
        for entry in reader {
            let (t_ms, kind, detail) = event(&entry?);
            let place = (f64::from(t_ms) / whole * 100.0).clamp(0.0, 100.0);
            writeln!(
                out,
                "<tr><td>{}<td>{}<td>{}<td class=\"line\"><i style=\"left:{place:.1}%\"></i>",
                time(t_ms),
                escaped(&kind),
                escaped(&details(&detail)),
            )?;
        }
        writeln!(out, "</table>")?;
        if !self.thumbnails.is_empty() {
            writeln!(out, "<h2>Pictures</h2>")?;
        }
        for (t_ms, file) in &self.thumbnails {
            let (time, file) = (time(*t_ms), BASE64.encode(file));
            writeln!(
                out,
                "<figure><img src=\"data:image/jpeg;base64,{file}\" alt=\"The desktop at {time}\"><figcaption>{time}\
                 </figcaption></figure>"
            )?;
        }
        writeln!(out, "<h2>Proof</h2>")?;
        match &self.proof {
            Ok((seq, proof)) => write!(
                out,
                "<p>Line {seq} of the audit log has the root of this recording. The following proves it to whoever \
                 knows the signing key from elsewhere. In a file <code>recording.tlog-proof</code> it is checked by\n\
                 <pre>passerelle verify-proof recording.tlog-proof --signer {} --recording ./{}</pre>\n\
                 <pre class=\"proof\">{}</pre>\n",
                escaped(&self.signer.to_string()),
                escaped(&header.id),
                escaped(proof),
            )?,
            Err(why) => writeln!(out, "<p>There is none: {}.", escaped(why))?,
        }
        writeln!(out, "</html>")?;
        Ok(())
    }
}

const STYLE: &str = "body{font:16px/1.4 sans-serif;max-width:70em;margin:2em auto;padding:0 1em;color:#111;\
background:#fff}table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.2em .8em \
.2em 0;border-bottom:1px solid #ddd;overflow-wrap:anywhere}pre{background:#f4f4f4;padding:1em;overflow-x:auto}\
.good{border-left:.4em solid #176f2c;padding-left:.6em}.bad{border-left:.4em solid #b3261e;padding-left:.6em;\
font-weight:bold}.line{position:relative;min-width:10em}.line i{position:absolute;top:.4em;width:.3em;height:1em;\
background:#234f9e}figure{display:inline-block;margin:0 1em 1em 0}";

/// An entry of the events lane: when, what, and details.
pub(super) fn event(entry: &Entry) -> (u32, String, Value) {
    let parsed = serde_json::from_slice::<Value>(&entry.bytes);
    let mut event = parsed.unwrap_or_else(|_| json!({ "kind": "unreadable" }));
    let kind = event["kind"].as_str().unwrap_or_default().to_owned();
    (entry.t_ms, kind, event["detail"].take())
}

pub(super) fn details(detail: &Value) -> String {
    let Some(fields) = detail.as_object() else {
        return if detail.is_null() { String::new() } else { plain(detail) };
    };
    let fields: Vec<String> =
        fields.iter().map(|(name, value)| format!("{name}: {}", plain(value))).collect();
    fields.join(", ")
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

pub(super) fn time(t_ms: u32) -> String {
    let seconds = t_ms / 1000;
    format!("{}:{:02}:{:02}.{:03}", seconds / 3600, seconds / 60 % 60, seconds % 60, t_ms % 1000)
}

/// A text as HTML, in elements and attributes.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            char if char.is_control() && char != '\n' => escaped.push('\u{fffd}'),
            char => escaped.push(char),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_chose_is_text() {
        assert_eq!(escaped("<b a='\"'>&\u{1b}[2J"), "&lt;b a=&#39;&quot;&#39;&gt;&amp;\u{fffd}[2J");
        assert_eq!(time(3_723_004), "1:02:03.004");
        assert_eq!(details(&json!({ "a": "x", "b": [1] })), "a: x, b: [1]");
        assert_eq!(details(&Value::Null), "");
        let entry = |bytes: &[u8]| Entry {
            seq: 0,
            t_ms: 7,
            lane: passerelle_recorder::Lane::Events,
            bytes: bytes.to_vec(),
        };
        assert_eq!(event(&entry(b"{\"kind\":\"a.b\",\"detail\":{}}")), (7, "a.b".into(), json!({})));
        assert_eq!(event(&entry(b"\xff")).1, "unreadable");
    }
}
