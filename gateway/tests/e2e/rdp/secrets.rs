//! Where secrets must not be found.

use std::fs;
use std::time::Duration;

use crate::faults::secrets::{files, holds};
use crate::harness::Outcome;
use crate::harness::clients::rdp::{Rdp, attempt};
use crate::harness::gateway::{Gateway, Trust};
use crate::harness::lab::Lab;
use crate::harness::servers::{Server, Target};

/// The technician's secrets and the target's password, in either of RDP's ways to write text.
#[test]
fn no_stored_byte_shows_a_secret() {
    const LINE: &str = "nothing but keys";
    const TYPED: &str = "typed-in-place-of-a-ticket";
    Lab::run(|lab| {
        let target = Target::start(lab, Server::ShadowNla)?;
        let mut gateway = Gateway::start(lab, &["nla", "tls"], &target, Trust::Pin)?;
        let logins = [gateway.long_login(&gateway.ticket()?), gateway.long_login(&gateway.ticket()?)];
        let clients = [Rdp::XfreerdpNla(&["/gfx"]), Rdp::XfreerdpTls(&["/rfx"])];
        for ((client, login), kinds) in clients.iter().zip(&logins).zip([false, true]) {
            drop(client.connect(lab, login, LINE)?);
            gateway.wait_idle()?;
            expect_keys(&gateway, kinds)?;
            if !kinds {
                gateway.reload("users:\n", "recording: { keystrokes: kinds }\nusers:\n")?;
            }
        }
        let mut wrong = gateway.long_login(&gateway.ticket()?);
        let unused = std::mem::replace(&mut wrong.password, TYPED.to_owned());
        for security in ["nla", "tls"] {
            attempt(lab, &wrong, security)?;
        }

        let password = target.credentials.password.clone().ok_or("the target has no password")?;
        let mut secrets = vec![password, TYPED.to_owned(), unused];
        secrets.extend(logins.into_iter().map(|login| login.password));
        let forms = |secret: &str| -> [Vec<u8>; 2] {
            [secret.as_bytes().to_vec(), secret.encode_utf16().flat_map(u16::to_le_bytes).collect()]
        };
        gateway.process().signal("TERM")?;
        gateway.process().wait(Duration::from_secs(10))?;
        let places = files(&lab.path("data"))?;
        if !places.iter().any(|path| path.extension().is_some_and(|kind| kind == "seg")) {
            return Err("there is no recording to search".into());
        }
        let mut contents = vec![("the log".to_owned(), lab.log_of("gateway")?.into_bytes())];
        for path in places {
            let bytes = fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            contents.push((path.display().to_string(), bytes));
        }
        for recording in gateway.recordings()? {
            for lane in ["target", "viewer", "state", "events", "clipboard"] {
                contents.push((format!("lane {lane} of {recording}"), gateway.recorded(&recording, lane)?));
            }
        }
        for (place, bytes) in &contents {
            if let Some(secret) =
                secrets.iter().find(|secret| forms(secret).iter().any(|form| holds(bytes, form)))
            {
                return Err(format!("{place} holds {secret}"));
            }
        }
        Ok(())
    });
}

/// Nothing of the keys that were pressed, or their kinds, stands in the last recording.
fn expect_keys(gateway: &Gateway, kinds: bool) -> Outcome {
    let last = gateway.recordings()?.into_iter().max().ok_or("there is no recording")?;
    let wire = gateway.recorded(&last, "viewer")?;
    // A fast-path PDU with one event, of a key that goes down.
    let has = |code: u8| holds(&wire, &[4, 4, 0, code]);
    // The keys of `nothing`, on keyboards of most countries.
    if let Some(code) = [0x31, 0x18, 0x14, 0x23, 0x17, 0x22].into_iter().find(|code| has(*code)) {
        return Err(format!("the key {code:#x} stands in the recording"));
    }
    let letter = 1;
    if has(letter) != kinds {
        return Err(format!("with kinds: {kinds}, but that a letter was typed: {}", has(letter)));
    }
    Ok(())
}
