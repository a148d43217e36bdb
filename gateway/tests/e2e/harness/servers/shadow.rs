//! FreeRDP's shadow server: shows an X display that exists already.

use super::super::Outcome;
use super::super::lab::Lab;
use super::super::net::{free_port, wait_listening};
use super::super::process::read;
use super::super::screen::{SIZE, Screen};
use super::{Certificate, Credentials, Target, View, content};

const USERNAME: &str = "helper";
const PASSWORD: &str = "Sh4dow-password";

/// Starts it with NLA, or else with TLS, where it asks nobody for a password.
pub(super) fn start(lab: &Lab, nla: bool) -> Outcome<Target> {
    let screen = Screen::xvfb(lab, "xvfb", SIZE)?;
    let typed = lab.path("typed");
    let terminal = content::x11(lab, &screen, &typed)?;

    // It takes the certificate that lies where it would put one that it makes itself.
    let certificate = Certificate::make(lab, "shadow")?;
    let home = lab.subfolder("shadow")?;
    let folder = lab.subfolder("shadow/freerdp/shadow")?;
    for (file, name) in [(&certificate.file, "shadow.crt"), (&certificate.key, "shadow.key")] {
        std::fs::copy(file, folder.join(name)).map_err(|error| format!("{name}: {error}"))?;
    }

    let port = free_port()?;
    let mut command = screen.command("freerdp-shadow-cli");
    command
        .args(["/bind-address:127.0.0.1", &format!("/port:{port}")])
        .env("HOME", &home)
        .env("XDG_CONFIG_HOME", &home);
    if nla {
        let mut hash = std::process::Command::new("winpr-hash");
        let hash = read(hash.args(["-u", USERNAME, "-p", PASSWORD, "-f", "sam"]))?;
        let sam = lab.write_secret("sam", hash)?;
        command.args(["/sec:nla".to_owned(), format!("/sam-file:{}", sam.display())]);
    } else {
        command.args(["/sec:tls", "-auth"]);
    }
    let mut server = lab.start("shadow", &command)?;
    wait_listening(&mut server, port)?;
    let credentials = Credentials {
        username: Some(USERNAME.to_owned()),
        password: Some(PASSWORD.to_owned()),
        certificate: Some(certificate),
    };
    Ok(Target {
        protocol: "rdp",
        port,
        credentials,
        typed,
        view: View::X(screen),
        processes: vec![server, terminal],
    })
}
