//! What most tests put into a store.

use passerelle_auth::{
    Claim, Claimant, Digest, LeaseRequest, LockoutPolicy, SealedSecret, SessionId, SessionLimits, Store,
    StoreError, Ticket, TicketContext, TicketId, TicketKey, TicketRecord,
};

use crate::conformance::{address, at, seconds};

/// A ticket of alice's for the front desk, issued at 0 for a minute. Its secrets are made of `number`.
pub(crate) fn record(number: u8) -> TicketRecord {
    TicketRecord {
        ticket: Ticket {
            id: TicketId::from_bytes([number; 16]),
            technician: "alice".to_owned(),
            target: "front-desk".to_owned(),
            permissions: None,
            address: None,
            issued_at: at(0),
            expires_at: at(60),
            context: TicketContext::default(),
        },
        digests: vec![Digest([number; 32]), Digest([number | 0x80; 32])],
        sealed: Some(SealedSecret(vec![number; 36])),
    }
}

/// Issues that ticket.
pub(crate) async fn issue(store: &dyn Store, number: u8) {
    store.issue(&record(number), at(0)).await.unwrap();
}

/// Claims it at 1 by the first of its secrets, from anywhere.
pub(crate) async fn claim(store: &dyn Store, number: u8) -> Result<Claim, StoreError> {
    let claimant = Claimant { address: address("192.0.2.7"), login: None, resume: false };
    let key = TicketKey::Digest(Digest([number; 32]));
    store.claim(&key, &claimant, &LockoutPolicy::default(), at(1)).await
}

/// Alice's session to the front desk on node a, for 10 s, without limits.
pub(crate) fn request(number: u8) -> LeaseRequest {
    LeaseRequest {
        session: SessionId::from_bytes([number; 16]),
        node: "a".to_owned(),
        technician: "alice".to_owned(),
        target: "front-desk".to_owned(),
        protocol: "vnc".to_owned(),
        address: address("192.0.2.7"),
        ttl: seconds(10),
        limits: SessionLimits::default(),
    }
}
