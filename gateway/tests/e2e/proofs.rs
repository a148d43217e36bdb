//! Evidence that leaves the gateway: proofs out of the audit log, and copies of recordings.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::harness::Outcome;
use crate::harness::clients::Client;
use crate::harness::gateway::{Gateway, Trust};
use crate::harness::lab::{Lab, tools};
use crate::harness::process::read;
use crate::harness::servers::{Server, Target};
use crate::harness::wait::wait_for;
use crate::peers::site::{SOON, Setup, Site};
use crate::peers::target as scripted;
use crate::peers::viewer::Viewer;

/// Somebody with a copy of the recording, the proof and the public key checks both, with our command and without it.
#[test]
fn a_recording_is_proved_to_somebody_without_the_log() {
    Lab::run(|lab| {
        let client = Client::TigervncVncAuth;
        let target = Target::start(lab, Server::XvncVncAuth)?;
        let gateway = Gateway::start(lab, &[client.security()], &target, Trust::Pin)?;
        let first = lab.path("data").join("audit/audit.checkpoint");
        let old = lab.path("old.checkpoint");
        wait_for("a first checkpoint", Duration::from_secs(60), || fs::copy(&first, &old).ok())?;
        let line = "typed and proved";
        drop(client.connect(lab, &gateway.login(client, &gateway.ticket()?), line)?);
        target.wait_typed(line)?;
        gateway.wait_idle()?;
        let recording = gateway.verify_recording()?;

        let proof = lab.path("recording.tlog-proof").display().to_string();
        let prove = ["audit", "prove", "--recording", &recording, "--output", &proof];
        wait_for("a checkpoint that covers the end of the recording", Duration::from_secs(30), || {
            gateway.cli(&prove).ok()
        })?;
        let copy = lab.path("copy");
        let stored = lab.path("data").join("recordings").join(&recording);
        read(Command::new("cp").arg("-r").arg(&stored).arg(&copy))?;
        let keys = gateway.cli(&["audit", "key"])?;
        let mut keys = keys.lines();
        let (key, verifier) = keys.next().zip(keys.next()).ok_or("`audit key` printed something else")?;

        let recorded = copy.display().to_string();
        let recorded = ["--recording", &*recorded];
        let said = verify(&proof, key, &recorded)?;
        if !said.contains("recording.sealed") || !said.contains("the recording is the one that was sealed") {
            return Err(format!("verify-proof said {said}"));
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/proofs.py");
        let python = tools().join("venv/bin/python");
        let event = read(Command::new(&python).arg(&script).arg(&proof).arg(verifier))?;
        let event: Value = serde_json::from_slice(&event).map_err(|error| error.to_string())?;
        if event["kind"] != "recording.sealed" || event["session"] != recording.as_str() {
            return Err(format!("the proof is about {event}"));
        }

        let grown = lab.path("consistency.proof").display().to_string();
        let kept = old.display().to_string();
        gateway.cli(&["audit", "prove", "--since", &kept, "--output", &grown])?;
        read(Command::new(&python).arg(&script).arg(&grown).arg(verifier).arg(&old))?;
        refused(verify(&grown, key, &[]), "Give the old one with --checkpoint")?;
        let said = verify(&grown, key, &["--checkpoint", &kept])?;
        if !said.contains("only grew") {
            return Err(format!("verify-proof said {said}"));
        }
        let newest = first.display().to_string();
        refused(verify(&grown, key, &["--checkpoint", &newest]), "the log was changed between")?;

        let segment = copy.join("000001.seg");
        let mut bytes = fs::read(&segment).map_err(|error| error.to_string())?;
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&segment, bytes).map_err(|error| error.to_string())?;
        refused(verify(&proof, key, &recorded), "NOT the one that was sealed")?;
        let text = fs::read_to_string(&proof).map_err(|error| error.to_string())?;
        let index = text.lines().nth(2).ok_or("the proof has no index")?;
        fs::write(&proof, text.replace(index, "index 0")).map_err(|error| error.to_string())?;
        refused(verify(&proof, key, &[]), "does not lead from the line to the checkpoint")
    });
}

/// The command line and the API, which the player's badge shows, say the same of a changed recording.
#[test]
fn the_command_and_the_api_name_the_same_change() {
    Lab::run(|lab| {
        let target = scripted::Target::quiet()?;
        let site = Site::start(lab, Setup::new(&target))?;
        Viewer::login(&site, &site.ticket()?)?.refresh()?;
        site.wait_ends(1)?;
        let sealed = wait_for("a sealed recording", SOON, || {
            site.audit_of("recording.sealed").ok()?.into_iter().next()
        })?;
        let id = sealed["session"].as_str().ok_or("a recording without a name")?;
        let recording = site.data().join("recordings").join(id);
        let segment = recording.join("000001.seg");
        let (whole, header) = (bytes(&segment)?, bytes(&recording.join("header.json"))?);
        let socket = site.data().join("control.sock");
        let check = |wanted: &str| -> Outcome {
            let url = format!("http://localhost/api/v1/recordings/{id}/verify");
            let mut curl = Command::new("curl");
            curl.args(["--silent", "--fail", "--request", "POST", "--unix-socket"]).arg(&socket).arg(url);
            let api: Value = serde_json::from_slice(&read(&mut curl)?).map_err(|error| error.to_string())?;
            let done = site.run(&["recordings", "verify", id, "--json"])?;
            let cli: Value = serde_json::from_slice(&done.stdout).map_err(|error| error.to_string())?;
            let same = cli[0]["verdict"] == wanted
                && api["verdict"] == wanted
                && api["detail"]["what"] == cli[0]["what"]
                && done.success == (wanted == "sealed")
                && api["intact"] == done.success;
            if same { Ok(()) } else { Err(format!("not both say {wanted}: {api} {cli}")) }
        };
        check("sealed")?;
        exports(lab, &site, id)?;
        let mut changed = whole.clone();
        let middle = changed.len() / 2;
        changed[middle] ^= 1;
        write(&segment, &changed)?;
        check("tampered")?;
        // Without the audit log, that would be a recording that is still open.
        write(&segment, &whole[..whole.len() - 1])?;
        check("cut_off")?;
        fs::rename(&segment, recording.join("000002.seg")).map_err(|error| error.to_string())?;
        check("segment_missing")?;
        fs::rename(recording.join("000002.seg"), &segment).map_err(|error| error.to_string())?;
        write(&segment, &whole)?;
        let other = String::from_utf8_lossy(&header).replace("alice", "carol");
        write(&recording.join("header.json"), other.as_bytes())?;
        check("tampered")?;
        write(&recording.join("header.json"), &header)?;
        check("sealed")
    });
}

/// A recording in the forms of other programs: the report has its proof, the player's file has what the target sent.
fn exports(lab: &Lab, site: &Site<'_>, id: &str) -> Outcome {
    let export = |form: &str| -> Outcome<Vec<u8>> {
        let file = lab.path(&format!("export.{form}"));
        let name = file.display().to_string();
        site.cli(&["recordings", "export", id, "--format", form, "--output", &name])?;
        bytes(&file)
    };
    let prove = ["audit", "prove", "--recording", id];
    wait_for("a checkpoint that covers the end of the recording", SOON, || site.cli(&prove).ok())?;
    let report: Value = serde_json::from_slice(&export("json")?).map_err(|error| error.to_string())?;
    let events = report["events"].as_array().map_or(0, Vec::len);
    if report["verification"]["verdict"] != "sealed" || events == 0 {
        return Err(format!("the report says {report}"));
    }
    let proof =
        lab.write("report.tlog-proof", report["proof"].as_str().ok_or("a report without a proof")?)?;
    let (key, stored) =
        (report["signer"].as_str().unwrap_or_default(), site.data().join("recordings").join(id));
    let said = verify(&proof.display().to_string(), key, &["--recording", &stored.display().to_string()])?;
    if !said.contains("the recording is the one that was sealed") {
        return Err(format!("verify-proof said {said}"));
    }
    let page = String::from_utf8(export("html")?).map_err(|error| error.to_string())?;
    let alone = !["<script", "src=", "href="].iter().any(|out| page.contains(out));
    if !alone || !page.contains("sealed and unchanged") || !page.contains("c2sp.org/tlog-proof@v1") {
        return Err(format!("the page is {page}"));
    }

    let player = export("fbs")?;
    let mut rest = player.strip_prefix(b"FBS 001.000\n").ok_or("no FBS")?;
    let mut played = Vec::new();
    while let Some((len, more)) = rest.split_first_chunk::<4>() {
        let len = u32::from_be_bytes(*len) as usize;
        played.extend_from_slice(more.get(..len).ok_or("a block is not whole")?);
        rest = more.get(len.next_multiple_of(4) + 4..).ok_or("a block has no time")?;
    }
    let wire = site.cli(&["recordings", "cat", id, "--lane", "target", "--raw"])?;
    let played = played.strip_prefix(b"RFB 003.003\n\0\0\0\x01").ok_or("no handshake")?;
    // Between the two is the pixel format.
    if played.len() != wire.len() || played[..4] != wire[..4] || played[20..] != wire[20..] {
        return Err("the player's file is not what the target sent".into());
    }
    if site.run(&["recordings", "export", id, "--format", "pdus", "--output", "-"])?.success {
        return Err("a VNC session has no PDUs".into());
    }
    let read = site.audit_of("recording.read")?;
    let told = |form: &str| read.iter().any(|event| event["message"] == format!("exported as {form}"));
    if ["json", "html", "fbs"].into_iter().all(told) {
        Ok(())
    } else {
        Err(format!("the audit log has {read:?}"))
    }
}

fn bytes(path: &Path) -> Outcome<Vec<u8>> {
    fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn write(path: &Path, bytes: &[u8]) -> Outcome {
    fs::write(path, bytes).map_err(|error| format!("{}: {error}", path.display()))
}

/// Runs `passerelle verify-proof` where there is no configuration; the error has all that it printed.
fn verify(proof: &str, key: &str, options: &[&str]) -> Outcome<String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_passerelle"));
    command.args(["verify-proof", proof, "--signer", key, "--config", "/nonexistent"]).args(options);
    let output = command.output().map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    if output.status.success() { Ok(said) } else { Err(said) }
}

fn refused(outcome: Outcome<String>, because: &str) -> Outcome {
    match outcome {
        Err(said) if said.contains(because) => Ok(()),
        Err(said) | Ok(said) => Err(format!("instead of {because:?}, verify-proof said {said}")),
    }
}
