//! An auditor finds a session by what happened in it and looks at it, through the API as curl sees it.

use std::process::Command;

use serde_json::{Value, json};

use crate::api::{Api, hash};
use crate::faults::secrets::holds;
use crate::harness::Outcome;
use crate::harness::lab::Lab;
use crate::harness::net::free_port;
use crate::harness::process::read;
use crate::harness::wait::wait_for;
use crate::peers::site::{SOON, Setup, Site};
use crate::peers::target::Target;
use crate::peers::viewer::Viewer;

/// What is typed, and what is copied.
const TYPED: &str = "xyzzy1";
const COPIED: &str = "Quarterly figures of Pomerania";

/// Gets a path with a viewing.
fn view(api: &Api, path: &str, token: &str, viewing: &str) -> Outcome<Value> {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--fail-with-body", "--max-time", "30", "--cacert"])
        .arg(&api.authority)
        .args(["--header", &format!("Authorization: Bearer {token}")])
        .args(["--header", &format!("Passerelle-Viewing: {viewing}")])
        .arg(format!("https://localhost:{}{path}", api.port));
    serde_json::from_slice(&read(&mut curl)?).map_err(|error| format!("{path}: {error}"))
}

/// A session in which something is typed and copied.
fn session(site: &Site<'_>) -> Outcome<String> {
    let mut viewer = Viewer::login(site, &site.ticket()?)?;
    for byte in TYPED.bytes() {
        viewer.send(&[[4, 1, 0, 0, 0, 0, 0, byte], [4, 0, 0, 0, 0, 0, 0, byte]].concat())?;
    }
    viewer.send(&[5, 1, 0, 30, 0, 40])?;
    let len = u32::try_from(COPIED.len()).map_err(|error| error.to_string())?;
    viewer.send(&[&[6, 0, 0, 0], &len.to_be_bytes()[..], COPIED.as_bytes()].concat())?;
    viewer.refresh()?;
    drop(viewer);
    let end = site.wait_ends(1)?;
    end["session"].as_str().map(str::to_owned).ok_or_else(|| format!("an end without a session: {end}"))
}

#[test]
fn an_auditor_finds_a_session_by_what_was_copied_and_views_it_for_a_reason() {
    Lab::run(|lab| {
        let https = free_port()?;
        let target = Target::quiet()?;
        let hash = lab.write_secret("hash", hash(lab)?)?;
        let user = |name: &str, group: &str| {
            format!("{{ name: {name}, groups: [{group}], password_hash: 'file:{}' }}", hash.display())
        };
        let setup = Setup::new(&target)
            .listen(&format!("https: 127.0.0.1:{https}"))
            .user(&user("carol", "helpdesk"))
            .user(&user("rita", "auditors"))
            .with("tls: { self_signed: true }")
            .with("roles: { auditor: [auditors] }")
            .with("recording: { keystrokes: kinds, clipboard: true }");
        let mut site = Site::start(lab, setup)?;
        let id = session(&site)?;
        let api = Api::of(&site, https, "--http2");
        let (carol, rita) = (api.log_in("carol")?, api.log_in("rita")?);

        let found = |q: &str| {
            let path = format!("/api/v1/recordings?technician=alice&q={q}");
            api.expect(200, "GET", &path, &rita, None)
        };
        let listed = wait_for("the recording to be found by what was copied", SOON, || {
            found("pomer").ok().filter(|listed| listed["items"][0]["id"] == *id)
        })?;
        // Of the clipboard no more is shown than was asked for.
        if listed["items"][0]["matches"][0]["text"] != "Pomer" {
            return Err(format!("where it was found: {listed}"));
        }
        if found("pomeranian")?["items"] != json!([]) || found("figures%20desk")?["items"][0]["id"] != *id {
            return Err("other words find what they should not, or not what they should".into());
        }
        let listed = site.json(&["recordings", "list", "--search", "quarterly", "--target", "desk"])?;
        if listed[0]["id"] != *id || site.json(&["recordings", "list", "--technician", "bob"])? != json!([]) {
            return Err(format!("the command line lists {listed}"));
        }

        let path = format!("/api/v1/recordings/{id}");
        let reason = || Some(json!({ "reason": "complaint 12" }));
        api.expect(403, "GET", "/api/v1/recordings", &carol, None)?;
        api.expect(403, "POST", &format!("{path}/viewings"), &carol, reason())?;
        api.expect(428, "GET", &format!("{path}/events"), &rita, None)?;
        let viewing = api.expect(201, "POST", &format!("{path}/viewings"), &rita, reason())?;
        let viewing = viewing["viewing"].as_str().ok_or("no viewing")?;
        let events = view(&api, &format!("{path}/events"), &rita, viewing)?;
        let kinds: Vec<_> =
            events["events"].as_array().into_iter().flatten().map(|event| &event["kind"]).collect();
        if !kinds.contains(&&json!("clipboard.transferred")) {
            return Err(format!("the events are {kinds:?}"));
        }
        let input = view(&api, &format!("{path}/input"), &rita, viewing)?;
        let names: Vec<_> = input["keys"].as_array().into_iter().flatten().map(|key| &key[2]).collect();
        let letters = names.iter().filter(|name| **name == "letter").count();
        let digits = names.iter().filter(|name| **name == "digit").count();
        if (letters, digits) != (10, 2)
            || input["pointer"][0].as_array().map(|at| &at[1..])
                != json!([30, 40, 1]).as_array().map(Vec::as_slice)
        {
            return Err(format!("the input is {input}"));
        }
        let verified = api.expect(200, "POST", &format!("{path}/verify"), &rita, Some(json!({})))?;
        let shown = api.expect(200, "GET", &path, &rita, None)?;
        if verified["intact"] != true || shown["verification"]["verdict"] != "sealed" {
            return Err(format!("{verified}, but the list says {shown}"));
        }

        site.process()?.signal("TERM")?;
        site.process()?.wait(SOON)?;
        // The wire log in clear does not say what was typed, nor the index what was copied.
        let wire = site.cli(&["recordings", "cat", &id, "--lane", "viewer", "--raw"])?;
        let typed = TYPED.bytes().find(|byte| holds(&wire, &[4, 1, 0, 0, 0, 0, 0, *byte]));
        if let Some(byte) = typed {
            return Err(format!("the key {:?} stands in the recording", char::from(byte)));
        }
        if !holds(&wire, &[4, 1, 0, 0, 0, 0, 0, 1]) {
            return Err("the recording does not keep that a letter was typed".into());
        }
        for file in std::fs::read_dir(site.data()).map_err(|error| error.to_string())?.flatten() {
            if file.file_name().to_string_lossy().starts_with("recordings-index") {
                let bytes = std::fs::read(file.path()).map_err(|error| error.to_string())?;
                if holds(&bytes.to_ascii_lowercase(), b"pomerania") {
                    return Err(format!("{} holds what was copied", file.path().display()));
                }
            }
        }
        let told = site.audit_of("recording.viewing")?;
        let told = told.first().map(|event| &event["detail"]).ok_or("no viewing in the audit log")?;
        if (&told["by"], &told["reason"]) != (&json!("rita"), &json!("complaint 12")) {
            return Err(format!("the viewing: {told}"));
        }
        let viewed = site.audit_of("recording.viewed")?;
        let of = |content: &str| {
            viewed.iter().any(|event| {
                event["detail"]["viewing"] == told["viewing"] && event["detail"][content][0][0].is_u64()
            })
        };
        if !of("events") || !of("input") || site.audit_of("recording.searched")?.is_empty() {
            return Err(format!("what was viewed: {viewed:?}"));
        }
        Ok(())
    });
}
