//! From a request for a file to the file, with its ticket.

use passerelle_config::{AddressError, HostPort};

use super::{Connection, ControlCharacter, RdpFile, SignError, Signer};
use crate::api::{Principal, RdpFileAnswer, RdpFileRequest, TicketRequest};
use crate::gateway::Gateway;
use crate::tickets::TicketError;

/// Why there is no file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RdpFileError {
    #[error(
        "where clients reach this gateway is not known: set rdp.public_address, or give --address HOST:PORT"
    )]
    NoAddress,
    #[error("the address {0}")]
    Address(AddressError),
    #[error(transparent)]
    Sign(#[from] SignError),
    #[error(transparent)]
    ControlCharacter(#[from] ControlCharacter),
    #[error(transparent)]
    Ticket(#[from] TicketError),
}

impl Gateway {
    /// Issues a ticket because `caller` asks for it and puts its reference into a `.rdp` file.
    ///
    /// # Errors
    /// There can be no such file, or no such ticket.
    pub(crate) async fn rdp_file(
        &self,
        request: RdpFileRequest,
        caller: &Principal,
    ) -> Result<RdpFileAnswer, RdpFileError> {
        let RdpFileRequest {
            technician,
            target,
            life_seconds,
            permissions,
            address,
            sign,
            reason,
            ticket_id,
            approval,
        } = request;
        // What can fail without a ticket comes first.
        let policy = self.policy();
        let config = &policy.config;
        let address: HostPort = match (address, &config.rdp.public_address) {
            (Some(address), _) => address.parse().map_err(RdpFileError::Address)?,
            (None, Some(address)) => address.clone(),
            (None, None) => return Err(RdpFileError::NoAddress),
        };
        let signer = match sign {
            true => Some(Signer::of_gateway(config.tls.as_ref(), &config.data_dir)?),
            false => None,
        };
        let ticket = TicketRequest {
            technician,
            target,
            life_seconds,
            permissions,
            reference: true,
            reason,
            ticket_id,
            approval,
        };
        let ticket = self.issue_ticket(ticket, caller).await?;
        let file = RdpFile::new(&Connection {
            address: &address,
            username: &ticket.username,
            reference: ticket.reference.as_deref().unwrap_or_default(),
            permissions: ticket.permissions,
            auto_reconnect: config.rdp.auto_reconnect,
        })?;
        let file = match signer {
            Some(signer) => file.signed_text(&signer)?,
            None => file.text(),
        };
        Ok(RdpFileAnswer { file, username: ticket.username, expires_at: ticket.expires_at })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use passerelle_config::{Config, SystemResolver};
    use tempfile::TempDir;

    use super::*;
    use crate::ambient;

    async fn gateway(more: &str) -> (TempDir, Arc<Gateway>) {
        let directory = tempfile::tempdir().unwrap();
        let text = format!(
            "data_dir: {}\n\
             tls: {{ self_signed: true }}\n\
             users: [{{ name: alice, groups: [helpdesk] }}]\n\
             targets:\n\
             - {{ name: desk, protocol: rdp, address: '127.0.0.1:9' }}\n\
             - {{ name: old-desk, protocol: vnc, address: '127.0.0.1:9' }}\n\
             rules:\n\
             - {{ name: all, groups: [helpdesk], targets: ['*'], permissions: [view, drives, audio.out] }}\n\
             recording: {{ disk: {{ refuse: 1MiB }} }}\n{more}",
            directory.path().display()
        );
        let config =
            Config::parse(&text, "p.yaml", &SystemResolver).unwrap_or_else(|errors| panic!("{errors}"));
        let gateway = Gateway::open(config.config).await.unwrap();
        (directory, gateway)
    }

    fn request(target: &str) -> RdpFileRequest {
        RdpFileRequest {
            technician: "alice".to_owned(),
            target: target.to_owned(),
            life_seconds: None,
            permissions: None,
            address: None,
            sign: false,
            reason: None,
            ticket_id: None,
            approval: None,
        }
    }

    fn everything_in(directory: &Path) -> Vec<u8> {
        let mut all = Vec::new();
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                all.extend(everything_in(&path));
            } else {
                all.extend(std::fs::read(path).unwrap());
            }
        }
        all
    }

    fn a_test() -> Principal {
        Principal::owner("a test".to_owned())
    }

    const READY: &str = "listen: { rdp: 127.0.0.1:0 }\nrdp: { public_address: 'gateway.example:3390' }\n";

    #[tokio::test(flavor = "multi_thread")]
    async fn a_file_lets_its_technician_in_once() {
        let (directory, gateway) = gateway(READY).await;
        for sign in [false, true] {
            let answer =
                gateway.rdp_file(RdpFileRequest { sign, ..request("desk") }, &a_test()).await.unwrap();
            assert_eq!(answer.username, "alice:desk");
            let line = |name: &str| answer.file.lines().find_map(|line| line.strip_prefix(name));
            assert_eq!(line("full address:s:"), Some("gateway.example:3390"));
            assert_eq!(line("username:s:"), Some("alice:desk"));
            assert_eq!((line("drivestoredirect:s:"), line("audiomode:i:")), (Some("*"), Some("0")));
            assert_eq!(line("redirectclipboard:i:"), Some("0"), "the rules do not give it");
            assert_eq!(line("signature:s:").is_some(), sign);

            let reference = line("loadbalanceinfo:s:").unwrap();
            let policy = gateway.policy();
            let tickets = policy.tickets(policy.config.tickets.life.get());
            let here = "192.0.2.7".parse().unwrap();
            let redeemed = tickets.redeem_reference(reference, here, ambient::now()).await.unwrap();
            assert_eq!((&*redeemed.ticket.technician, &*redeemed.ticket.target), ("alice", "desk"));
            let there = "192.0.2.8".parse().unwrap();
            let refusal = tickets.redeem_reference(reference, there, ambient::now()).await.unwrap_err();
            assert_eq!(refusal.code(), "used_ticket");
            // Neither the store nor the audit log keeps it.
            let kept = everything_in(directory.path());
            let secret = reference.strip_prefix("passerelle-").unwrap().as_bytes();
            assert!(!kept.windows(secret.len()).any(|window| window.eq_ignore_ascii_case(secret)));
            let issued = b"ticket.issued";
            assert!(kept.windows(issued.len()).any(|window| window == issued));
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_file_says_what_was_asked_for() {
        let (_directory, gateway) = gateway("listen: { rdp: 127.0.0.1:0 }").await;
        let asked = RdpFileRequest {
            address: Some("[2001:db8::1]:3389".to_owned()),
            permissions: Some(vec!["view".to_owned()]),
            life_seconds: Some(5),
            ..request("desk")
        };
        let answer = gateway.rdp_file(asked, &a_test()).await.unwrap();
        assert!(answer.file.starts_with("full address:s:[2001:db8::1]:3389\r\n"));
        assert!(answer.file.contains("drivestoredirect:s:\r\n"));
        let expires: passerelle_auth::Timestamp = answer.expires_at.parse().unwrap();
        assert!(expires.since(ambient::now()) <= std::time::Duration::from_secs(5));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_stands_in_the_way_is_said() {
        let refused = async |gateway: &Gateway, request| match gateway.rdp_file(request, &a_test()).await {
            Ok(answer) => panic!("{}", answer.file),
            Err(error) => error.to_string(),
        };
        let (_directory, ready) = gateway(READY).await;
        let permissions = Some(vec!["pointer".to_owned()]);
        for (request, error) in [
            (
                request("old-desk"),
                "old-desk speaks VNC; .rdp files and references are for targets with `protocol: rdp`",
            ),
            (request("nowhere"), "there is no target `nowhere`; the configuration's `targets` lists them"),
            (
                RdpFileRequest { technician: "bob".to_owned(), ..request("desk") },
                "there is no user `bob`; the configuration's `users` lists those who can have tickets",
            ),
            (
                RdpFileRequest { permissions, ..request("desk") },
                "alice may not connect to desk: the ticket was issued without `view`, which rules give (all)",
            ),
            (
                RdpFileRequest { address: Some("gateway\r\n:1".to_owned()), ..request("desk") },
                "the address has a wrong host; write a host name or an IP address, as in `front-desk.example:5900`",
            ),
            (
                RdpFileRequest { life_seconds: Some(3600), ..request("desk") },
                "a ticket cannot live longer than tickets.life, 60 s, and not less than a second",
            ),
        ] {
            assert_eq!(refused(&ready, request).await, error);
        }
        for (more, error) in [
            (
                "listen: { rdp: 127.0.0.1:0 }",
                "where clients reach this gateway is not known: set rdp.public_address, or give --address HOST:PORT",
            ),
            (
                "listen: { rdp: 127.0.0.1:0 }\nrdp: { public_address: 'g:1', security: [nla] }",
                "rdp.security does not offer `tls`, without which a .rdp file or a reference cannot be used",
            ),
            (
                "listen: { vnc: 127.0.0.1:0 }\nrdp: { public_address: 'g:1' }",
                "no RDP viewer can connect: the configuration has no `listen.rdp`",
            ),
        ] {
            let (_directory, gateway) = gateway(more).await;
            assert_eq!(refused(&gateway, request("desk")).await, error);
        }
    }
}
