//! Whether the store answers, and whether it still knows what it knew.

use std::sync::Arc;
use std::time::Duration;

use passerelle_auth::{StoreError, Timestamp};
use passerelle_recorder::audit::{AuditEvent, AuditKind, Outcome};
use tokio::time::MissedTickBehavior;

use crate::ambient;
use crate::gateway::Gateway;

/// How often the store is asked.
const PERIOD: Duration = Duration::from_secs(1);

/// What is known of the store.
#[derive(Debug)]
struct Health {
    answers: bool,
    /// From when on it remembers.
    since: Option<Timestamp>,
}

/// Something to tell people.
#[derive(Debug, PartialEq, Eq)]
enum Change {
    Unavailable,
    Recovered,
    Emptied { since: Timestamp },
}

impl Health {
    /// What an answer changes.
    fn learn<E>(&mut self, answer: Result<Timestamp, E>) -> Vec<Change> {
        let Ok(since) = answer else {
            return if std::mem::take(&mut self.answers) { vec![Change::Unavailable] } else { Vec::new() };
        };
        let mut changes = Vec::new();
        if !std::mem::replace(&mut self.answers, true) {
            changes.push(Change::Recovered);
        }
        if self.since.replace(since).is_some_and(|known| known != since) {
            changes.push(Change::Emptied { since });
        }
        changes
    }
}

/// Asks the store every second, and tells the log, the audit log and the metrics what changes, until dropped.
///
/// The question also settles from when on an emptied store remembers, within a second of its loss.
pub(crate) async fn watch(gateway: Arc<Gateway>) {
    let mut period = tokio::time::interval(PERIOD);
    period.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut health = Health { answers: true, since: None };
    loop {
        period.tick().await;
        let answer = gateway.store.since(ambient::now()).await;
        for change in health.learn(answer.as_ref().copied()) {
            tell(&gateway, change, answer.as_ref().err());
        }
        gateway.metrics.store(health.answers);
    }
}

fn tell(gateway: &Gateway, change: Change, error: Option<&StoreError>) {
    let event = match change {
        Change::Unavailable => {
            let error = error.map(ToString::to_string).unwrap_or_default();
            let grace = gateway.policy().config.limits.store_grace.get();
            tracing::error!(
                error,
                grace_seconds = grace.as_secs(),
                "the store does not answer: no session can begin, and those that run end after limits.store_grace"
            );
            AuditEvent::new(AuditKind::StoreUnavailable).outcome(Outcome::Failed).message(error)
        }
        Change::Recovered => {
            tracing::info!("the store answers again");
            AuditEvent::new(AuditKind::StoreRecovered).outcome(Outcome::Success)
        }
        Change::Emptied { since } => {
            tracing::error!(
                %since,
                "the store has lost what it remembered: tickets, approvals, API logins, locks, targets added through the API \
                 and certificates trusted on first use are gone; give out new recovery codes where some were used"
            );
            AuditEvent::new(AuditKind::StoreEmptied)
                .outcome(Outcome::Failed)
                .message("the store has lost what it remembered")
                .detail("since", since.to_string())
        }
    };
    gateway.audit.note(event);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_change_is_told_once() {
        let at = Timestamp::from_millis;
        let mut health = Health { answers: true, since: None };
        for (answer, changes) in [
            (Ok(at(5)), vec![]),
            (Ok(at(5)), vec![]),
            (Err(()), vec![Change::Unavailable]),
            (Err(()), vec![]),
            (Ok(at(5)), vec![Change::Recovered]),
            (Ok(at(7)), vec![Change::Emptied { since: at(7) }]),
            (Ok(at(7)), vec![]),
            (Err(()), vec![Change::Unavailable]),
            (Ok(at(9)), vec![Change::Recovered, Change::Emptied { since: at(9) }]),
        ] {
            assert_eq!(health.learn(answer), changes, "{answer:?}");
        }
    }

    #[test]
    fn a_store_that_is_away_from_the_start_is_told_too() {
        let mut health = Health { answers: true, since: None };
        assert_eq!(health.learn(Err(())), [Change::Unavailable]);
        assert_eq!(health.learn::<()>(Ok(Timestamp::from_millis(5))), [Change::Recovered]);
    }
}
