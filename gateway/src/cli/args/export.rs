//! `passerelle recordings export`

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, ValueEnum, ValueHint};
use passerelle_recorder::PublicKey;

/// A form for other programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RecordingFormat {
    Json,
    Html,
    Fbs,
    Pdus,
    Webm,
    Png,
}

impl RecordingFormat {
    /// The name as written.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Html => "html",
            Self::Fbs => "fbs",
            Self::Pdus => "pdus",
            Self::Webm => "webm",
            Self::Png => "png",
        }
    }

    /// What its files usually end in.
    pub(crate) const fn extension(self) -> &'static str {
        match self {
            Self::Pdus => "pcap",
            other => other.name(),
        }
    }
}

#[derive(Debug, Args)]
#[command(after_long_help = "\
Formats:
  html  what happened, and the proof, as a page that stands alone
  json  the same for programs
  fbs   VNC: FBS 001.000, for players of vncrec and rfbproxy
  pdus  RDP: what the target sent, as a capture for Wireshark
  webm  the session as a video (VP9), in which every picture has its own time; needs ffmpeg
  png   the picture at one time, exact to the pixel

Pictures are rendered here, by a process that can do nothing else; no gateway needs to run. A desktop that was larger
at other times leaves black beside a smaller one.

Examples:
  passerelle recordings export 01HZY3 --format html -o session.html
  passerelle recordings export 01HZY3 --format pdus -o - | tshark -r -
  passerelle recordings export 01HZY3 --format webm --events --skip-idle
  passerelle recordings export ./01HZY3 --identity auditor.key --format png --at 0:12:03.500")]
pub(crate) struct ExportRecordingArgs {
    /// The recording: its name in the list, or the path of its directory.
    #[arg(value_name = "RECORDING", value_hint = ValueHint::DirPath)]
    pub(crate) recording: String,
    /// The form.
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: RecordingFormat,
    /// The file, which must not be there yet; `-` is standard output. By default in this directory, with the
    /// recording's name.
    #[arg(long, short, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) output: Option<PathBuf>,
    /// The age identity file that opens the recording, instead of the gateway's own.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) identity: Option<PathBuf>,
    /// The public key that must have signed, instead of this gateway's; for reports.
    #[arg(long, value_name = "PUBLIC_KEY", value_hint = ValueHint::Other)]
    pub(crate) signer: Option<PublicKey>,
    #[command(flatten)]
    pub(crate) pictures: PictureArgs,
}

/// What there is to choose for pictures.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options for pictures")]
pub(crate) struct PictureArgs {
    /// png: which moment, as time since the recording's start.
    #[arg(long, value_name = "TIME", required_if_eq("format", "png"))]
    pub(crate) at: Option<Offset>,
    /// webm: begin here, as time since the recording's start.
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<Offset>,
    /// webm: end here.
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<Offset>,
    /// webm: leave out all but a second of the times when nothing happened.
    #[arg(long)]
    pub(crate) skip_idle: bool,
    /// webm: how good the pictures are, and how large the file.
    #[arg(long, value_name = "QUALITY", default_value = "normal")]
    pub(crate) quality: Quality,
    /// Write in lines below the picture what happened.
    #[arg(long)]
    pub(crate) events: bool,
    /// Leave the pointer out.
    #[arg(long)]
    pub(crate) no_pointer: bool,
    /// html: with small pictures of the session, which are rendered for it.
    #[arg(long)]
    pub(crate) thumbnails: bool,
}

impl PictureArgs {
    /// The first option that is for other formats than `format`.
    pub(crate) fn unfit(&self, format: RecordingFormat) -> Option<&'static str> {
        let (webm, png) = (format == RecordingFormat::Webm, format == RecordingFormat::Png);
        [
            (self.at.is_some() && !png, "--at"),
            (self.from.is_some() && !webm, "--from"),
            (self.until.is_some() && !webm, "--until"),
            (self.skip_idle && !webm, "--skip-idle"),
            (self.quality != Quality::Normal && !webm, "--quality"),
            (self.events && !webm && !png, "--events"),
            (self.thumbnails && format != RecordingFormat::Html, "--thumbnails"),
            (self.no_pointer && !webm && !png, "--no-pointer"),
        ]
        .into_iter()
        .find_map(|(unfit, name)| unfit.then_some(name))
    }
}

/// How good a video is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Quality {
    /// Half as large; small text is a little blurred while it moves.
    Small,
    /// Text is sharp.
    Normal,
    /// Hardly to be told from the original; takes several times as long.
    Best,
}

/// A time since a recording's start, in milliseconds: seconds, M:SS or H:MM:SS, with up to three decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Offset(pub(crate) u32);

impl FromStr for Offset {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WRONG: &str = "a time is written as seconds, M:SS or H:MM:SS, such as 0:12:03.500";
        let digits = |text: &str| {
            let good = (1..=9).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
            good.then(|| text.parse::<u64>().ok()).flatten().ok_or(WRONG)
        };
        let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
        if decimals.is_empty() || decimals.len() > 3 {
            return Err(WRONG);
        }
        let thousandths = digits(&format!("{decimals:0<3}"))?;
        let mut seconds = 0;
        for (place, part) in whole.split(':').enumerate() {
            let part = digits(part)?;
            // Only the first number may be larger than what the next one holds.
            if place > 2 || place > 0 && part > 59 {
                return Err(WRONG);
            }
            seconds = seconds * 60 + part;
        }
        let t_ms = (seconds * 1000).checked_add(thousandths).and_then(|t_ms| u32::try_from(t_ms).ok());
        t_ms.map(Self).ok_or("no recording is so long")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_reports_write_them() {
        for (text, expected) in [
            ("0", 0),
            ("90", 90_000),
            ("1.5", 1500),
            ("1:30", 90_000),
            ("90:00", 5_400_000),
            ("0:12:03.500", 723_500),
            ("1:02:03.004", 3_723_004),
        ] {
            assert_eq!(text.parse(), Ok(Offset(expected)), "{text}");
        }
        for wrong in
            ["", "-1", "1:60", "1:2:3:4", "1.2345", "1m", ":5", "1:", "1.", "9999999999", "999999999"]
        {
            assert!(wrong.parse::<Offset>().is_err(), "{wrong}");
        }
    }
}
