//! The clipboard of an X display.

use std::process::Command;
use std::time::Duration;

use super::Outcome;
use super::lab::Lab;
use super::process::Process;
use super::wait::wait_for;

/// Puts a text there, which lasts as long as the process.
pub(crate) fn copy(lab: &Lab, display: &str, text: &str) -> Outcome<Process> {
    let file = lab.write("copied", text)?;
    lab.start("xclip", xclip(display).args(["-target", "UTF8_STRING", "-quiet", "-in"]).arg(file))
}

/// The text that is there now.
pub(crate) fn paste(display: &str) -> Option<String> {
    // An owner that does not answer would keep xclip waiting.
    let mut command = Command::new("timeout");
    command.args([
        "3",
        "xclip",
        "-display",
        display,
        "-selection",
        "clipboard",
        "-out",
        "-target",
        "UTF8_STRING",
    ]);
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
