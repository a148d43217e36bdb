//! `passerelle audit` and `passerelle verify-proof`

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum, ValueHint};
use passerelle_auth::Timestamp;
use passerelle_recorder::PublicKey;

use super::Json;

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Print the last events.
    #[command(after_long_help = "\
Examples:
  passerelle audit tail -n 50
  passerelle audit tail --follow --json | jq 'select(.kind == \"login.refused\")'")]
    Tail {
        /// How many.
        #[arg(long, short = 'n', value_name = "NUMBER", default_value_t = 20)]
        lines: usize,
        /// Go on with what is written from now on, until Ctrl-C.
        #[arg(long, short)]
        follow: bool,
        #[command(flatten)]
        output: Json,
    },

    /// Say whether the audit log is complete and unchanged.
    ///
    /// Checks the chain of hashes over every stored line and the signatures on it, against this gateway's signing
    /// key or the public key given with --signer.
    #[command(after_long_help = "\
Exit status:
  0  the log is intact
  1  a line was changed, inserted or removed, or the log cannot be read

Examples:
  passerelle audit verify --checkpoint /mnt/elsewhere/audit.checkpoint")]
    Verify {
        /// The directory of the log, instead of this gateway's.
        #[arg(long, value_name = "DIRECTORY", value_hint = ValueHint::DirPath)]
        directory: Option<PathBuf>,
        /// The public key that must have signed, instead of this gateway's.
        #[arg(long, value_name = "PUBLIC_KEY", value_hint = ValueHint::Other)]
        signer: Option<PublicKey>,
        /// A checkpoint of this log that was kept elsewhere, or the file of `audit.anchor` with many: nothing that
        /// they cover may have changed since, not even by somebody with the signing key.
        #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
        checkpoint: Option<PathBuf>,
        #[command(flatten)]
        output: Json,
    },

    /// Prove that an event is in the audit log.
    ///
    /// Prints a proof that holds without the log and without this gateway: the event, hashes of a Merkle tree and a
    /// signed checkpoint (C2SP tlog-proof). `passerelle verify-proof` checks it. Reads the whole log.
    ///
    /// With --since it proves instead, to somebody who has an old checkpoint of the log, that the log only grew: the
    /// old size, the hashes of RFC 9162 and the last checkpoint, as C2SP tlog-witness sends them to witnesses.
    #[command(after_long_help = "\
Examples:
  passerelle audit prove 4711 -o event.tlog-proof
  passerelle audit prove --recording 01HZY3... -o recording.tlog-proof
  passerelle audit prove --since last-year.checkpoint -o consistency.proof")]
    Prove(ProveArgs),

    /// Write the events in a form for other systems.
    ///
    /// ocsf: JSON objects of the Open Cybersecurity Schema Framework, a line each. syslog: messages of RFC 5424, a line
    /// each. csv: RFC 4180, safe to open in a spreadsheet. json: as they are in the log.
    #[command(after_long_help = "\
Examples:
  passerelle audit export --format csv --from 2026-11-01T00:00:00Z --until 2026-12-01T00:00:00Z -o november.csv
  passerelle audit export --format ocsf | gzip > events.ocsf.jsonl.gz")]
    Export(ExportArgs),

    /// Print the public key that signs the audit log and the recordings.
    ///
    /// Give it to whoever shall verify them. The second line has it in the form of tools for signed notes.
    Key(Json),
}

#[derive(Debug, Args)]
pub(crate) struct ProveArgs {
    /// The event's number (`seq`), which `passerelle audit tail --json` shows.
    #[arg(value_name = "NUMBER", required_unless_present_any = ["recording", "since"], conflicts_with_all = ["recording", "since"])]
    pub(crate) seq: Option<u64>,
    /// The event with the root of this recording, which stands for all that is in it.
    #[arg(long, value_name = "RECORDING", value_hint = ValueHint::Other)]
    pub(crate) recording: Option<String>,
    /// That the log only grew since this checkpoint, a copy of an earlier `audit.checkpoint`.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "recording")]
    pub(crate) since: Option<PathBuf>,
    /// The directory of the log, instead of this gateway's.
    #[arg(long, value_name = "DIRECTORY", value_hint = ValueHint::DirPath)]
    pub(crate) directory: Option<PathBuf>,
    /// The public key that must have signed, instead of this gateway's.
    #[arg(long, value_name = "PUBLIC_KEY", value_hint = ValueHint::Other)]
    pub(crate) signer: Option<PublicKey>,
    /// Where the proof goes; `-` is standard output.
    #[arg(long, short, value_name = "FILE", default_value = "-", value_hint = ValueHint::FilePath)]
    pub(crate) output: PathBuf,
}

/// A form for other systems.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    Json,
    Ocsf,
    Csv,
    Syslog,
}

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// The form.
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: ExportFormat,
    /// Only events from this time on, as in 2026-11-23T00:00:00Z.
    #[arg(long, value_name = "TIME", value_hint = ValueHint::Other)]
    pub(crate) from: Option<Timestamp>,
    /// Only events before this time.
    #[arg(long, value_name = "TIME", value_hint = ValueHint::Other)]
    pub(crate) until: Option<Timestamp>,
    /// The directory of the log, instead of this gateway's.
    #[arg(long, value_name = "DIRECTORY", value_hint = ValueHint::DirPath)]
    pub(crate) directory: Option<PathBuf>,
    /// The public key that signs the log, instead of this gateway's; it is in the identifiers of OCSF.
    #[arg(long, value_name = "PUBLIC_KEY", value_hint = ValueHint::Other)]
    pub(crate) signer: Option<PublicKey>,
    /// Where the events go; `-` is standard output.
    #[arg(long, short, value_name = "FILE", default_value = "-", value_hint = ValueHint::FilePath)]
    pub(crate) output: PathBuf,
}

#[derive(Debug, Args)]
#[command(after_long_help = "\
Exit status:
  0  the event is in the log, or the log only grew
  1  the proof does not hold, or cannot be read

Examples:
  passerelle verify-proof event.tlog-proof --signer ed25519:6Qe...
  passerelle verify-proof recording.tlog-proof --signer ed25519:6Qe... --recording ./01HZY3
  passerelle verify-proof consistency.proof --signer ed25519:6Qe... --checkpoint last-year.checkpoint")]
pub(crate) struct VerifyProofArgs {
    /// The file with the proof.
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) proof: PathBuf,
    /// The public key that must have signed, instead of this gateway's.
    #[arg(long, value_name = "PUBLIC_KEY", value_hint = ValueHint::Other)]
    pub(crate) signer: Option<PublicKey>,
    /// A copy of the recording that the event is about: what is in it must be what was sealed.
    #[arg(long, value_name = "DIRECTORY", value_hint = ValueHint::DirPath)]
    pub(crate) recording: Option<PathBuf>,
    /// An old checkpoint of the log, for a proof that the log only grew since.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "recording")]
    pub(crate) checkpoint: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: Json,
}
