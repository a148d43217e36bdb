//! `passerelle explain`.

use std::fmt::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use hyper::Method;
use passerelle_auth::{Considered, Decision, Effect, Facts, Requirement, Rules, TicketContext, explain};
use passerelle_config::{Config, Target};
use passerelle_desktop::{Permission, Permissions};
use serde_json::{Value, json};

use super::output::harmless;
use super::{CliError, ExplainArgs, FAILED, print_json, print_line};
use crate::api::TargetView;
use crate::policy::access::{self, Asked, NotAdmitted};
use crate::{ambient, control};

/// Decides from the configuration file and says why. Only a target that is not there is asked for.
pub(crate) async fn run(args: &ExplainArgs, path: &Path) -> Result<ExitCode, CliError> {
    let mut config = Config::load_without_secrets(path)?.config;
    if config.target(&args.target).is_none() {
        config.targets.extend(kept(&args.target, &config).await);
    }
    let facts = facts(args, &config)?;
    let rules = access::rules(&config);
    let explanation = Explanation::new(&facts, &rules);
    if args.output.json {
        print_json(&explanation.json())?;
    } else {
        print_line(harmless_lines(&explanation.to_string()))?;
    }
    Ok(if explanation.refused.is_none() { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

/// The target as the running gateway knows it, if there is one and it does. Enough of it to decide.
async fn kept(name: &str, config: &Config) -> Option<Target> {
    let path = format!("/targets/{}", control::segment(name));
    let asked = control::call(&config.control_socket(), Method::GET, &path, None::<&()>).await;
    let known: TargetView =
        asked.inspect_err(|error| tracing::debug!(%error, "the target is not known")).ok()?;
    serde_json::from_value(json!({
        "name": known.name,
        "protocol": known.protocol,
        "address": known.address,
        "tags": known.tags,
        "maintenance": known.maintenance,
    }))
    .ok()
}

fn facts(args: &ExplainArgs, config: &Config) -> Result<Facts, CliError> {
    let ExplainArgs { technician, target, .. } = args;
    if args.groups.is_none() && config.user(technician).is_none() {
        let error = CliError::new(format_args!("there is no user `{technician}` in the configuration"));
        return Err(error.hint("Name the groups of people from elsewhere with --groups."));
    }
    let known = config.target(target);
    let known = known.ok_or_else(|| {
        let error = CliError::new(format_args!("there is no target `{target}` in the configuration"));
        error.hint("Targets that were added through the API are known to the running gateway only.")
    })?;
    let context = TicketContext {
        groups: args.groups.clone(),
        second_factor: args.second_factor,
        reason: args.reason.clone(),
        ticket_id: args.ticket_id.clone(),
        approved_by: args.approved_by.clone(),
        issued_by: None,
    };
    let now = args.at.unwrap_or_else(ambient::now);
    let asked = Asked { technician, target: known, source: args.from, context: &context, now };
    Ok(asked.facts(config))
}

/// A decision, and what it rests on.
struct Explanation<'a> {
    facts: &'a Facts,
    permissions: Permissions,
    requirements: Vec<Requirement>,
    refused: Option<NotAdmitted>,
    considered: Vec<Considered<'a>>,
}

impl<'a> Explanation<'a> {
    fn new(facts: &'a Facts, rules: &'a Rules) -> Self {
        let grant = match rules.decide(facts) {
            Decision::Granted(grant) | Decision::Missing { grant, .. } => Some(grant),
            Decision::Denied(_) => None,
        };
        Self {
            facts,
            permissions: grant.as_ref().map_or(Permissions::NONE, |grant| grant.permissions),
            requirements: grant.map(|grant| grant.requirements.into_iter().collect()).unwrap_or_default(),
            refused: access::admit(facts, rules, None).err(),
            considered: explain(facts, rules.all()),
        }
    }

    fn missing(&self) -> &[Requirement] {
        self.refused.as_ref().map(NotAdmitted::missing).unwrap_or_default()
    }

    fn json(&self) -> Value {
        let decision = match (&self.refused, self.missing()) {
            (None, _) => "granted",
            (Some(_), []) => "denied",
            (Some(_), _) => "missing",
        };
        let (applied, not): (Vec<_>, Vec<_>) = self.considered.iter().partition(|one| one.unless.is_empty());
        json!({
            "decision": decision,
            "message": self.refused.as_ref().map(ToString::to_string),
            "facts": self.facts,
            "permissions": self.permissions,
            "requirements": self.requirements,
            "missing": self.missing(),
            "applied": applied.iter().map(|one| json!({
                "rule": one.rule.name,
                "effect": if one.rule.effect == Effect::Deny { "deny" } else { "allow" },
                "permissions": one.rule.permissions,
                "requirements": one.rule.requirements,
                "remark": one.remark,
            })).collect::<Vec<_>>(),
            "not_applied": not.iter().map(|one| json!({
                "rule": one.rule.name,
                "because": one.unless,
            })).collect::<Vec<_>>(),
        })
    }
}

impl fmt::Display for Explanation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Facts { technician, target, source, now, .. } = self.facts;
        let from = source.map_or_else(|| "any address".to_owned(), |source| source.to_string());
        let whole = format!("connect to {target} from {from} at {now}");
        match (&self.refused, self.missing()) {
            (None, _) => write!(f, "{technician} may {whole}.")?,
            (Some(why), []) => write!(f, "{technician} may not {whole}: {why}.")?,
            (Some(why), _) => write!(f, "{technician} may not yet {whole}: {why}.")?,
        }
        if self.permissions != Permissions::NONE {
            let there = if self.refused.is_some() { "would be" } else { "is" };
            write!(f, "\n\nWhat {there} permitted:\n  {}", names(self.permissions))?;
        }
        let (applied, not): (Vec<_>, Vec<_>) = self.considered.iter().partition(|one| one.unless.is_empty());
        section(f, "Rules that apply:", applied.iter().map(|one| (&*one.rule.name, effect(one))))?;
        let reasons = not.iter().map(|one| (&*one.rule.name, one.unless.join("; ")));
        section(f, "Rules that would apply, but:", reasons)?;
        let missing = self.missing();
        if !self.requirements.is_empty() {
            f.write_str("\n\nWhat is required:")?;
            for requirement in &self.requirements {
                let state = match requirement {
                    _ if missing.contains(requirement) => "missing",
                    Requirement::Recording => "the gateway sees to it",
                    _ => "there",
                };
                write!(f, "\n  {requirement}: {state}")?;
                match (requirement, &self.facts.approved_by) {
                    (Requirement::Approval, Some(by)) if state == "there" => write!(f, ", by {by}")?,
                    (Requirement::Approval, _) => {
                        write!(f, "; ask for it with `passerelle approvals request {technician} {target}`")?;
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

/// Lines with names in a column as wide as the widest, under a heading; nothing when there are none.
fn section<'a>(
    f: &mut fmt::Formatter<'_>,
    heading: &str,
    lines: impl Iterator<Item = (&'a str, String)>,
) -> fmt::Result {
    let lines: Vec<_> = lines.collect();
    let width = lines.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    for (number, (name, text)) in lines.iter().enumerate() {
        if number == 0 {
            write!(f, "\n\n{heading}")?;
        }
        write!(f, "\n  {name:width$}  {text}")?;
    }
    Ok(())
}

/// What a rule that applies does.
fn effect(considered: &Considered<'_>) -> String {
    let Considered { rule, remark, .. } = considered;
    let mut text = match rule.effect {
        Effect::Deny if rule.permissions == Permissions::NONE => "takes away everything".to_owned(),
        Effect::Deny => format!("takes away {}", names(rule.permissions)),
        Effect::Allow if rule.permissions == Permissions::NONE => "gives nothing".to_owned(),
        Effect::Allow => format!("gives {}", names(rule.permissions)),
    };
    if rule.effect == Effect::Allow && !rule.requirements.is_empty() {
        let required: Vec<_> = rule.requirements.iter().map(ToString::to_string).collect();
        // Writing to text does not fail.
        let _ = write!(text, "; requires {}", required.join(", "));
    }
    if let Some(remark) = remark {
        let _ = write!(text, "; {remark}");
    }
    text
}

fn names(permissions: Permissions) -> String {
    permissions.iter().map(Permission::name).collect::<Vec<_>>().join(", ")
}

/// [`harmless`] for text of several lines.
fn harmless_lines(text: &str) -> String {
    text.lines().map(harmless).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command};

    const CONFIG: &str = r#"
listen: { vnc: 127.0.0.1:0 }
users:
  - { name: alice, groups: [helpdesk], password_hash: "env:NOT_SET_ANYWHERE" }
  - { name: carol }
targets:
  - { name: front-desk, protocol: vnc, address: "10.0.0.5:5900", tags: [office], credentials: { password: "env:NEITHER" } }
  - { name: till, protocol: vnc, address: "10.0.0.6:5900", maintenance: true }
rules:
  - name: helpdesk
    groups: [helpdesk]
    targets: ["*"]
    permissions: [view, pointer, keyboard]
    require: [recording, { ticket_id: "INC-[0-9]{6}" }]
  - name: from-the-office
    groups: [helpdesk]
    targets: ["tag:office"]
    sources: [10.0.0.0/8]
    permissions: [clipboard.to_target]
  - name: by-day
    groups: [helpdesk]
    targets: [front-desk]
    hours: { time_zone: Europe/Berlin, days: [mon, tue, wed, thu, fri], from: "08:00", to: "18:00" }
    permissions: [resize]
  - name: no-typing
    users: ["*"]
    targets: ["tag:office"]
    effect: deny
    permissions: [keyboard]
  - name: night
    groups: [helpdesk]
    targets: [front-desk]
    hours: { time_zone: Europe/Berlin, from: "22:00", to: "06:00" }
    permissions: []
    require: [second_factor, reason]
  - name: four-eyes
    users: [carol]
    targets: [front-desk]
    permissions: [view]
    require: [approval]
"#;

    fn explained(arguments: &str) -> (String, Value) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("p.yaml");
        std::fs::write(&path, CONFIG).unwrap();
        let config = Config::load_without_secrets(&path).unwrap_or_else(|errors| panic!("{errors}")).config;
        let typed = ["passerelle", "explain"].into_iter().chain(arguments.split_whitespace());
        let Command::Explain(args) = Cli::try_parse_from(typed).unwrap().command else { panic!() };
        match facts(&args, &config) {
            Ok(facts) => {
                let rules = access::rules(&config);
                let explanation = Explanation::new(&facts, &rules);
                (explanation.to_string(), explanation.json())
            }
            Err(error) => (error.to_string(), Value::Null),
        }
    }

    #[test]
    fn a_decision_is_told_with_its_rules() {
        let (text, json) =
            explained("alice front-desk --from 10.1.2.3 --at 2026-11-23T14:00 --ticket-id INC-123456");
        assert_eq!(
            text,
            "\
alice may connect to front-desk from 10.1.2.3 at 2026-11-23T14:00:00.000Z.

What is permitted:
  view, pointer, clipboard.to_target, resize

Rules that apply:
  helpdesk         gives view, pointer, keyboard; requires a ticket id of the form `INC-[0-9]{6}`, a recording
  from-the-office  gives clipboard.to_target
  by-day           gives resize
  no-typing        takes away keyboard

Rules that would apply, but:
  night  only 22:00-06:00 Europe/Berlin, where it is Mon 15:00

What is required:
  a ticket id of the form `INC-[0-9]{6}`: there
  a recording: the gateway sees to it"
        );
        assert_eq!((&json["decision"], &json["message"]), (&json!("granted"), &Value::Null));
        assert_eq!(json["permissions"], json!(["view", "pointer", "clipboard.to_target", "resize"]));
        assert_eq!(json["applied"][3]["effect"], "deny");
        assert_eq!(json["facts"]["source"], "10.1.2.3");
    }

    #[test]
    fn what_is_missing_is_told() {
        let (text, json) = explained("alice front-desk --at 2026-11-22T23:30+01:00 --from 192.0.2.1");
        assert_eq!(
            text,
            "\
alice may not yet connect to front-desk from 192.0.2.1 at 2026-11-22T22:30:00.000Z: a second factor, a reason and \
a ticket id of the form `INC-[0-9]{6}` are missing.

What would be permitted:
  view, pointer

Rules that apply:
  helpdesk   gives view, pointer, keyboard; requires a ticket id of the form `INC-[0-9]{6}`, a recording
  no-typing  takes away keyboard
  night      gives nothing; requires a second factor, a reason

Rules that would apply, but:
  from-the-office  only from 10.0.0.0/8, and this is 192.0.2.1
  by-day           only Mon, Tue, Wed, Thu, Fri 08:00-18:00 Europe/Berlin, where it is Sun 23:30

What is required:
  a second factor: missing
  a reason: missing
  a ticket id of the form `INC-[0-9]{6}`: missing
  a recording: the gateway sees to it"
        );
        assert_eq!(json["decision"], "missing");
        assert_eq!(json["missing"], json!(["second_factor", "reason", { "ticket_id": "INC-[0-9]{6}" }]));
        assert_eq!(json["not_applied"][0]["rule"], "from-the-office");
    }

    #[test]
    fn an_approval_is_somebody_elses() {
        let ask = "another person's approval: missing; ask for it with `passerelle approvals request carol front-desk`";
        for by in ["", " --approved-by Carol"] {
            let (text, json) = explained(&format!("carol front-desk{by}"));
            assert!(text.ends_with(ask), "{text}");
            assert_eq!(json["missing"], json!(["approval"]));
        }
        let (text, json) = explained("carol front-desk --approved-by dave");
        assert!(text.ends_with("another person's approval: there, by dave"), "{text}");
        assert_eq!(json["facts"]["approved_by"], "dave");
    }

    #[test]
    fn refusals_are_told() {
        let (text, json) = explained("carol till --at 2026-11-22T14:00");
        assert_eq!(
            text,
            "carol may not connect to till from any address at 2026-11-22T14:00:00.000Z: no rule applies to this technician and target."
        );
        assert_eq!(json["decision"], "denied");

        let (text, _) = explained("alice till --at 2026-11-22T14:00 --ticket-id INC-123456");
        assert_eq!(
            text,
            "\
alice may not connect to till from any address at 2026-11-22T14:00:00.000Z: the target is under maintenance.

Rules that apply:
  helpdesk  gives view, pointer, keyboard; requires a ticket id of the form `INC-[0-9]{6}`, a recording; gives nothing while the target is under maintenance"
        );
    }

    #[test]
    fn people_from_elsewhere_have_groups() {
        let (text, _) = explained("dora front-desk");
        assert_eq!(
            text,
            "there is no user `dora` in the configuration\n  Name the groups of people from elsewhere with --groups."
        );
        let (_, json) = explained("dora till --groups helpdesk --at 2026-11-22T14:00");
        assert_eq!((&json["decision"], &json["applied"][0]["rule"]), (&json!("denied"), &json!("helpdesk")));
        let (text, _) = explained("alice desk");
        assert!(text.starts_with("there is no target `desk` in the configuration\n"), "{text}");
    }
}
