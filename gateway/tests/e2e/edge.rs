//! Behind a stock load balancer: whom connections come from, and who is believed about it.

use std::io::Write as _;
use std::net::Ipv4Addr;
use std::process::Command;

use serde_json::Value;

use crate::harness::Outcome;
use crate::harness::clients::Login;
use crate::harness::clients::rdp::attempt;
use crate::harness::lab::Lab;
use crate::harness::net::{free_port, wait_listening};
use crate::harness::process::{Process, read};
use crate::harness::wait::wait_for;
use crate::peers::failed;
use crate::peers::site::{SOON, Setup, Site, expect_refusal};
use crate::peers::target::Target;
use crate::peers::viewer::{Viewer, connect, connect_from, until_closed};

/// Where HAProxy connects from. Nothing else does.
const BALANCER: &str = "127.0.0.7";

/// Where technicians connect from.
const TECHNICIAN: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 9);

/// HAProxy before one port of a gateway.
struct Balancer {
    /// Where it speaks version 1 to the gateway.
    first: u16,
    /// Where it speaks version 2, with a checksum and more.
    second: u16,
    /// Where it says nothing.
    silent: u16,
    _process: Process,
}

impl Balancer {
    fn start(lab: &Lab, port: u16) -> Outcome<Self> {
        let (first, second, silent) = (free_port()?, free_port()?, free_port()?);
        let listen = |name: &str, at: u16, options: &str| {
            format!(
                "listen {name}\n  bind 127.0.0.1:{at}\n  server gateway 127.0.0.1:{port} source {BALANCER} {options}\n"
            )
        };
        let configuration = [
            "defaults\n  mode tcp\n  timeout connect 30s\n  timeout client 60s\n  timeout server 60s\n"
                .to_owned(),
            listen("first", first, "send-proxy"),
            listen("second", second, "send-proxy-v2 proxy-v2-options crc32c,authority,ssl"),
            listen("silent", silent, ""),
        ]
        .concat();
        let file = lab.write(&format!("haproxy-{port}.cfg"), configuration)?;
        let process = serve(lab, &file, &[first, second, silent])?;
        Ok(Self { first, second, silent, _process: process })
    }
}

fn serve(lab: &Lab, configuration: &std::path::Path, ports: &[u16]) -> Outcome<Process> {
    let mut process = lab.start("haproxy", Command::new("haproxy").args(["-db", "-f"]).arg(configuration))?;
    for port in ports {
        wait_listening(&mut process, *port)?;
    }
    Ok(process)
}

/// The network address of an event without its port.
fn ip(event: &Value) -> &str {
    let address = event["address"].as_str().unwrap_or_default();
    address.rsplit_once(':').map_or(address, |(ip, _)| ip)
}

/// Whether every event of this kind is about an address, and how many there are.
fn expect_from(site: &Site<'_>, kind: &str, count: usize, address: &str) -> Outcome {
    let events = wait_for(kind, SOON, || site.audit_of(kind).ok().filter(|events| events.len() >= count))?;
    if events.len() == count && events.iter().all(|event| ip(event) == address) {
        return Ok(());
    }
    Err(format!("not {count} times {kind} from {address}: {events:?}"))
}

/// Does something until it is in the audit log as coming from an address. What strangers do is written down once a
/// second at most.
fn expect_audited(
    site: &Site<'_>,
    kind: &str,
    address: &str,
    mut attempt: impl FnMut() -> Outcome,
) -> Outcome {
    let events = wait_for(kind, SOON, || match attempt() {
        Err(error) => Some(Err(error)),
        Ok(()) => site.audit_of(kind).ok().filter(|events| !events.is_empty()).map(Ok),
    })??;
    if events.iter().all(|event| ip(event) == address) {
        return Ok(());
    }
    Err(format!("{kind} is not from {address}: {events:?}"))
}

/// Sends what begins a connection, and waits until the gateway has hung up.
fn send(port: u16, bytes: &[u8]) -> Outcome {
    let mut stream = connect(port)?;
    stream.write_all(bytes).map_err(failed("the first bytes"))?;
    until_closed(&mut stream, SOON).map(drop)
}

#[test]
fn vnc_viewers_behind_a_load_balancer_are_known_by_their_own_address() {
    Lab::run(|lab| {
        let target = Target::quiet()?;
        let listen = format!("proxy_protocol: {{ vnc: [{BALANCER}] }}");
        let mut site = Site::start(lab, Setup::new(&target).listen(&listen))?;
        let balancer = Balancer::start(lab, site.port)?;
        for port in [balancer.first, balancer.second] {
            let stream = connect_from(TECHNICIAN, port)?;
            Viewer::login_on(stream, &site.ticket()?)?.refresh()?;
        }
        // Who does not come through the balancer is known by the address of the connection, as ever.
        Viewer::login(&site, &site.ticket()?)?.refresh()?;
        site.wait_ends(3)?;
        let starts = site.audit_of("session.started")?;
        if starts.iter().map(ip).collect::<Vec<_>>() != ["127.0.0.9", "127.0.0.9", "127.0.0.1"] {
            return Err(format!("sessions come from elsewhere: {starts:?}"));
        }
        let log = site.log()?;
        let named = |line: &&str| line.contains("peer=127.0.0.9:") && line.contains("proxy=127.0.0.7:");
        if !log.lines().any(|line| named(&line)) {
            return Err("the log does not say who and through whom".into());
        }

        // A balancer that says nothing gets nothing, and nobody else is believed.
        expect_audited(&site, "proxy.refused", BALANCER, || {
            send(balancer.silent, b"RFB 003.008\n\x01\x02\x03")
        })?;
        expect_audited(&site, "viewer.refused", "127.0.0.1", || {
            send(site.port, b"PROXY TCP4 192.0.2.7 127.0.0.1 4711 5900\r\nRFB 003.008\n")
        })?;

        // Failures count against who fails, not against the balancer; here it takes one.
        site.append("lockout: { address: { free: 1, first: 1m } }\n")?;
        site.reload(|_| Ok(()))?;
        site.wait_logged("the configuration was reloaded")?;
        let mut wrong = site.ticket()?;
        wrong.vnc_password = "00000000".into();
        for _ in 0..2 {
            let refused = Viewer::login_on(connect_from(TECHNICIAN, balancer.first)?, &wrong);
            expect_refusal(refused.map(drop), "")?;
        }
        expect_from(&site, "login.refused", 2, "127.0.0.9")?;
        let right = site.ticket()?;
        expect_audited(&site, "login.locked", "127.0.0.9", || {
            let locked = Viewer::login_on(connect_from(TECHNICIAN, balancer.second)?, &right);
            expect_refusal(locked.map(drop), "")
        })?;
        let other = connect_from(Ipv4Addr::new(127, 0, 0, 10), balancer.second)?;
        Viewer::login_on(other, &right)?.refresh()
    });
}

#[test]
fn rdp_clients_behind_a_load_balancer_are_known_by_their_own_address() {
    Lab::run(|lab| {
        let setup = Setup::rdp().listen(&format!("proxy_protocol: {{ rdp: [{BALANCER}] }}"));
        let site = Site::start(lab, setup.target("desk", free_port()?, ""))?;
        let balancer = Balancer::start(lab, site.port)?;
        for port in [balancer.first, balancer.second] {
            let login = Login {
                port,
                username: Some("alice:desk".to_owned()),
                password: "0123456789ABCDEF".to_owned(),
                authority: site.data().join("self-signed.crt"),
            };
            attempt(lab, &login, "nla")?;
        }
        // FreeRDP connects from the default address, and not from the balancer's.
        expect_from(&site, "login.refused", 2, "127.0.0.1")?;

        expect_audited(&site, "viewer.refused", "127.0.0.1", || {
            send(site.port, b"PROXY TCP4 192.0.2.7 127.0.0.1 4711 3389\r\n")
        })?;
        expect_audited(&site, "proxy.refused", BALANCER, || {
            send(balancer.silent, &[3, 0, 0, 19, 14, 0xe0, 0, 0, 0, 0, 0, 1, 0, 8, 0, 3, 0, 0, 0])
        })
    });
}

/// The status with which the API answers curl's attempt to log in from an address.
fn log_in(site: &Site<'_>, port: u16, from: Ipv4Addr, more: &[&str]) -> Outcome<String> {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--output", "/dev/null", "--write-out", "%{http_code}", "--max-time", "30"])
        .args(["--interface", &from.to_string(), "--ipv4", "--cacert"])
        .arg(site.data().join("self-signed.crt"))
        .args(["--json", "{\"username\":\"alice\",\"password\":\"wrong\"}"])
        .args(more)
        .arg(format!("https://localhost:{port}/api/v1/login"));
    read(&mut curl).map(|status| String::from_utf8_lossy(&status).into_owned())
}

#[test]
fn the_api_behind_proxies_knows_who_calls() {
    Lab::run(|lab| {
        let (https, list, elements) = (free_port()?, free_port()?, free_port()?);
        let target = Target::quiet()?;
        let listen = format!("https: 127.0.0.1:{https}, proxy_protocol: {{ https: [{BALANCER}] }}");
        let setup = Setup::new(&target)
            .listen(&listen)
            .with("tls: { self_signed: true }\napi: { trusted_proxies: [127.0.0.6, 127.0.0.5] }");
        let mut site = Site::start(lab, setup)?;
        let balancer = Balancer::start(lab, https)?;
        for port in [balancer.first, balancer.second] {
            let status = log_in(&site, port, TECHNICIAN, &["--header", "X-Forwarded-For: 192.0.2.7"])?;
            if status != "401" {
                return Err(format!("{status} instead of 401"));
            }
        }
        expect_from(&site, "login.refused", 2, "127.0.0.9")?;
        expect_audited(&site, "proxy.refused", BALANCER, || {
            match log_in(&site, balancer.silent, TECHNICIAN, &[]) {
                Ok(_) => Err("a load balancer need not say where connections come from".into()),
                Err(_) => Ok(()),
            }
        })?;
        if log_in(&site, https, TECHNICIAN, &["--haproxy-protocol"]).is_ok() {
            return Err("somebody who is no load balancer may say where they come from".into());
        }

        // A proxy that reads HTTP and speaks TLS of its own, and one before it that is ours, too.
        let certificate = ["self-signed.crt", "self-signed.key"]
            .map(|name| std::fs::read(site.data().join(name)).map_err(|error| format!("{name}: {error}")));
        let [certificate, key] = certificate;
        let pem = lab.write_secret("proxy.pem", [certificate?, key?].concat())?;
        let listen = |name: &str, at: u16, rule: &str| {
            format!(
                "listen {name}\n  bind 127.0.0.1:{at} ssl crt {}\n  {rule}\n  \
                 server gateway 127.0.0.1:{https} ssl verify none source 127.0.0.6\n",
                pem.display()
            )
        };
        let configuration = [
            "global\n  ssl-default-bind-options ssl-min-ver TLSv1.2\ndefaults\n  mode http\n  timeout connect 30s\n  timeout client 60s\n  timeout server 60s\n"
                .to_owned(),
            listen("list", list, "option forwardfor"),
            listen("elements", elements, "http-request add-header Forwarded \"for=%[src];proto=https\""),
        ]
        .concat();
        let file = lab.write("haproxy-http.cfg", configuration)?;
        let _proxy = serve(lab, &file, &[list, elements])?;
        let from = |octet| Ipv4Addr::new(127, 0, 0, octet);
        let invented = ["--header", "X-Forwarded-For: 192.0.2.7", "--header", "Forwarded: for=192.0.2.8"];
        log_in(&site, list, from(21), &invented)?;
        // What a trusted proxy before the trusted proxy says.
        log_in(&site, list, from(5), &["--header", "X-Forwarded-For: 192.0.2.7, 127.0.0.22"])?;
        // From elsewhere, and directly, the header says nothing.
        log_in(&site, https, from(23), &invented)?;
        site.reload(|site| {
            site.replace("trusted_proxies:", "forwarded_header: forwarded, trusted_proxies:")
        })?;
        site.wait_logged("the configuration was reloaded")?;
        log_in(&site, elements, from(24), &invented)?;
        // An open quote, which would hide what follows it in the same line.
        log_in(&site, elements, from(25), &["--header", "Forwarded: for=\"192.0.2.7"])?;
        let events = site.audit_of("login.refused")?;
        let found: Vec<_> = events.iter().skip(2).map(ip).collect();
        if found != ["127.0.0.21", "127.0.0.22", "127.0.0.23", "127.0.0.24", "127.0.0.25"] {
            return Err(format!("callers come from elsewhere: {found:?}"));
        }
        Ok(())
    });
}
