//! What the rules of the configuration say about somebody.

use std::net::IpAddr;

use passerelle_auth as auth;
use passerelle_config::{self as config, Config};
use passerelle_desktop::Permissions;

/// Why a session must not begin. The sentence goes on from `You may not connect: `.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotAdmitted {
    #[error(transparent)]
    Rules(#[from] auth::Refused),
    #[error("a rule requires the consent of somebody at the target, and the gateway cannot ask for it yet")]
    Consent,
}

impl NotAdmitted {
    /// What is missing; nothing when that would not help.
    pub(crate) fn missing(&self) -> &[auth::Requirement] {
        match self {
            Self::Rules(refused) => refused.missing(),
            Self::Consent => &[auth::Requirement::Consent],
        }
    }
}

/// Applies `rules` to `facts`, within `limit`, and sees to it that sessions can fulfil what is left to them.
///
/// # Errors
/// The session must not begin.
pub(crate) fn admit(
    facts: &auth::Facts,
    rules: &auth::Rules,
    limit: Option<Permissions>,
) -> Result<auth::Grant, NotAdmitted> {
    let grant = rules.decide(facts).narrowed(limit).granted()?;
    if grant.requirements.contains(&auth::Requirement::Consent) {
        return Err(NotAdmitted::Consent);
    }
    Ok(grant)
}

/// What is known of a technician who wants to connect to a target.
pub(crate) struct Asked<'a> {
    pub(crate) technician: &'a str,
    pub(crate) target: &'a config::Target,
    /// The client's address; `None` when there is no client yet.
    pub(crate) source: Option<IpAddr>,
    pub(crate) context: &'a auth::TicketContext,
    pub(crate) now: auth::Timestamp,
}

impl Asked<'_> {
    /// The facts for a decision. Groups that are not in the context are those of the configuration.
    pub(crate) fn facts(&self, config: &Config) -> auth::Facts {
        let Self { technician, target, source, context, now } = *self;
        let listed = || config.user(technician).map(|user| user.groups.clone()).unwrap_or_default();
        auth::Facts {
            technician: technician.to_owned(),
            groups: context.groups.clone().unwrap_or_else(listed),
            target: target.name.clone(),
            tags: target.tags.clone(),
            protocol: target.protocol.name().to_owned(),
            source,
            now,
            second_factor: context.second_factor,
            reason: context.reason.clone(),
            ticket_id: context.ticket_id.clone(),
            approved_by: context.approved_by.clone(),
            attended: false,
            maintenance: target.maintenance,
        }
    }
}

/// The rules of the configuration, as they are decided with.
pub(crate) fn rules(config: &Config) -> auth::Rules {
    auth::Rules::new(config.rules.iter().map(rule).collect())
}

fn rule(rule: &config::Rule) -> auth::Rule {
    let groups = rule.groups.iter().cloned().map(auth::Subject::Group);
    let users = rule.users.iter().map(|name| auth::Subject::identity(name));
    let selector = |selector: &config::TargetSelector| match selector {
        config::TargetSelector::All => auth::TargetSelector::Any,
        config::TargetSelector::Tag(tag) => auth::TargetSelector::Tag(tag.clone()),
        config::TargetSelector::Name(name) => auth::TargetSelector::Name(name.clone()),
    };
    auth::Rule {
        name: rule.name.clone(),
        subjects: groups.chain(users).collect(),
        targets: rule.targets.iter().map(selector).collect(),
        protocols: rule.protocols.iter().map(|protocol| protocol.name().to_owned()).collect(),
        sources: rule.sources.iter().map(|network| network.get()).collect(),
        attended: rule.attended,
        hours: rule.hours.as_ref().map(hours),
        maintenance: rule.maintenance,
        effect: match rule.effect {
            config::Effect::Allow => auth::Effect::Allow,
            config::Effect::Deny => auth::Effect::Deny,
        },
        permissions: rule.permissions,
        requirements: rule.require.iter().map(requirement).collect(),
    }
}

fn hours(hours: &config::Hours) -> auth::Hours {
    auth::Hours {
        zone: hours.time_zone.zone().clone(),
        days: hours.days.iter().map(|day| day.weekday()).collect(),
        from: hours.from.minutes(),
        to: hours.to.minutes(),
    }
}

fn requirement(requirement: &config::Requirement) -> auth::Requirement {
    match requirement {
        config::Requirement::Recording => auth::Requirement::Recording,
        config::Requirement::SecondFactor => auth::Requirement::SecondFactor,
        config::Requirement::Reason => auth::Requirement::Reason,
        config::Requirement::TicketId(pattern) => auth::Requirement::TicketId(
            pattern
                .as_ref()
                .map(|pattern| auth::TicketIdPattern::new(pattern.as_str(), pattern.whole().clone())),
        ),
        config::Requirement::Approval => auth::Requirement::Approval,
        config::Requirement::Consent => auth::Requirement::Consent,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use passerelle_config::SystemResolver;
    use passerelle_desktop::Permission;

    use super::*;

    fn config(rules: &str) -> Config {
        let text = format!(
            "listen: {{ vnc: 127.0.0.1:0 }}\n\
             users: [{{ name: alice, groups: [helpdesk] }}]\n\
             targets:\n\
             - {{ name: desk, protocol: vnc, address: 'a:1', tags: [office] }}\n\
             - {{ name: broken, protocol: vnc, address: 'a:1', maintenance: true }}\n\
             rules:\n{rules}"
        );
        Config::parse(&text, "p.yaml", &SystemResolver).unwrap_or_else(|errors| panic!("{errors}")).config
    }

    #[test]
    fn every_key_of_a_rule_is_translated() {
        let config = config(
            "- name: all
  groups: [helpdesk]
  users: [alice, '*']
  targets: ['*', 'tag:office', desk]
  protocols: [vnc]
  sources: [10.0.0.0/8]
  attended: false
  maintenance: true
  hours: { time_zone: Europe/Berlin, days: [sun], from: '22:00', to: '06:30' }
  permissions: [view]
  require: [recording, second_factor, reason, { ticket_id: 'INC-[0-9]' }, ticket_id, approval, consent]
- { name: no, users: ['*'], targets: ['*'], effect: deny, permissions: [usb] }
",
        );
        let rules = rules(&config);
        let [all, no] = rules.all() else { panic!() };
        let identity = |name: &str| auth::Subject::Identity(name.to_owned());
        let subjects = [auth::Subject::Group("helpdesk".into()), identity("alice"), auth::Subject::Anyone];
        assert_eq!(all.subjects, subjects);
        assert_eq!(all.targets, ["*", "tag:office", "desk"].map(auth::TargetSelector::parse));
        assert_eq!(
            (&*all.protocols, all.attended, all.maintenance),
            (&["vnc".to_owned()][..], Some(false), true)
        );
        assert_eq!(all.sources[0].to_string(), "10.0.0.0/8");
        assert_eq!(all.hours.as_ref().unwrap().to_string(), "Sun 22:00-06:30 Europe/Berlin");
        assert_eq!(all.requirements.len(), 7);
        let pattern = all.requirements.iter().find(|one| one.to_string().contains('`')).unwrap();
        assert_eq!(pattern.to_string(), "a ticket id of the form `INC-[0-9]`");
        assert_eq!((all.effect, no.effect), (auth::Effect::Allow, auth::Effect::Deny));
        assert!(no.permissions.allows(Permission::Usb));
    }

    #[test]
    fn what_the_context_says_counts() {
        let config = config(
            "- { name: r, groups: [helpdesk], targets: ['*'], permissions: [view], require: [{ ticket_id: 'INC-[0-9]' }] }",
        );
        let rules = rules(&config);
        let ask = |target: &str, context: &auth::TicketContext| {
            let asked = Asked {
                technician: "alice",
                target: config.target(target).unwrap(),
                source: None,
                context,
                now: auth::Timestamp::from_millis(0),
            };
            admit(&asked.facts(&config), &rules, None).map(drop).map_err(|error| error.to_string())
        };
        let context = |id: &str| auth::TicketContext { ticket_id: Some(id.into()), ..Default::default() };
        let missing = Err("a ticket id of the form `INC-[0-9]` is missing".to_owned());
        assert_eq!(ask("desk", &auth::TicketContext::default()), missing);
        assert_eq!(ask("desk", &context("INC-12")), missing);
        assert_eq!(ask("desk", &context("INC-1")), Ok(()));
        let others = auth::TicketContext { groups: Some(Vec::new()), ..context("INC-1") };
        assert_eq!(ask("desk", &others), Err("no rule applies to this technician and target".to_owned()));
        let broken = Err("the target is under maintenance".to_owned());
        assert_eq!(ask("broken", &context("INC-1")), broken);
    }

    /// The gateway cannot ask anybody; a rule that wants it must not be passed over.
    #[test]
    fn consent_that_cannot_be_had_keeps_everybody_out() {
        let config =
            config("- { name: r, users: ['*'], targets: ['*'], permissions: [view], require: [consent] }");
        let asked = Asked {
            technician: "alice",
            target: config.target("desk").unwrap(),
            source: None,
            context: &auth::TicketContext::default(),
            now: auth::Timestamp::from_millis(0),
        };
        let error = admit(&asked.facts(&config), &rules(&config), None).unwrap_err();
        assert!(matches!(error, NotAdmitted::Consent));
        assert_eq!(error.missing(), [auth::Requirement::Consent]);
        assert_eq!(
            rules(&config).decide(&asked.facts(&config)).granted().unwrap().requirements,
            BTreeSet::from([auth::Requirement::Consent])
        );
    }
}
