//! The clipboard of an X display.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::Outcome;
use super::lab::Lab;
use super::process::Process;
use super::wait::wait_for;

/// What file managers call a list of files.
const FILES: &str = "text/uri-list";

/// Puts a text there, which lasts as long as the process.
pub(crate) fn copy(lab: &Lab, display: &str, text: &str) -> Outcome<Process> {
    let file = lab.write("copied", text)?;
    lab.start("xclip", xclip(display).args(["-target", "UTF8_STRING", "-quiet", "-in"]).arg(file))
}

/// Puts files there, as file managers do. That lasts as long as the process.
pub(crate) fn copy_files(lab: &Lab, display: &str, files: &[&Path]) -> Outcome<Process> {
    let list: String = files.iter().map(|file| format!("file://{}\r\n", file.display())).collect();
    let list = lab.write("copied-files", list)?;
    lab.start("xclip", xclip(display).args(["-target", FILES, "-quiet", "-in"]).arg(list))
}

/// The text that is there now.
pub(crate) fn paste(display: &str) -> Option<String> {
    paste_as(display, "UTF8_STRING")
}

/// The paths of the files that are there now.
pub(crate) fn paste_files(display: &str) -> Option<Vec<String>> {
    let list = paste_as(display, FILES)?;
    Some(list.lines().filter_map(|line| line.strip_prefix("file://").map(str::to_owned)).collect())
}

/// What is there now, in one of its forms.
fn paste_as(display: &str, form: &str) -> Option<String> {
    // An owner that does not answer would keep xclip waiting.
    let mut command = Command::new("timeout");
    command.args(["10", "xclip", "-display", display, "-selection", "clipboard", "-out", "-target", form]);
    let output = command.output().ok().filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok()
}

/// Waits until this text is there.
pub(crate) fn wait_pasted(display: &str, text: &str) -> Outcome {
    wait_for("copied text arriving at the other end", Duration::from_secs(10), || {
        (paste(display)? == text).then_some(())
    })
}

fn xclip(display: &str) -> Command {
    let mut command = Command::new("xclip");
    command.args(["-display", display, "-selection", "clipboard"]);
    command
}
