//! Who may do what: identities, tickets, lockout, rules, and the shared-state store.
