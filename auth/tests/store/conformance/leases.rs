//! A lease...

use passerelle_auth::{
    Fence, Lease, LeaseRequest, Limit, Renewal, Revocation, Session, SessionId, SessionLimits, Store,
    StoreError, StoreEvent, Timestamp,
};
use passerelle_desktop::{Permission, Permissions};

use super::{Fixture, address, at, seconds};
use crate::samples::request;

fn id(number: u8) -> SessionId {
    SessionId::from_bytes([number; 16])
}

fn session(request: &LeaseRequest, started_at: Timestamp) -> Session {
    Session {
        id: request.session,
        node: request.node.clone(),
        technician: request.technician.clone(),
        target: request.target.clone(),
        protocol: request.protocol.clone(),
        address: request.address,
        started_at,
        revoked: None,
    }
}

fn by(name: &str) -> Revocation {
    Revocation { by: name.to_owned(), reason: "end of shift".to_owned() }
}

async fn leased(store: &dyn Store, request: &LeaseRequest, now: Timestamp) -> Fence {
    match store.lease(request, now).await.unwrap() {
        Lease::Leased { fence } => fence,
        other => panic!("{other:?}"),
    }
}

async fn running(store: &dyn Store, now: Timestamp) -> Vec<SessionId> {
    store.sessions(now).await.unwrap().iter().map(|session| session.id).collect()
}

const HOLDS: Renewal = Renewal::Renewed { revoked: None, permissions: None, epoch: 0 };

/// A renewal with the epoch left out, which stores choose.
async fn renew(store: &dyn Store, session: SessionId, fence: Fence, now: Timestamp) -> Renewal {
    match store.renew(session, fence, seconds(10), now).await.unwrap() {
        Renewal::Renewed { revoked, permissions, .. } => Renewal::Renewed { revoked, permissions, epoch: 0 },
        Renewal::Lost => Renewal::Lost,
    }
}

pub(crate) async fn ends_unless_renewed(fixture: Fixture) {
    let store = fixture.store();
    let mut other = request(2);
    (other.node, other.technician, other.address) = ("b".into(), "bob".into(), address("2001:db8::1"));
    let fence = leased(store, &request(1), at(0)).await;
    leased(store, &other, at(1)).await;
    let both = vec![session(&request(1), at(0)), session(&other, at(1))];
    for node in &fixture.nodes {
        assert_eq!(node.sessions(at(9)).await.unwrap(), both);
    }
    assert_eq!(running(store, at(10)).await, [id(2)]);

    assert_eq!(renew(store, id(1), fence, at(9)).await, HOLDS);
    assert_eq!(running(store, at(18)).await, [id(1)]);
    assert_eq!(renew(store, id(1), fence, at(19)).await, Renewal::Lost);
    assert_eq!(running(store, at(19)).await, []);
}

pub(crate) async fn limits_hold_in_a_race(fixture: Fixture) {
    let limits = |per_technician, per_target, global| SessionLimits { per_technician, per_target, global };
    for (round, limits) in [
        (0, limits(Some(7), None, None)),
        (1, limits(None, Some(7), None)),
        (2, limits(None, None, Some(7))),
        (3, limits(Some(8), Some(7), Some(9))),
    ] {
        let now = at(100 * round);
        let leases = fixture
            .race(100, move |store, index| async move {
                let mut request = LeaseRequest { limits, ..request(u8::try_from(index).unwrap()) };
                if limits.per_technician.is_none() {
                    request.technician = format!("technician {index}");
                }
                if limits.per_target.is_none() {
                    request.target = format!("target {index}");
                }
                store.lease(&request, now).await.unwrap()
            })
            .await;
        let mut fences: Vec<_> = leases
            .iter()
            .filter_map(|lease| if let Lease::Leased { fence } = lease { Some(*fence) } else { None })
            .collect();
        fences.sort_unstable();
        fences.dedup();
        assert_eq!(fences.len(), 7, "round {round}");
        assert_eq!(running(fixture.store(), now).await.len(), 7, "round {round}");
    }
}

pub(crate) async fn limits_say_which_and_who(fixture: Fixture) {
    let store = fixture.store();
    leased(store, &request(1), at(0)).await;
    leased(store, &LeaseRequest { technician: "bob".into(), ..request(2) }, at(1)).await;
    leased(store, &LeaseRequest { target: "back-office".into(), ..request(3) }, at(2)).await;
    let limits = |per_technician, per_target, global| SessionLimits { per_technician, per_target, global };
    for (limits, expected) in [
        (limits(Some(2), Some(2), Some(3)), Some((Limit::PerTarget, 2, vec![id(1), id(2)]))),
        (limits(Some(2), Some(3), Some(3)), Some((Limit::PerTechnician, 2, vec![id(1), id(3)]))),
        (limits(Some(3), None, Some(3)), Some((Limit::Global, 3, vec![id(1), id(2), id(3)]))),
        (limits(Some(0), None, None), Some((Limit::PerTechnician, 0, vec![id(1), id(3)]))),
        (limits(Some(3), Some(3), Some(4)), None),
    ] {
        match (store.lease(&LeaseRequest { limits, ..request(4) }, at(3)).await.unwrap(), expected) {
            (Lease::Refused { limit, allowed, holders }, Some((which, number, who))) => {
                let holders: Vec<_> = holders.iter().map(|session| session.id).collect();
                assert_eq!((limit, allowed, holders), (which, number, who));
            }
            (Lease::Leased { .. }, None) => {}
            other => panic!("{other:?}"),
        }
    }
    for number in 5..60 {
        leased(store, &request(number), at(4)).await;
    }
    let full = LeaseRequest { limits: limits(None, None, Some(10)), ..request(60) };
    let lease = store.lease(&full, at(4)).await.unwrap();
    assert!(matches!(&lease, Lease::Refused { holders, .. } if holders.len() == Lease::HOLDERS), "{lease:?}");
}

pub(crate) async fn ended_ones_make_room(fixture: Fixture) {
    let store = fixture.store();
    let limits = SessionLimits { per_target: Some(1), ..SessionLimits::default() };
    let only = |number| LeaseRequest { limits, ..request(number) };
    let fence = leased(store, &only(1), at(0)).await;
    assert!(matches!(store.lease(&only(2), at(9)).await.unwrap(), Lease::Refused { .. }));
    assert!(store.release(id(1), fence, at(9)).await.unwrap());
    leased(store, &only(2), at(9)).await;
    assert!(matches!(store.lease(&only(3), at(18)).await.unwrap(), Lease::Refused { .. }));
    leased(store, &only(3), at(19)).await;
}

pub(crate) async fn only_the_holder_renews_and_releases(fixture: Fixture) {
    let store = fixture.store();
    let fence = leased(store, &request(1), at(0)).await;
    let later = leased(store, &request(2), at(0)).await;
    assert!(fence < later);
    assert_eq!(renew(store, id(1), later, at(1)).await, Renewal::Lost);
    assert_eq!(renew(store, id(3), fence, at(1)).await, Renewal::Lost);
    assert!(!store.release(id(1), later, at(1)).await.unwrap());
    assert!(!store.release(id(3), fence, at(1)).await.unwrap());
    assert_eq!(running(store, at(1)).await, [id(1), id(2)]);
    let error = store.lease(&request(1), at(1)).await.unwrap_err();
    assert!(matches!(error, StoreError::Duplicate { what: "session", .. }), "{error}");
    assert!(store.release(id(1), fence, at(1)).await.unwrap());
    assert!(!store.release(id(1), fence, at(1)).await.unwrap());
    assert_eq!(renew(store, id(1), fence, at(1)).await, Renewal::Lost);
}

pub(crate) async fn may_come_back_after_its_end(fixture: Fixture) {
    let store = fixture.store();
    let first = leased(store, &request(1), at(0)).await;
    let second = leased(store, &request(1), at(15)).await;
    assert!(first < second);
    assert_eq!(store.sessions(at(16)).await.unwrap(), [session(&request(1), at(0))], "its start is kept");
    assert_eq!(renew(store, id(1), first, at(16)).await, Renewal::Lost);
    assert!(!store.release(id(1), first, at(16)).await.unwrap());
    assert_eq!(renew(store, id(1), second, at(16)).await, HOLDS);
    // The end of a lease does not keep its holder from releasing it.
    assert!(store.release(id(1), second, at(100)).await.unwrap());
}

pub(crate) async fn revocation_reaches_the_holder(fixture: Fixture) {
    let store = fixture.store();
    let fence = leased(store, &request(1), at(0)).await;
    let other = leased(store, &request(2), at(0)).await;
    assert!(fixture.nodes[1].revoke(id(1), &by("carol"), at(1)).await.unwrap());
    assert!(store.revoke(id(1), &by("dave"), at(1)).await.unwrap());
    assert!(!store.revoke(id(3), &by("carol"), at(1)).await.unwrap());
    for now in [2, 11, 20] {
        let renewal = renew(store, id(1), fence, at(now)).await;
        assert_eq!(renewal, Renewal::Renewed { revoked: Some(by("carol")), permissions: None, epoch: 0 });
    }
    for now in [9, 18] {
        assert_eq!(renew(store, id(2), other, at(now)).await, HOLDS);
    }
    let sessions = store.sessions(at(21)).await.unwrap();
    let revoked: Vec<_> = sessions.into_iter().map(|session| (session.id, session.revoked)).collect();
    assert_eq!(revoked, [(id(1), Some(by("carol"))), (id(2), None)]);
}

pub(crate) async fn revocation_outlives_the_lease(fixture: Fixture) {
    let store = fixture.store();
    leased(store, &request(1), at(0)).await;
    leased(store, &request(2), at(0)).await;
    assert!(store.revoke(id(1), &by("carol"), at(1)).await.unwrap());
    assert!(!store.revoke(id(2), &by("carol"), at(10)).await.unwrap(), "its lease has ended");
    for number in [1, 2] {
        assert_eq!(store.lease(&request(number), at(20)).await.unwrap(), Lease::Revoked(by("carol")));
    }
    assert_eq!(running(store, at(20)).await, []);
}

pub(crate) async fn permissions_reach_the_holder(fixture: Fixture) {
    let store = fixture.store();
    let mut watcher = store.watch();
    let fence = leased(store, &request(1), at(0)).await;
    leased(store, &request(2), at(0)).await;
    let view = Permissions::NONE.with(Permission::View);
    for permissions in [view.with(Permission::Keyboard), Permissions::NONE, view] {
        assert!(fixture.nodes[1].set_permissions(id(1), permissions, at(1)).await.unwrap());
        let asked = Renewal::Renewed { revoked: None, permissions: Some(permissions), epoch: 0 };
        assert_eq!(renew(store, id(1), fence, at(2)).await, asked);
        let event = tokio::time::timeout(seconds(5), watcher.next()).await.unwrap();
        assert_eq!(event, Some(StoreEvent::PermissionsAsked { session: id(1), permissions }));
    }
    assert!(!store.set_permissions(id(3), view, at(2)).await.unwrap(), "there is no such session");
    // What was asked for while a lease had ended holds for the next one.
    assert!(!store.set_permissions(id(2), view, at(10)).await.unwrap(), "its lease has ended");
    let fence = leased(store, &request(2), at(11)).await;
    let asked = Renewal::Renewed { revoked: None, permissions: Some(view), epoch: 0 };
    assert_eq!(renew(store, id(2), fence, at(12)).await, asked);
    assert!(fixture.nodes[1].revoke(id(2), &by("carol"), at(13)).await.unwrap());
    let both = Renewal::Renewed { revoked: Some(by("carol")), permissions: Some(view), epoch: 0 };
    assert_eq!(renew(store, id(2), fence, at(14)).await, both);
}

pub(crate) async fn revocation_is_seen_by_watchers_on_any_node(fixture: Fixture) {
    let mut watchers = [fixture.nodes[0].watch(), fixture.nodes[1].watch(), fixture.nodes[0].watch()];
    leased(fixture.store(), &request(1), at(0)).await;
    fixture.nodes[1].revoke(id(1), &by("carol"), at(1)).await.unwrap();
    for watcher in &mut watchers {
        let event = tokio::time::timeout(seconds(5), watcher.next()).await.unwrap();
        assert_eq!(event, Some(StoreEvent::Revoked { session: id(1), revocation: by("carol") }));
    }
    let mut late = fixture.nodes[0].watch();
    fixture.store().revoke(id(9), &by("carol"), at(1)).await.unwrap();
    let silence = tokio::time::timeout(std::time::Duration::from_millis(100), late.next()).await;
    assert!(silence.is_err(), "no session, no event: {silence:?}");
}

pub(crate) async fn of_a_node_are_abandoned_together(fixture: Fixture) {
    let store = fixture.store();
    leased(store, &request(1), at(0)).await;
    leased(store, &LeaseRequest { node: "b".into(), ..request(2) }, at(1)).await;
    let fence = leased(store, &request(3), at(2)).await;
    // The first one has ended by time and is still told of.
    let expected = [session(&request(1), at(0)), session(&request(3), at(2))];
    assert_eq!(store.abandon("a", at(11)).await.unwrap(), expected);
    assert_eq!(store.abandon("a", at(11)).await.unwrap(), []);
    assert_eq!(renew(store, id(3), fence, at(11)).await, Renewal::Lost);
    assert_eq!(running(store, at(3)).await, [id(2)]);
}

pub(crate) async fn are_purged_an_hour_after_their_end(fixture: Fixture) {
    let store = fixture.store();
    leased(store, &request(1), at(0)).await;
    assert_eq!(store.purge(at(3609)).await.unwrap().leases, 0);
    assert_eq!(store.purge(at(3610)).await.unwrap().leases, 1);
    assert_eq!(store.abandon("a", at(3610)).await.unwrap(), []);
}
