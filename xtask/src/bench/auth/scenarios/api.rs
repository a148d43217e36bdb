//! The HTTP API on the network.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::json;

use super::Bench;
use crate::bench::auth::control::Control;
use crate::bench::auth::load::{self, Requests, Version};
use crate::bench::auth::site::{PASSWORD, SERVICE_TOKEN, Site, Size, last_target};
use crate::bench::auth::tokens::Provider;
use crate::bench::peer::Peer;
use crate::bench::process::{Process, command, free_address};
use crate::bench::vnc::source::Source;

/// One kind of request, to one server.
struct Variant<'a> {
    name: &'static str,
    peer: Peer,
    version: Version,
    requests: Requests<'a>,
    /// Requests in a full round and in a quick one.
    counts: (u32, u32),
}

impl Bench {
    /// Requests a second over connections that stay open.
    pub(super) fn api(&mut self) -> Result<()> {
        if !self.options.wants("api") {
            return Ok(());
        }
        let source = Source::start()?;
        let site = Site::new(source.address(), &Provider::new()?, &self.directory)?;
        let (gateway, address) = site.start(Size::SMALL, &self.passerelle, &self.directory)?;
        let (large, many) = site.start(Size::LARGE, &self.passerelle, &self.directory)?;
        let (_haproxy, fixed) = self.haproxy(&site)?;
        let credentials = json!({ "username": "alice", "password": PASSWORD });
        let login = self.file("login.json", &credentials.to_string())?;
        let ticket = json!({ "technician": "alice", "target": last_target(Size::SMALL) }).to_string();
        let ticket = self.file("ticket.json", &ticket)?;
        let token = Control::connect(gateway.control())?.log_in(&credentials)?;
        let many_token = Control::connect(large.control())?.log_in(&credentials)?;

        let request = |address: SocketAddr, path: &str, token, body| Requests {
            url: format!("https://{address}{path}"),
            token,
            body,
        };
        let mut variants = Vec::new();
        for version in Version::ALL {
            let mut add = |name, peer, counts, requests| {
                variants.push(Variant { name, peer, version, requests, counts });
            };
            let service = Some(SERVICE_TOKEN);
            let user = Some(token.as_str());
            let reads = (20_000, 4_000);
            let writes = (2_000, 300);
            add("GET, of a program", Peer::Haproxy, reads, request(fixed, "/", service, None));
            add("GET, of a program", Peer::Plain, reads, request(address, "/api/v1/me", service, None));
            add("GET, of a user", Peer::Plain, reads, request(address, "/api/v1/me", user, None));
            add("GET /targets", Peer::Plain, reads, request(address, "/api/v1/targets", user, None));
            let path = "/api/v1/targets?limit=1000";
            add(
                "GET 1,000 of 10,000 targets",
                Peer::Plain,
                (400, 80),
                request(many, path, Some(&many_token), None),
            );
            let path = "/api/v1/tickets";
            add("POST /tickets", Peer::Plain, writes, request(address, path, service, Some(&*ticket)));
            let path = "/api/v1/login";
            add("POST /login", Peer::Plain, (200, 40), request(address, path, None, Some(&*login)));
        }
        let rounds = self.options.pick(5, 2);
        self.interleave("API requests", rounds, &variants, |bench, variant| {
            let (full, quick) = variant.counts;
            let count = bench.options.pick(full, quick);
            let rate = load::per_second(&variant.requests, variant.version, count)
                .with_context(|| format!("{}, {}", variant.name, variant.version.name()))?;
            bench.enter_rate(
                "api",
                format!("{}, {}", variant.name, variant.version.name()),
                variant.peer,
                rate,
            );
            Ok(())
        })
    }

    /// HAProxy that answers each request itself, with as many threads as the gateway has.
    fn haproxy(&self, site: &Site) -> Result<(Process, SocketAddr)> {
        let address = free_address()?;
        let body = json!({ "name": "bench", "kind": "service", "roles": [], "scopes": ["tickets:write"] });
        let answer = self.file("answer.json", &body.to_string())?;
        let configuration = format!(
            "global\n maxconn 2000\ndefaults\n mode http\n timeout connect 5s\n timeout client 1m\n timeout server 1m\n\
             frontend f\n bind {address} ssl crt {} alpn h2,http/1.1\n \
             http-request return status 200 content-type application/json file {}\n",
            site.both.display(),
            answer.display()
        );
        let file = self.file("haproxy.cfg", &configuration)?;
        let mut haproxy = command("haproxy", ["-db", "-f"]);
        haproxy.arg(file);
        let mut haproxy = Process::start("haproxy", haproxy, &self.directory)?;
        haproxy.wait_listening(address)?;
        Ok((haproxy, address))
    }

    fn file(&self, name: &str, content: &str) -> Result<PathBuf> {
        let path = self.directory.join(name);
        fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }
}
