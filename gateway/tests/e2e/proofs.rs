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

/// Somebody with a copy of the recording, the proof and the public key checks both, with our command and without it.
#[test]
fn a_recording_is_proved_to_somebody_without_the_log() {
    Lab::run(|lab| {
        let client = Client::TigervncVncAuth;
        let target = Target::start(lab, Server::XvncVncAuth)?;
        let gateway = Gateway::start(lab, &[client.security()], &target, Trust::Pin)?;
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

        let said = verify(&proof, key, Some(&copy))?;
        if !said.contains("recording.sealed") || !said.contains("the recording is the one that was sealed") {
            return Err(format!("verify-proof said {said}"));
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/proofs.py");
        let python = tools().join("venv/bin/python");
        let event = read(Command::new(python).arg(script).arg(&proof).arg(verifier))?;
        let event: Value = serde_json::from_slice(&event).map_err(|error| error.to_string())?;
        if event["kind"] != "recording.sealed" || event["session"] != recording.as_str() {
            return Err(format!("the proof is about {event}"));
        }

        let segment = copy.join("000001.seg");
        let mut bytes = fs::read(&segment).map_err(|error| error.to_string())?;
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&segment, bytes).map_err(|error| error.to_string())?;
        refused(verify(&proof, key, Some(&copy)), "NOT the one that was sealed")?;
        let text = fs::read_to_string(&proof).map_err(|error| error.to_string())?;
        let index = text.lines().nth(2).ok_or("the proof has no index")?;
        fs::write(&proof, text.replace(index, "index 0")).map_err(|error| error.to_string())?;
        refused(verify(&proof, key, None), "does not lead from the line to the checkpoint")
    });
}

/// Runs `passerelle verify-proof` where there is no configuration; the error has all that it printed.
fn verify(proof: &str, key: &str, recording: Option<&Path>) -> Outcome<String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_passerelle"));
    command.args(["verify-proof", proof, "--signer", key, "--config", "/nonexistent"]);
    if let Some(recording) = recording {
        command.arg("--recording").arg(recording);
    }
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
