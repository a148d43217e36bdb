//! Logins over VNC, from connecting to the target's desktop.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::UNIX_EPOCH;

use anyhow::{Context, Result, anyhow};
use rustls::ClientConfig;

use super::Bench;
use crate::bench::auth::control::Control;
use crate::bench::auth::secure;
use crate::bench::auth::site::{PASSWORD, Site, Size, last_target};
use crate::bench::auth::tokens::Provider;
use crate::bench::clock;
use crate::bench::gateway::Gateway;
use crate::bench::peer::Peer;
use crate::bench::vnc::client::{Endpoint, Login, RAW, Viewer, Wire};
use crate::bench::vnc::source::Source;

/// How somebody logs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    /// With the short secret of a ticket, over VNC authentication.
    ShortTicket,
    /// With a ticket, over TLS.
    Ticket,
    /// With a token of an identity provider, over TLS.
    Token,
    /// With a password, over TLS.
    Password,
}

impl Method {
    const ALL: [Self; 4] = [Self::ShortTicket, Self::Ticket, Self::Token, Self::Password];

    const fn name(self) -> &'static str {
        match self {
            Self::ShortTicket => "ticket, VncAuth",
            Self::Ticket => "ticket, TLS",
            Self::Token => "token (EdDSA), TLS",
            Self::Password => "password (argon2id), TLS",
        }
    }
}

/// What one viewer enters.
enum Entry {
    /// Over VNC authentication.
    Short(String),
    /// A user name and a password, over TLS.
    Plain(String, String),
}

impl Bench {
    /// Logins a second by each method, one after the other and eight at a time.
    pub(super) fn logins(&mut self) -> Result<()> {
        if !self.options.wants("logins") {
            return Ok(());
        }
        let mut provider = Provider::new()?;
        let source = Source::start()?;
        let site = Site::new(source.address(), &provider, &self.directory)?;
        let (gateway, _) = site.start(Size::SMALL, &self.passerelle, &self.directory)?;
        let tls = secure::tls(&site.der)?;
        let (rounds, logins) = (self.options.pick(5, 2), self.options.pick(200, 40));
        for viewers in [1, 8] {
            self.interleave(
                &format!("logins, {viewers} at a time"),
                rounds,
                &Method::ALL,
                |bench, method| {
                    let entries =
                        entries(*method, &gateway, &mut provider, &last_target(Size::SMALL), logins)?;
                    let rate = rate(gateway.address(), &tls, entries, viewers)?;
                    let name = format!("logins by {}, {viewers} at a time", method.name());
                    bench.enter_rate("logins", name, Peer::Plain, rate);
                    Ok(())
                },
            )?;
        }
        Ok(())
    }
}

/// Logins a second with tickets of `gateway` for `target`, eight at a time.
pub(super) fn with_tickets(gateway: &Gateway, target: &str, count: usize) -> Result<f64> {
    let mut control = Control::connect(gateway.control())?;
    let tickets = control.tickets(target, count)?;
    let entries = tickets.into_iter().map(|ticket| Entry::Short(ticket.vnc_password)).collect();
    // Not used over VNC authentication.
    let tls =
        ClientConfig::builder().with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth();
    rate(gateway.address(), &Arc::new(tls), entries, 8)
}

fn entries(
    method: Method,
    gateway: &Gateway,
    provider: &mut Provider,
    target: &str,
    count: usize,
) -> Result<Vec<Entry>> {
    let user = format!("alice:{target}");
    match method {
        Method::ShortTicket | Method::Ticket => {
            let tickets = Control::connect(gateway.control())?.tickets(target, count)?;
            let entry = |ticket: crate::bench::gateway::Ticket| match method {
                Method::ShortTicket => Entry::Short(ticket.vnc_password),
                _ => Entry::Plain(ticket.username, ticket.ticket),
            };
            Ok(tickets.into_iter().map(entry).collect())
        }
        Method::Token => {
            let now = clock::wall().duration_since(UNIX_EPOCH).context("the clock is before 1970")?.as_secs();
            Ok((0..count).map(|_| Entry::Plain(user.clone(), provider.token(now))).collect())
        }
        Method::Password => Ok((0..count).map(|_| Entry::Plain(user.clone(), PASSWORD.to_owned())).collect()),
    }
}

/// How many of these logins succeed a second, with so many viewers.
fn rate(address: SocketAddr, tls: &Arc<ClientConfig>, entries: Vec<Entry>, viewers: usize) -> Result<f64> {
    let count = entries.len();
    let open = Arc::new(Mutex::new(VecDeque::from(entries)));
    let began = clock::now();
    let workers: Vec<_> = (0..viewers)
        .map(|_| {
            let (open, tls) = (open.clone(), tls.clone());
            thread::spawn(move || -> Result<()> {
                loop {
                    let Some(entry) = open.lock().unwrap_or_else(PoisonError::into_inner).pop_front() else {
                        return Ok(());
                    };
                    match entry {
                        Entry::Short(secret) => {
                            let login = Login::Password(secret);
                            drop(Viewer::connect(&Endpoint { address, wire: Wire::Tcp, login }, &[RAW])?);
                        }
                        Entry::Plain(user, password) => secure::log_in(address, &tls, &user, &password)?,
                    }
                }
            })
        })
        .collect();
    for worker in workers {
        worker.join().map_err(|_| anyhow!("a viewer's thread panicked"))??;
    }
    Ok(count as f64 / clock::now().duration_since(began).as_secs_f64())
}
