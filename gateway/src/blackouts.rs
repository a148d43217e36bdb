//! Blackouts: spans of a session of whose screen the recording keeps nothing.

use std::time::Duration;

use passerelle_auth::{Grant, SessionId, StoreError};
use passerelle_config::Config;
use passerelle_desktop::{Blackout, Whose};
use passerelle_recorder::audit::{AuditError, AuditKind, Outcome};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::ambient;
use crate::gateway::Gateway;
use crate::orders::Located;
use crate::session::{BlackoutFailed, BlackoutOrder, Phase};

/// How long whoever asks waits for a session; it answers before.
const PATIENCE: Duration = Duration::from_secs(20);

/// Why a blackout was not begun or ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BlackoutRefused {
    #[error("no rule that let this session in allows blackouts, and `recording.blackout` does not either")]
    NotAllowed,
    #[error("the session is not recorded, so there is nothing to leave out")]
    NotRecorded,
    #[error("the session runs on node {node}; ask the gateway there")]
    Elsewhere { node: String },
    #[error("nothing is shown in this session: it is only beginning, or ending")]
    NotActive,
    #[error(transparent)]
    Failed(BlackoutFailed),
    #[error("there is no blackout in this session")]
    None,
    #[error("the blackout ends as soon as the target has answered; until then nothing of the screen is kept")]
    Ending,
    #[error("the session does not answer; it may have ended")]
    NoAnswer,
    #[error(transparent)]
    Audit(#[from] AuditError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How long a blackout may last in a session with this grant; nothing if none may begin.
pub(crate) fn longest(config: &Config, grant: &Grant) -> Option<Duration> {
    let rules = config.rules.iter().filter(|rule| grant.rules.contains(&rule.name));
    let said: Vec<bool> = rules.filter_map(|rule| rule.blackout).collect();
    let allowed =
        if said.is_empty() { config.recording.blackout } else { said.iter().all(|allowed| *allowed) };
    allowed.then(|| config.recording.blackout_max.0.get())
}

impl Gateway {
    /// Has the recording of a session leave out the screen, and comes back when that has begun. Nothing when no session has
    /// this name.
    ///
    /// # Errors
    /// See [`BlackoutRefused`]. The recording goes on as before.
    pub(crate) async fn begin_blackout(
        &self,
        id: &str,
        asked: Blackout,
    ) -> Result<Option<Located>, BlackoutRefused> {
        let (whose, by, reason) = (asked.whose, asked.by.clone(), asked.reason.clone());
        let begun = self.begin(id, asked).await;
        let refused = match &begun {
            Ok(Some(_)) => {
                self.metrics.blackout("began");
                return begun;
            }
            Ok(None) => return begun,
            Err(refused) => refused,
        };
        self.metrics.blackout(match refused {
            BlackoutRefused::Failed(BlackoutFailed::Silent) | BlackoutRefused::NoAnswer => "failed",
            _ => "refused",
        });
        tracing::info!(session = id, error = %refused, "a blackout did not begin");
        if let Some(entry) = id.parse::<SessionId>().ok().and_then(|id| self.registry.find(id)) {
            let event = entry.facts.event(AuditKind::BlackoutRefused).outcome(Outcome::Refused);
            let event = event.detail("by", by).detail("for", whose.name()).detail("reason", reason);
            self.audit.note(event.message(refused.to_string()));
        }
        begun
    }

    async fn begin(&self, id: &str, asked: Blackout) -> Result<Option<Located>, BlackoutRefused> {
        let Ok(id) = id.parse::<SessionId>() else { return Ok(None) };
        let Some(entry) = self.registry.find(id) else { return self.of_another_node(id).await };
        if !entry.facts.recorded {
            return Err(BlackoutRefused::NotRecorded);
        }
        if entry.blackouts.longest.is_none() {
            return Err(BlackoutRefused::NotAllowed);
        }
        if entry.phase() != Phase::Active {
            return Err(BlackoutRefused::NotActive);
        }
        // That something may be missing is known before it is.
        let event = entry.facts.event(AuditKind::BlackoutAsked).outcome(Outcome::Success);
        let event = event.message(&*asked.reason).detail("by", &*asked.by).detail("for", asked.whose.name());
        self.audit.append(event).await?;
        let (reply, begun) = oneshot::channel();
        if !entry.blackouts.order(BlackoutOrder::Begin { asked, reply }) {
            return Err(BlackoutRefused::NoAnswer);
        }
        match timeout(PATIENCE, begun).await {
            Ok(Ok(Ok(()))) => Ok(Some(Located::Here(entry.view(ambient::now())))),
            Ok(Ok(Err(error))) => Err(BlackoutRefused::Failed(error)),
            Ok(Err(_)) | Err(_) => Err(BlackoutRefused::NoAnswer),
        }
    }

    /// Ends a blackout, and comes back when all is recorded again. Nothing when no session has this name.
    ///
    /// # Errors
    /// See [`BlackoutRefused`].
    pub(crate) async fn end_blackout(&self, id: &str, by: &str) -> Result<Option<Located>, BlackoutRefused> {
        let Ok(id) = id.parse::<SessionId>() else { return Ok(None) };
        let Some(entry) = self.registry.find(id) else { return self.of_another_node(id).await };
        let (reply, ended) = oneshot::channel();
        if !entry.blackouts.order(BlackoutOrder::End { by: by.to_owned(), reply }) {
            return Err(BlackoutRefused::NoAnswer);
        }
        match timeout(PATIENCE, ended).await {
            Ok(Ok(true)) => Ok(Some(Located::Here(entry.view(ambient::now())))),
            Ok(Ok(false)) => Err(BlackoutRefused::None),
            Ok(Err(_)) => Err(BlackoutRefused::NoAnswer),
            Err(_) => Err(BlackoutRefused::Ending),
        }
    }

    async fn of_another_node(&self, id: SessionId) -> Result<Option<Located>, BlackoutRefused> {
        let session = self.store.sessions(ambient::now()).await?.into_iter().find(|session| session.id == id);
        session.map_or(Ok(None), |session| Err(BlackoutRefused::Elsewhere { node: session.node }))
    }
}

/// What is to be said about whose privacy it is for.
pub(crate) fn parse_whose(text: &str) -> Option<Whose> {
    [Whose::Technician, Whose::User].into_iter().find(|whose| whose.name() == text)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use passerelle_config::SystemResolver;
    use passerelle_desktop::Permissions;

    use super::*;

    #[test]
    fn rules_that_say_something_count_and_all_of_them_have_to_allow_it() {
        let text = "listen: { vnc: '127.0.0.1:0' }\nusers: [{ name: a }]\n\
                    rules:\n\
                    - { name: 'yes', users: [a], targets: ['*'], permissions: [view], blackout: true }\n\
                    - { name: 'no', users: [a], targets: ['*'], permissions: [view], blackout: false }\n\
                    - { name: silent, users: [a], targets: ['*'], permissions: [view] }\n";
        let parse =
            |more: &str| Config::parse(&format!("{text}{more}"), "p.yaml", &SystemResolver).unwrap().config;
        let (without, with) = (parse(""), parse("recording: { blackout: true, blackout_max: 90s }\n"));
        let (five, short) = (Duration::from_secs(300), Duration::from_secs(90));
        for (rules, alone, beside) in [
            (&["silent"][..], None, Some(short)),
            (&["yes"], Some(five), Some(short)),
            (&["silent", "yes"], Some(five), Some(short)),
            (&["no", "yes"], None, None),
            (&["no"], None, None),
        ] {
            let grant = Grant {
                permissions: Permissions::NONE,
                requirements: BTreeSet::new(),
                rules: rules.iter().map(ToString::to_string).collect(),
            };
            assert_eq!(longest(&without, &grant), alone, "{rules:?}");
            assert_eq!(longest(&with, &grant), beside, "{rules:?}");
        }
    }
}
