//! What is on a desktop's screen.

use std::path::Path;
use std::process::Command;
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

/// Lines of words, the same in every run.
const SCROLLING: &str = r#"BEGIN {
    srand(7); words = split("the of target viewer session picture that is with recording and not", word, " ")
    for (line = 1; ; line++) {
        printf "%6d", line
        for (left = rand() * 30; left > 0; left--) printf " %s", word[1 + int(rand() * words)]
        printf "\n"
        if (line % 3 == 0) { fflush(); system("sleep 0.4") }
    }
}"#;

/// The pages that are browsed.
const PAGES: &str = include_str!("pages.html");

/// Chromium in a window over the whole screen, with a profile of its own.
fn browser(directory: &Path) -> Result<Command> {
    let profile = directory.join("browser");
    let page = directory.join("pages.html");
    std::fs::write(&page, PAGES)?;
    let mut chromium = command("chromium", ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]);
    chromium
        .args([
            "--no-first-run",
            "--no-proxy-server",
            "--disable-extensions",
            "--disable-background-networking",
        ])
        .args(["--kiosk", "--window-position=0,0", "--window-size=1280,720"])
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg(format!("file://{}", page.display()))
        .env("HOME", directory);
    Ok(chromium)
}

/// What is on the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// A terminal at 100,100 that shows what is typed.
    Terminal,
    /// A moving test picture of 1280x720 at so many frames a second.
    Motion(u32),
    /// A terminal of 1280x720 in which a long text goes by, three lines at a time.
    Scrolling,
    /// Chromium with pages of text and pictures, 1280x720, which are scrolled and left for others.
    Browsing,
}

impl Content {
    /// Shows it on `display` for as long as the process lives.
    pub(crate) fn start(self, display: u32, directory: &Path) -> Result<Process> {
        let mut program = match self {
            Content::Terminal => {
                command("xterm", "-bg black -fg white -cr black -geometry 80x24+100+100 -fn fixed".split(' '))
            }
            Content::Scrolling => {
                command("xterm", "-bg white -fg black -geometry 213x55+0+0 -b 0 -bw 0 -fn fixed".split(' '))
            }
            Content::Browsing => browser(directory)?,
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
        match self {
            Content::Terminal => {
                program.args(["-e", "sh", "-c", "stty -icanon echo; exec cat >/dev/null"]);
            }
            Content::Scrolling => {
                program.args(["-e", "awk", SCROLLING]);
            }
            Content::Motion(_) | Content::Browsing => {}
        }
        program
            .env("DISPLAY", format!(":{display}"))
            .env("SDL_RENDER_DRIVER", "software")
            .env("SDL_AUDIODRIVER", "dummy");
        Process::start("content", program, directory)
    }
}
