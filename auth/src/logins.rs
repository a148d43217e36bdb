//! Whatever somebody may enter as a password: a ticket, a token, or a password.

mod refusal;

use std::net::IpAddr;

pub use refusal::LoginRefusal;

use crate::{
    Accounts, Claimant, Identity, Issuers, Login, Method, Redeemed, Refusal, Secret, Ticket, TicketContext,
    Tickets, Timestamp, is_jwt,
};

/// Checks what clients send that have a field for the user name and one for the password.
#[derive(Clone)]
pub struct Logins {
    tickets: Tickets,
    accounts: Accounts,
    issuers: Issuers,
}

/// Somebody who has proved who they are, and where they want to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Who.
    pub identity: Identity,
    /// Where to.
    pub target: String,
    /// The ticket that was used up, if it was one.
    pub ticket: Option<Ticket>,
    /// Whether the ticket was used a moment ago from the same address, so that the session that began then goes on.
    pub resumed: bool,
}

impl Entry {
    /// What the rules go by besides names, whether it stands in a ticket or follows from the proof.
    pub fn context(&self) -> TicketContext {
        let of_ticket = self.ticket.as_ref().map(|ticket| ticket.context.clone()).unwrap_or_default();
        TicketContext {
            groups: Some(self.identity.groups.clone()),
            second_factor: self.identity.second_factor,
            ..of_ticket
        }
    }
}

impl Logins {
    /// Takes tickets, passwords of `accounts` and tokens of `issuers`.
    pub const fn new(tickets: Tickets, accounts: Accounts, issuers: Issuers) -> Self {
        Self { tickets, accounts, issuers }
    }

    /// Tickets alone, for methods that carry or prove nothing else.
    pub const fn tickets(&self) -> &Tickets {
        &self.tickets
    }

    /// Checks a user name, `technician:target`, and what came with it as the password. `resume` says that clients
    /// of the protocol may come back with the same ticket within a moment.
    ///
    /// # Errors
    /// See [`LoginRefusal`].
    pub async fn redeem(
        &self,
        login: &str,
        entered: &Secret,
        address: IpAddr,
        resume: bool,
        now: Timestamp,
    ) -> Result<Entry, LoginRefusal> {
        if is_jwt(entered.expose()) && !self.issuers.is_empty() {
            let login = Login::parse(login).map_err(Refusal::Login)?;
            return self.redeem_token(&login, entered, address, now).await;
        }
        let refused = match self.redeem_ticket(login, entered, address, resume, now).await {
            Ok(redeemed) => return self.entry(redeemed),
            Err(refused) => refused,
        };
        // A ticket that was not known counted as a failure already; what follows is the same attempt.
        let same_attempt = matches!(refused, Refusal::Unknown | Refusal::NoTicket);
        match Login::parse(login) {
            Ok(login) if same_attempt && self.accounts.any_password() => {
                let claimant = Claimant { address, login: Some(login.clone()), resume };
                let keys = claimant.attempt_keys();
                let identity = self.accounts.log_in_counted(&login.technician, entered, &keys, now).await?;
                Ok(Entry { identity, target: login.target, ticket: None, resumed: false })
            }
            _ => Err(refused.into()),
        }
    }

    /// What somebody may be taken for who used up a ticket.
    ///
    /// # Errors
    /// [`LoginRefusal::Departed`] when the technician was removed since the ticket was issued.
    pub fn entry(&self, redeemed: Redeemed) -> Result<Entry, LoginRefusal> {
        let Redeemed { ticket, resumed, .. } = redeemed;
        let groups = match &ticket.context.groups {
            Some(groups) => groups.clone(),
            None => match self.accounts.groups(&ticket.technician) {
                Some(groups) => groups.to_vec(),
                None => return Err(LoginRefusal::Departed { ticket: Box::new(ticket) }),
            },
        };
        let identity = Identity {
            technician: ticket.technician.clone(),
            groups,
            issuer: None,
            method: Method::Ticket,
            second_factor: ticket.context.second_factor,
            permissions: ticket.permissions,
            target: Some(ticket.target.clone()),
        };
        Ok(Entry { identity, target: ticket.target.clone(), ticket: Some(ticket), resumed })
    }

    async fn redeem_ticket(
        &self,
        login: &str,
        entered: &Secret,
        address: IpAddr,
        resume: bool,
        now: Timestamp,
    ) -> Result<Redeemed, Refusal> {
        if resume {
            self.tickets.redeem_rdp_password(login, entered.expose(), address, now).await
        } else {
            self.tickets.redeem_password(login, entered.expose(), address, now).await
        }
    }

    async fn redeem_token(
        &self,
        login: &Login,
        token: &Secret,
        address: IpAddr,
        now: Timestamp,
    ) -> Result<Entry, LoginRefusal> {
        let identity = self.issuers.redeem(token.expose(), address, now).await?;
        let bound = identity.target.clone().unwrap_or_else(|| login.target.clone());
        if !login.is_for(&identity.technician, &bound) {
            return Err(LoginRefusal::OtherLogin(identity.technician));
        }
        Ok(Entry { identity, target: bound, ticket: None, resumed: false })
    }
}

#[cfg(test)]
mod tests;
