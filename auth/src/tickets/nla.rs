//! Tickets through NLA, where the client proves that it knows a secret and does not show it.

use std::fmt;
use std::net::IpAddr;

use super::{Redeemed, Refusal, Tickets};
use crate::{Claimant, Login, LoginError, Secret, TicketId, TicketKey, Timestamp};

/// How many secrets are compared with one proof.
const MOST_CANDIDATES: usize = 8;

/// The secrets that a user name may have proved knowledge of, see [`Tickets::candidates_for`].
pub struct NlaCandidates {
    login: Result<Login, LoginError>,
    secrets: Vec<Secret>,
    ids: Vec<TicketId>,
    /// How many of them are open; they come first.
    open: usize,
}

impl NlaCandidates {
    /// The 16-character tickets as they were issued, in upper case. NTLM takes the very characters that were
    /// typed, so each is to be tried in lower case too.
    pub fn secrets(&self) -> &[Secret] {
        &self.secrets
    }

    /// Whether the client could have used the ticket at `index` when they were looked up: for the first time,
    /// or for coming back. To redeem another is a replay, and refused.
    pub fn is_open(&self, index: usize) -> bool {
        index < self.open
    }
}

impl fmt::Debug for NlaCandidates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NlaCandidates").field("login", &self.login).field("tickets", &self.ids).finish()
    }
}

impl Tickets {
    /// The secrets with which somebody who gives this user name may prove who they are.
    ///
    /// At most 8: first those that the client at `address` could use, the newest first, then those that
    /// were used, so that a replay is known for what it is. There are none when nobody has this name or it
    /// is no name; that must look like a wrong secret.
    ///
    /// What follows is either [`redeem_candidate`](Self::redeem_candidate) or
    /// [`candidate_refused`](Self::candidate_refused).
    ///
    /// # Errors
    /// [`Refusal::Locked`] and [`Refusal::Store`].
    pub async fn candidates_for(
        &self,
        login: &str,
        address: IpAddr,
        now: Timestamp,
    ) -> Result<NlaCandidates, Refusal> {
        let login = Login::parse(login);
        self.unlocked(&claimant(&login, address).attempt_keys(), now).await?;
        let mut candidates = match &login {
            Ok(login) => self.store.candidates(Some(login), now).await?,
            Err(_) => Vec::new(),
        };
        // The sort is stable: of the same kind the newest stay first.
        candidates.reverse();
        candidates.sort_by_key(|candidate| !candidate.is_open_to(address, now));
        let unsealed: Vec<_> = candidates
            .iter()
            .filter_map(|candidate| Some((self.keys.open(candidate)?.ticket, candidate)))
            .take(MOST_CANDIDATES)
            .collect();
        let open = unsealed.iter().filter(|(_, candidate)| candidate.is_open_to(address, now)).count();
        let (secrets, ids) = unsealed.into_iter().map(|(secret, candidate)| (secret, candidate.id)).unzip();
        Ok(NlaCandidates { login, secrets, ids, open })
    }

    /// Redeems the ticket whose secret was proved: the one at `index` of [`NlaCandidates::secrets`].
    ///
    /// # Errors
    /// See [`Refusal`].
    pub async fn redeem_candidate(
        &self,
        candidates: &NlaCandidates,
        index: usize,
        address: IpAddr,
        now: Timestamp,
    ) -> Result<Redeemed, Refusal> {
        let Some(id) = candidates.ids.get(index) else {
            return Err(self.candidate_refused(candidates, address, now).await);
        };
        self.claim(&TicketKey::Id(*id), &claimant(&candidates.login, address), now).await
    }

    /// Counts that none of the secrets was proved, and says so for the audit log.
    pub async fn candidate_refused(
        &self,
        candidates: &NlaCandidates,
        address: IpAddr,
        now: Timestamp,
    ) -> Refusal {
        let refusal = match &candidates.login {
            Ok(_) => Refusal::Unknown,
            Err(error) => Refusal::Login(error.clone()),
        };
        self.wrong(&claimant(&candidates.login, address).attempt_keys(), refusal, now).await
    }
}

fn claimant(login: &Result<Login, LoginError>, address: IpAddr) -> Claimant {
    Claimant { address, login: login.as_ref().ok().cloned(), resume: true }
}
