//! What is on a desktop's screen.

use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::process::{Process, command};

/// X displays are tried from here on.
const FIRST_DISPLAY: u32 = 120;

/// What has to be installed for it.
pub(crate) const PROGRAMS: [(&str, &str); 2] = [("xterm", "xterm"), ("ffplay", "ffmpeg")];

/// The number of an X display that nobody uses.
pub(crate) fn free_display() -> Result<u32> {
    (FIRST_DISPLAY..FIRST_DISPLAY + 1000)
        .find(|display| {
            !Path::new(&format!("/tmp/.X{display}-lock")).exists()
                && !Path::new(&format!("/tmp/.X11-unix/X{display}")).exists()
        })
        .context("there is no free X display")
}

/// Ends `shown` and puts `content` in its place, over a coloured ground, and gives it time to appear.
pub(crate) fn replace(
    shown: &mut Option<Process>,
    content: Option<Content>,
    display: u32,
    directory: &Path,
) -> Result<()> {
    *shown = None;
    let mut ground = command("xsetroot", ["-solid", "#336699"]);
    let status = ground.env("DISPLAY", format!(":{display}")).status().context("cannot run xsetroot")?;
    ensure!(status.success(), "xsetroot failed");
    if let Some(content) = content {
        *shown = Some(content.start(display, directory)?);
        thread::sleep(Duration::from_secs(2));
    }
    Ok(())
}

/// What is on the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// A terminal at 100,100 that shows what is typed.
    Terminal,
    /// A moving test picture of 1280x720 at so many frames a second.
    Motion(u32),
}

impl Content {
    /// Shows it on `display` for as long as the process lives.
    pub(crate) fn start(self, display: u32, directory: &Path) -> Result<Process> {
        let mut program = match self {
            Content::Terminal => {
                command("xterm", "-bg black -fg white -cr black -geometry 80x24+100+100 -fn fixed".split(' '))
            }
            Content::Motion(rate) => {
                let picture = format!("testsrc2=size=1280x720:rate={rate}");
                command(
                    "ffplay",
                    ["-hide_banner", "-loglevel", "error", "-an", "-noborder", "-left", "0", "-top", "0"]
                        .into_iter()
                        .chain(["-f", "lavfi", "-i", &picture]),
                )
            }
        };
        if self == Content::Terminal {
            program.args(["-e", "sh", "-c", "stty -icanon echo; exec cat >/dev/null"]);
        }
        program
            .env("DISPLAY", format!(":{display}"))
            .env("SDL_RENDER_DRIVER", "software")
            .env("SDL_AUDIODRIVER", "dummy");
        Process::start("content", program, directory)
    }
}
