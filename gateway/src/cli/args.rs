//! What can be typed.

mod approvals;
mod audit;
mod explain;
mod export;
mod keeping;
mod listing;
mod open;
mod recordings;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueHint};
use clap_complete::Shell;
use passerelle_config::{HostPort, HumanDuration};
use passerelle_desktop::Permission;

pub(crate) use approvals::{ApprovalsCommand, Decision, Given};
pub(crate) use audit::{AuditCommand, ExportArgs, ExportFormat, ProveArgs, VerifyProofArgs};
pub(crate) use explain::{ExplainArgs, Purpose};
pub(crate) use export::{ExportRecordingArgs, Offset, PictureArgs, Quality, RecordingFormat};
pub(crate) use keeping::{DuArgs, EraseArgs, Group, OrderArgs, RewrapArgs};
pub(crate) use listing::RecordingsArgs;
pub(crate) use open::OpenArgs;
pub(crate) use recordings::RecordingsCommand;

use super::{ServiceAccountCommand, TotpCommand};

/// A gateway for remote support.
///
/// Technicians keep the RDP client or VNC viewer that they have, and the machines that they help keep the
/// remote-desktop server that they ship with. Between the two, Passerelle checks who connects, enforces what
/// was granted, records, and keeps an audit log.
///
/// One YAML file configures it. `passerelle serve` runs the gateway; `ticket`, `rdp-file`, `approvals`, `sessions`,
/// `targets` and `webhooks` ask the running gateway through a Unix socket that only its user may use; the other
/// commands need no gateway.
#[derive(Debug, Parser)]
#[command(
    name = "passerelle",
    version,
    propagate_version = true,
    arg_required_else_help = true,
    after_long_help = "\
Exit status:
  0  done, or the answer is yes
  1  failed, or the answer is no: a configuration with errors, a recording that was tampered with
  2  the command was typed wrong

Examples:
  Try it without any configuration:
    passerelle demo

  Check a configuration and serve with it:
    passerelle check --config passerelle.yaml
    passerelle serve --config passerelle.yaml

  Let alice help at the front desk:
    passerelle ticket alice front-desk"
)]
pub(crate) struct Cli {
    /// The configuration file.
    #[arg(
        long,
        short,
        global = true,
        value_name = "FILE",
        env = "PASSERELLE_CONFIG",
        default_value = "/etc/passerelle/passerelle.yaml",
        value_hint = ValueHint::FilePath
    )]
    pub(crate) config: PathBuf,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the gateway.
    ///
    /// Listens until it is told to stop. SIGTERM or SIGINT: /readyz says no; after `limits.drain_delay` there are
    /// no new sessions, the running ones may go on for `limits.drain`, then they end and everything is sealed; a
    /// second signal ends them at once. SIGHUP: users, targets, rules and certificates are read again without
    /// touching sessions; when the file has errors, the old configuration stays and the log says why.
    #[command(after_long_help = "\
Examples:
  passerelle serve --config /etc/passerelle/passerelle.yaml
  systemctl reload passerelle    # sends SIGHUP")]
    Serve,

    /// Say everything that is wrong with the configuration.
    ///
    /// Reads the file as `serve` would, with the secrets and certificates that it refers to, and prints all
    /// errors and warnings, each with its line and key. Warnings do not change the exit status.
    #[command(after_long_help = "\
Exit status:
  0  the configuration can be used
  1  it has errors

Examples:
  passerelle check --config passerelle.yaml
  passerelle check --json | jq -r '.errors[] | \"\\(.line): \\(.message)\"'")]
    Check(Json),

    /// Say what the rules let a technician do on a target, and why.
    ///
    /// Decides as the gateway would, and prints the rules that applied with what each gave, required or took
    /// away, the rules that nearly applied and why they did not, and what is missing. Reads the configuration
    /// and not its secrets. Needs no running gateway, unless the target was added through the API.
    #[command(after_long_help = "\
Exit status:
  0  the technician may connect
  1  the technician may not, or something is missing

Examples:
  passerelle explain alice front-desk
  passerelle explain alice front-desk --from 10.1.2.3 --at 2026-11-22T14:00 --ticket-id INC-123456
  passerelle explain alice front-desk --json | jq -r '.missing[]'")]
    Explain(ExplainArgs),

    /// Issue a one-time ticket.
    ///
    /// Prints what the technician types where. The ticket lets one session begin, within its life; what the
    /// technician may do in it is decided by the rules. Needs the running gateway.
    #[command(after_long_help = "\
Examples:
  passerelle ticket alice front-desk
  passerelle ticket alice front-desk --life 5m --permissions view
  passerelle ticket alice front-desk --reason \"printer is stuck\" --ticket-id INC-123456
  passerelle ticket alice front-desk --approval 01kb3x…
  passerelle ticket alice front-desk --json | jq -r .vnc_password")]
    Ticket(TicketArgs),

    /// Issue a one-time ticket as a .rdp file.
    ///
    /// Whoever opens the file in an RDP client is let in, once, within the ticket's life; no password is asked
    /// for. The file names the gateway's address and a reference to the ticket, and offers to share what the
    /// permissions allow. Clients send the reference in clear, so give files only to clients in networks that you
    /// trust, and let technicians type their tickets elsewhere.
    ///
    /// With --sign, the gateway's certificate signs the file, and Windows shows its name as the publisher if it
    /// trusts it; a certificate with an RSA key is the safe choice for that. Needs the running gateway.
    #[command(after_long_help = "\
Examples:
  passerelle rdp-file alice front-desk --output front-desk.rdp
  passerelle rdp-file alice front-desk --address gateway.example.net:3389 --life 30s --sign > desk.rdp
  xfreerdp desk.rdp")]
    RdpFile(RdpFileArgs),

    /// Ask for a second person's approval, and give it.
    ///
    /// Rules can require that somebody else approves before a technician connects. Whoever asked for an approval and
    /// the technician whom it is for cannot give it; whoever runs this command counts as a person of their own, by the
    /// number of their Unix user. Needs the running gateway.
    #[command(subcommand)]
    Approvals(ApprovalsCommand),

    /// List, show and end running sessions.
    ///
    /// Needs the running gateway.
    #[command(subcommand)]
    Sessions(SessionsCommand),

    /// List, show and wake targets.
    ///
    /// Needs the running gateway.
    #[command(subcommand)]
    Targets(TargetsCommand),

    /// List, show, verify, read and keep recordings.
    ///
    /// Needs the right to read the gateway's data directory, and the running gateway only where the command says so.
    #[command(subcommand)]
    Recordings(RecordingsCommand),

    /// Read and verify the audit log.
    ///
    /// Needs no running gateway, but the right to read its data directory.
    #[command(subcommand)]
    Audit(AuditCommand),

    /// Check a proof that an event is in the audit log of a gateway.
    ///
    /// Needs neither the log nor the gateway, only its public key.
    VerifyProof(VerifyProofArgs),

    /// Show webhooks and try them.
    ///
    /// Needs the running gateway.
    #[command(subcommand)]
    Webhooks(WebhooksCommand),

    /// Hash a password for the configuration.
    ///
    /// Asks for the password at the terminal without showing it, or reads the first line of standard input.
    /// Prints its argon2id hash, for `users[].password_hash`.
    #[command(after_long_help = "\
Examples:
  (umask 077; passerelle hash-password > /etc/passerelle/alice.hash)
  printf '%s\\n' \"$PASSWORD\" | passerelle hash-password")]
    HashPassword(HashPasswordArgs),

    /// Give technicians a second factor.
    #[command(subcommand)]
    Totp(TotpCommand),

    /// Make tokens for programs that use the HTTP API.
    #[command(subcommand)]
    ServiceAccount(ServiceAccountCommand),

    /// Show the gateway at work with a desktop of its own.
    ///
    /// Makes a certificate, keys and a store, serves a small built-in desktop through the gateway on loopback,
    /// and prints the address, a fresh ticket and commands to try. Ctrl-C ends it and says where the recording
    /// lies and how to verify it.
    #[command(after_long_help = "\
Examples:
  passerelle demo
  passerelle demo --vnc 0.0.0.0:5901 --data-dir ./demo")]
    Demo(DemoArgs),

    /// Render what comes on standard input; the gateway starts this.
    #[command(hide = true)]
    RenderWorker {
        /// Bytes of address space.
        #[arg(long)]
        memory: u64,
        /// Do without the filter of system calls.
        #[arg(long)]
        unconfined: bool,
    },

    /// Print a completion script for a shell.
    #[command(after_long_help = "\
Examples:
  passerelle completions bash > /usr/share/bash-completion/completions/passerelle
  passerelle completions zsh > ~/.zfunc/_passerelle
  passerelle completions fish > ~/.config/fish/completions/passerelle.fish")]
    Completions {
        /// The shell.
        shell: Shell,
    },

    /// Write the manual pages.
    ///
    /// Without a directory, prints the page of `passerelle` itself.
    #[command(after_long_help = "\
Examples:
  passerelle man | man -l -
  passerelle man --directory /usr/local/share/man/man1")]
    Man {
        /// Write one page for each command into this directory; it is made when it is missing.
        #[arg(long, short, value_name = "DIRECTORY", value_hint = ValueHint::DirPath)]
        directory: Option<PathBuf>,
    },
}

/// The form of what is printed.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Json {
    /// Print JSON for programs.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct TicketArgs {
    /// The technician's name, one of the configuration's `users`.
    #[arg(value_hint = ValueHint::Other)]
    pub(crate) technician: String,
    /// The target's name, one of the configuration's `targets`.
    #[arg(value_hint = ValueHint::Other)]
    pub(crate) target: String,
    /// The ticket must be used within this time, such as `90s` or `5m`; at most and by default `tickets.life`.
    #[arg(long, value_name = "DURATION", value_hint = ValueHint::Other, value_parser = duration)]
    pub(crate) life: Option<HumanDuration>,
    /// Only these of the permissions that the rules give, separated by commas.
    #[arg(long, value_name = "PERMISSIONS", value_delimiter = ',', value_parser = permissions())]
    pub(crate) permissions: Option<Vec<Permission>>,
    /// Also make a routing token, with which an RDP client gets in without a user name and password. Clients
    /// send it in clear.
    #[arg(long)]
    pub(crate) reference: bool,
    #[command(flatten)]
    pub(crate) given: Given,
    #[command(flatten)]
    pub(crate) output: Json,
}

#[derive(Debug, Args)]
pub(crate) struct RdpFileArgs {
    /// The technician's name, one of the configuration's `users`.
    #[arg(value_hint = ValueHint::Other)]
    pub(crate) technician: String,
    /// The target's name, one of the configuration's `targets` with `protocol: rdp`.
    #[arg(value_hint = ValueHint::Other)]
    pub(crate) target: String,
    /// Write to this file, which only you may read then, instead of standard output.
    #[arg(long, short, value_name = "FILE", default_value = "-", value_hint = ValueHint::FilePath)]
    pub(crate) output: PathBuf,
    /// Where the technician's client reaches the gateway, instead of the configuration's `rdp.public_address`.
    #[arg(long, value_name = "HOST:PORT", value_hint = ValueHint::Other, value_parser = address)]
    pub(crate) address: Option<HostPort>,
    /// The file must be opened within this time, such as `90s` or `5m`; at most and by default `tickets.life`.
    #[arg(long, value_name = "DURATION", value_hint = ValueHint::Other, value_parser = duration)]
    pub(crate) life: Option<HumanDuration>,
    /// Only these of the permissions that the rules give, separated by commas.
    #[arg(long, value_name = "PERMISSIONS", value_delimiter = ',', value_parser = permissions())]
    pub(crate) permissions: Option<Vec<Permission>>,
    /// Sign the file with the gateway's certificate.
    #[arg(long)]
    pub(crate) sign: bool,
    #[command(flatten)]
    pub(crate) given: Given,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SessionsCommand {
    /// List the running sessions.
    List(Json),
    /// Show what is known of a running session.
    Show {
        /// The session, as `sessions list` calls it.
        #[arg(value_hint = ValueHint::Other)]
        id: String,
        #[command(flatten)]
        output: Json,
    },
    /// Change what the technician of a running session may do.
    ///
    /// Takes effect at once and can take away or give back, but not go beyond what the rules grant.
    #[command(after_long_help = "\
Example:
  passerelle sessions permit 01HZY3 view           only watching from now on")]
    Permit {
        /// The session, as `sessions list` calls it.
        #[arg(value_hint = ValueHint::Other)]
        id: String,
        /// All that is permitted from now on, as a rule lists it: view,pointer,keyboard.
        #[arg(value_name = "PERMISSIONS", value_delimiter = ',', required = true)]
        permissions: Vec<String>,
        #[command(flatten)]
        output: Json,
    },
    /// Have the recording of a running session keep nothing of the screen, of keys and of the clipboard for a while.
    ///
    /// Comes back when that has begun. It ends with --end, or by itself after `recording.blackout_max`. That there was one,
    /// who asked and why is kept. The configuration has to allow it: `recording.blackout`, or `blackout` of a rule.
    #[command(after_long_help = "\
Examples:
  passerelle sessions blackout 01HZY3 --reason 'the user reads a private letter' --for user
  passerelle sessions blackout 01HZY3 --end")]
    Blackout {
        /// The session, as `sessions list` calls it.
        #[arg(value_hint = ValueHint::Other)]
        id: String,
        /// Why; it goes to the recording and to the audit log.
        #[arg(long, value_name = "TEXT", required_unless_present = "end", value_hint = ValueHint::Other)]
        reason: Option<String>,
        /// Whose privacy it is for.
        #[arg(long = "for", value_name = "WHOSE", value_parser = ["technician", "user"], default_value = "technician")]
        whose: String,
        /// End it: everything is kept again.
        #[arg(long, conflicts_with_all = ["reason", "whose"])]
        end: bool,
        #[command(flatten)]
        output: Json,
    },
    /// End a session within a second.
    #[command(after_long_help = "\
Example:
  passerelle sessions kill 01HZY3 --reason 'wrong machine'")]
    Kill {
        /// The session, as `sessions list` calls it.
        #[arg(value_hint = ValueHint::Other)]
        id: String,
        /// Why; it goes to the audit log.
        #[arg(long, value_name = "TEXT", value_hint = ValueHint::Other)]
        reason: Option<String>,
        #[command(flatten)]
        output: Json,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum TargetsCommand {
    /// List the targets and where each comes from.
    List(Json),
    /// Show what is known of a target. Its credentials are not shown.
    Show {
        /// The target's name.
        #[arg(value_hint = ValueHint::Other)]
        name: String,
        #[command(flatten)]
        output: Json,
    },
    /// Wake a target over the network, if its `wake_on_lan` says how.
    ///
    /// Nobody answers; whether it wakes shows when somebody connects. Sessions wake their target by themselves.
    #[command(after_long_help = "\
Example:
  passerelle targets wake front-desk")]
    Wake {
        /// The target's name.
        #[arg(value_hint = ValueHint::Other)]
        name: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum WebhooksCommand {
    /// List the webhooks and how they are doing.
    List(Json),
    /// Send a test event to a webhook and say what its receiver answers.
    ///
    /// The event is `webhook.tested`, has the number 0 and is sent whatever `webhooks[].events` says. When it
    /// arrives, a webhook that waits after failures or was disabled goes on at once.
    #[command(after_long_help = "\
Exit status:
  0  the receiver took it
  1  it did not

Example:
  passerelle webhooks test siem")]
    Test {
        /// The webhook's name, one of the configuration's `webhooks`.
        #[arg(value_hint = ValueHint::Other)]
        name: String,
        #[command(flatten)]
        output: Json,
    },
}

#[derive(Debug, Args)]
pub(crate) struct HashPasswordArgs {
    #[command(flatten)]
    pub(crate) output: Json,
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Where viewers connect to the gateway.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:5901", value_hint = ValueHint::Other)]
    pub(crate) vnc: SocketAddr,
    /// Where the demo keeps its state; by default `passerelle-demo` in the user's data directory.
    #[arg(long, value_name = "DIRECTORY", value_hint = ValueHint::DirPath)]
    pub(crate) data_dir: Option<PathBuf>,
}

/// Says with a sentence what is no length of time.
fn duration(text: &str) -> Result<HumanDuration, String> {
    text.parse().map_err(|error| format!("it {error}"))
}

/// Says with a sentence what is no address.
fn address(text: &str) -> Result<HostPort, String> {
    text.parse().map_err(|error| format!("it {error}"))
}

/// Names of permissions, so that mistyped ones are told the right ones.
fn permissions() -> impl clap::builder::TypedValueParser<Value = Permission> {
    use clap::builder::{PossibleValuesParser, TypedValueParser as _};
    let names = Permission::ALL.iter().map(|permission| permission.name());
    PossibleValuesParser::new(names).try_map(|name| name.parse::<Permission>())
}

#[cfg(test)]
mod tests;
