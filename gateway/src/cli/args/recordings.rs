//! What can be typed about recordings.

use std::path::PathBuf;

use clap::{Subcommand, ValueHint};
use passerelle_recorder::{Lane, PublicKey};

use super::{DuArgs, EraseArgs, ExportRecordingArgs, Json, OpenArgs, OrderArgs, RecordingsArgs, RewrapArgs};

#[derive(Debug, Subcommand)]
pub(crate) enum RecordingsCommand {
    /// List the recordings, the newest first, and search them.
    #[command(after_long_help = "\
Examples:
  passerelle recordings list --technician alice --from 2026-11-01T00:00:00Z
  passerelle recordings list --search 'invoice pdf'
  passerelle recordings list --remote")]
    List(RecordingsArgs),

    /// Show what a recording's clear part says of its session.
    ///
    /// Nothing of it is verified.
    Show {
        /// The recording: its name in the list, or the path of its directory.
        #[arg(value_name = "RECORDING", value_hint = ValueHint::DirPath)]
        recording: String,
        #[command(flatten)]
        output: Json,
    },

    /// Say whether recordings are complete and unchanged.
    ///
    /// Needs no key that opens them. For each recording the answer is one of: sealed and unchanged; interrupted
    /// and sealed afterwards; not sealed and intact up to a time; tampered with at a record; a segment is
    /// missing; signed by another gateway.
    ///
    /// A recording is verified against this gateway's signing key, or, on another machine, against the public
    /// key given with --signer.
    #[command(after_long_help = "\
Exit status:
  0  every recording is intact: sealed, or interrupted and sealed afterwards, or not sealed and intact so far
  1  at least one was tampered with, lacks a segment, has another signer, or cannot be read

Examples:
  passerelle recordings verify --all
  passerelle recordings verify ./01HZY3 --signer ed25519:Zm9v…")]
    Verify {
        /// The recordings: their names in the list, or the paths of their directories.
        #[arg(
            value_name = "RECORDING",
            required_unless_present = "all",
            conflicts_with = "all",
            value_hint = ValueHint::DirPath
        )]
        recordings: Vec<String>,
        /// Verify every recording there is.
        #[arg(long)]
        all: bool,
        /// The public key that must have signed, instead of this gateway's.
        #[arg(long, value_name = "PUBLIC_KEY", value_hint = ValueHint::Other)]
        signer: Option<PublicKey>,
        /// A recording that is not sealed counts as not intact.
        #[arg(long)]
        require_sealed: bool,
        #[command(flatten)]
        output: Json,
    },

    /// Hold recordings: they are neither deleted nor erased until they are released.
    ///
    /// Needs the running gateway. A hold on a recording that is held already takes the other's place.
    #[command(after_long_help = "\
Example:
  passerelle recordings hold 01HZY3 --reason 'case 2026-117'")]
    Hold(OrderArgs),

    /// End the hold on recordings.
    ///
    /// Needs the running gateway. A recording whose time is over is deleted soon after.
    #[command(after_long_help = "\
Example:
  passerelle recordings release 01HZY3 --reason 'case 2026-117 is closed'")]
    Release(OrderArgs),

    /// Erase recordings by destroying their keys.
    ///
    /// Nobody can read what was erased again, not even with a copy of the sealed files, as long as there is no copy of
    /// the old `keys.json`. The recording stays, and verifies as before. Needs the running gateway.
    #[command(after_long_help = "\
Example:
  passerelle recordings erase 01HZY3 --class input --reason 'a password was typed'")]
    Erase(EraseArgs),

    /// Let other auditors read recordings, or some no longer.
    ///
    /// Wraps the keys of recordings anew, and has the gateway sign that. It takes somebody who can read them: the gateway
    /// itself, unless they were made for others only, or an auditor with --identity. The old wrapped keys are destroyed;
    /// whoever kept a copy of them can still read. For recordings to come, change `recording.recipients`. Needs the
    /// running gateway.
    #[command(after_long_help = "\
Examples:
  passerelle recordings rewrap --all --add age1…
  passerelle recordings rewrap 01HZY3 --remove age1… --identity auditor.key")]
    Rewrap(RewrapArgs),

    /// Say what the recordings take up.
    #[command(after_long_help = "\
Examples:
  passerelle recordings du --by target
  passerelle recordings du --json | jq .all.log")]
    Du(DuArgs),

    /// Have a recording's pictures rendered, and wait for them.
    ///
    /// Whoever views a recording has it rendered if it is not; this does so before anybody has to wait. The running
    /// gateway renders, in a process that can do nothing else, and keeps the pictures for `recording.views.max_age`.
    #[command(after_long_help = "\
Exit status:
  0  the pictures are there, or grow with their session
  1  they could not be rendered

Examples:
  passerelle recordings render 01HZY3
  passerelle recordings render 01HZY3 --json")]
    Render {
        /// The recording: its name in the list.
        #[arg(value_name = "RECORDING", value_hint = ValueHint::Other)]
        recording: String,
        #[command(flatten)]
        output: Json,
    },

    /// Play recordings on this machine, with the key that opens them.
    ///
    /// Needs neither gateway nor configuration nor network: an auditor takes copies of the recordings' directories and
    /// their own key along. Verifies the recordings, renders them in a process that can do nothing else, and serves the
    /// player at the address that it prints, to this machine only, until Ctrl-C. Whatever is made on the way is sealed
    /// under keys in memory, in the directory for temporary files (TMPDIR), and removed at the end.
    ///
    /// Recordings are verified against the public key given with --signer, or this gateway's. Without either, the signer
    /// is the one that the recording itself names, and the player says that this proves nothing.
    ///
    /// Opening recordings of this machine's gateway is audited before anything is shown.
    Open(OpenArgs),

    /// Write a recording in a form for other programs.
    ///
    /// It is written as it is read, so it may be of any length. Reading is audited before anything is written.
    Export(ExportRecordingArgs),

    /// Print a recording's contents.
    ///
    /// Prints one JSON object a line for each entry: `seq`, `t_ms` (time since the start), `lane` and `data`,
    /// which is JSON for events and base64 for everything else. With --raw, prints the bytes of one lane as they
    /// were on the wire.
    ///
    /// Reading is audited before anything is printed: by the running gateway, or in its log when it does not run.
    #[command(after_long_help = "\
Lanes:
  target     what the target sent to the viewer
  state      what a decoder of the target's bytes must know
  viewer     what the viewer sent to the target, of keys what `recording.keystrokes` says
  clipboard  clipboard content, if `recording.clipboard` is on
  events     what happened around the session

Examples:
  passerelle recordings cat 01HZY3 --lane events
  passerelle recordings cat 01HZY3 --lane target --raw > session.rfb
  passerelle recordings cat ./01HZY3 --identity auditor.key")]
    Cat {
        /// The recording: its name in the list, or the path of its directory.
        #[arg(value_name = "RECORDING", value_hint = ValueHint::DirPath)]
        recording: String,
        /// Only this lane; can be given several times.
        #[arg(long = "lane", value_name = "LANE", value_parser = lanes())]
        lanes: Vec<Lane>,
        /// Print the lane's bytes and nothing else.
        #[arg(long, requires = "lanes")]
        raw: bool,
        /// The age identity file that opens the recording, instead of the gateway's own.
        #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
        identity: Option<PathBuf>,
    },
}

/// Lanes by their names.
pub(super) const LANES: [(&str, Lane); 5] = [
    ("target", Lane::Target),
    ("state", Lane::State),
    ("viewer", Lane::Viewer),
    ("clipboard", Lane::Clipboard),
    ("events", Lane::Events),
];

/// Names of lanes, so that mistyped ones are told the right ones.
fn lanes() -> impl clap::builder::TypedValueParser<Value = Lane> {
    use clap::builder::{PossibleValuesParser, TypedValueParser as _};
    PossibleValuesParser::new(LANES.map(|(name, _)| name)).try_map(|name| {
        let lane = LANES.iter().find(|(known, _)| *known == name).map(|(_, lane)| *lane);
        lane.ok_or("there is no such lane")
    })
}
