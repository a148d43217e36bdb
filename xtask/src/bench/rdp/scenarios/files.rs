//! Files: copied over the clipboard, and read and written on a drive of the viewer's. Only xrdp has both.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::{Bench, more};
use crate::bench::clock;
use crate::bench::peer::Peer;
use crate::bench::process::{Process, command};
use crate::bench::rdp::display::Display;
use crate::bench::rdp::servers::{Target, Xrdp};
use crate::bench::rdp::viewer::Viewer;

/// How long a clipboard or a drive may take to be there.
const PATIENCE: Duration = Duration::from_secs(20);
/// Where xrdp shows what the viewer has.
const MOUNTED: &str = "thinclient_drives";

impl Bench {
    /// How fast the target reads and writes files of the viewer's.
    pub(super) fn files(&mut self) -> Result<()> {
        if !self.options.wants("files") || self.servers.xrdp.is_none() {
            return Ok(());
        }
        let (rounds, mebibytes) = (self.options.pick(5, 2), self.options.pick(64, 24));
        let share = self.directory.join("share");
        fs::create_dir(&share)?;
        let peers = self.peers.running();
        let mut number = 0;
        self.interleave(&format!("files of {mebibytes} MiB"), rounds, &peers, |bench, peer| {
            // Nobody may have a file of this name in a cache.
            number += 1;
            let file = share.join(format!("file-{number}"));
            fill(&file, mebibytes)?;
            let times = bench.copy(peer, &file)?;
            fs::remove_file(&file)?;
            for (name, seconds) in times {
                let rate = mebibytes as f64 * f64::from(1 << 20) / 1e6 / seconds;
                bench.figures.enter(more("files", name, "MB/s"), peer, rate);
            }
            Ok(())
        })
    }

    /// Copies `file` in each way and returns the seconds that each took.
    fn copy(&self, peer: Peer, file: &Path) -> Result<[(&'static str, f64); 3]> {
        let xrdp = self.servers.xrdp.as_ref().context("xrdp does not run")?;
        let name = file.file_name().and_then(|name| name.to_str()).context("the file has no name")?;
        let mebibytes = fs::metadata(file)?.len() >> 20;

        let endpoint = self.peers.endpoint(peer, Target::Xrdp)?;
        let mut viewer = Viewer::start(&endpoint, &self.aside, &self.directory)?;
        let copied = put_on_clipboard(file, &self.aside, &self.directory)?;
        wait(&mut viewer, "the file on the target's clipboard", || pasted(xrdp, name))?;
        let clipboard = read(xrdp, &format!("{MOUNTED}/.clipboard/{name}"), mebibytes)?;
        viewer.must_run()?;
        drop((viewer, copied));

        let folder = file.parent().context("the file is in no folder")?;
        let endpoint = self.peers.endpoint(peer, Target::Xrdp)?;
        let mut viewer = Viewer::with_drive(&endpoint, folder, &self.aside, &self.directory)?;
        let there = format!("{MOUNTED}/share/{name}");
        wait(&mut viewer, "the drive on the target", || xrdp.run(&format!("test -f {there}")).is_ok())?;
        let drive = read(xrdp, &there, mebibytes)?;
        let written =
            timed(xrdp, &format!("dd if=/dev/zero of={MOUNTED}/share/{name}-new bs=1M count={mebibytes}"))?;
        viewer.must_run()?;
        drop(viewer);
        let new = folder.join(format!("{name}-new"));
        let length = fs::metadata(&new)?.len();
        ensure!(length == mebibytes << 20, "{length} bytes of the file were written");
        fs::remove_file(new)?;
        Ok([
            ("clipboard file to the target, xrdp", clipboard),
            ("file read from a drive, xrdp", drive),
            ("file written to a drive, xrdp", written),
        ])
    }
}

/// Fills a file with what cannot be compressed.
fn fill(file: &Path, mebibytes: u64) -> Result<()> {
    let mut random = File::open("/dev/urandom")?.take(mebibytes << 20);
    std::io::copy(&mut random, &mut File::create(file)?)?;
    Ok(())
}

/// Puts a file on the clipboard of a display for as long as the process lives.
fn put_on_clipboard(file: &Path, display: &Display, directory: &Path) -> Result<Process> {
    let list = directory.join("uri-list");
    fs::write(&list, format!("file://{}", file.display()))?;
    let mut xclip =
        command("xclip", ["-selection", "clipboard", "-target", "text/uri-list", "-quiet", "-in"]);
    xclip.arg(list).env("DISPLAY", display.name());
    Process::start("xclip", xclip, directory)
}

/// Whether a file of this name is on the target's clipboard.
fn pasted(xrdp: &Xrdp, name: &str) -> bool {
    // An owner that does not answer would keep xclip waiting.
    let output = Command::new("timeout")
        .args(["3", "xclip", "-selection", "clipboard", "-target", "text/uri-list", "-out"])
        .env("DISPLAY", xrdp.display())
        .stderr(Stdio::null())
        .output();
    output.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).trim_end().ends_with(name))
}

fn wait(viewer: &mut Viewer, what: &str, ready: impl Fn() -> bool) -> Result<()> {
    let deadline = clock::now() + PATIENCE;
    while !ready() {
        viewer.must_run()?;
        ensure!(clock::now() < deadline, "{what} did not appear");
        thread::sleep(Duration::from_millis(200));
    }
    Ok(())
}

/// The seconds that the target takes to read a whole file.
fn read(xrdp: &Xrdp, path: &str, mebibytes: u64) -> Result<f64> {
    let length = xrdp.run(&format!("stat -c %s {path}"))?;
    ensure!(length.trim() == (mebibytes << 20).to_string(), "{path} has {} bytes", length.trim());
    timed(xrdp, &format!("dd if={path} of=/dev/null bs=1M"))
}

/// The seconds that a command takes there, by the clock of its own shell.
fn timed(xrdp: &Xrdp, script: &str) -> Result<f64> {
    let printed = xrdp.run(&format!("date +%s%N; {script}; date +%s%N"))?;
    let mut moments = printed.lines().filter_map(|line| line.parse::<u64>().ok());
    let (from, to) = moments.next().zip(moments.next()).context("the target has no clock")?;
    Ok(to.saturating_sub(from) as f64 / 1e9)
}
