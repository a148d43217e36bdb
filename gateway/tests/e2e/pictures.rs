//! Pictures of recordings as files, looked at with programs of others.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::harness::Outcome;
use crate::harness::clients::Client;
use crate::harness::gateway::{Gateway, Trust};
use crate::harness::lab::Lab;
use crate::harness::picture::Picture;
use crate::harness::process::read;
use crate::harness::screen::SIZE;
use crate::harness::servers::{Server, Target};
use crate::harness::wait::wait_for;

/// What the desktop becomes.
const SMALLER: (usize, usize) = (640, 480);
/// How many percent of a video's pixels may be off, in brightness or, at half its size, in colour.
const DIFFERENCE: f64 = 1.0;
const LONG: Duration = Duration::from_secs(60);

/// A session whose desktop becomes smaller. Its end as a PNG file is what the desktop showed; its video has the largest
/// size, the recording's length, and ends with the same picture; from a copy, there is also a video with what happened.
#[test]
fn a_recording_becomes_a_video_and_single_pictures() {
    Lab::run(|lab| {
        let client = Client::TigervncVncAuth;
        let target = Target::start(lab, Server::XvncVncAuth)?;
        let gateway = Gateway::start(lab, &[client.security()], &target, Trust::Pin)?;
        let viewer = client.connect(lab, &gateway.login(client, &gateway.ticket()?), "typed and shown")?;
        target.wait_typed("typed and shown")?;
        let mut xrandr = Command::new("xrandr");
        read(xrandr.args(["--display", &target.display()?, "--size", "640x480"]))?;
        let shown = wait_for("the viewer having the smaller desktop", LONG, || {
            let shown = target.picture().ok()?;
            let seen = viewer.picture().ok()?;
            let same = (shown.width, shown.height) == SMALLER && seen.difference_within(&shown) < DIFFERENCE;
            same.then_some(shown)
        })?;
        drop(viewer);
        gateway.wait_idle()?;
        let id = gateway.verify_recording()?;
        let about = gateway.cli(&["recordings", "show", &id, "--json"])?;
        let about: Value = serde_json::from_str(&about).map_err(|error| error.to_string())?;
        let length = about["duration_ms"].as_f64().ok_or("the recording has no length")? / 1000.0;

        let path = |name: &str| lab.path(name).display().to_string();
        let (video, last, page) = (path("session.webm"), path("last.png"), path("report.html"));
        let export = |more: &[&str], to: &str| {
            let all = [&["recordings", "export", &id, "--output", to, "--no-pointer"], more].concat();
            gateway.cli(&all)
        };
        export(&["--format", "webm", "--quality", "best"], &video)?;
        let end = format!("{length:.3}");
        export(&["--format", "png", "--at", &end], &last)?;
        let exact = Picture::png(Path::new(&last))?;
        if (exact.width, exact.height) != SMALLER || exact.difference(&shown) > 0.5 {
            return Err(format!("{last} is not what the desktop showed"));
        }
        check(&video, SIZE, length)?;
        // Pixels first: what is scaled before loses half of its colours once more.
        let crop = format!("format=rgb24,crop={}:{}:0:0", SMALLER.0, SMALLER.1);
        // VP9 has a brightness for each pixel, and a colour for each four.
        for (what, filter) in
            [("brightness", "format=gray,format=rgb24"), ("colour", "scale=iw/2:ih/2:flags=area")]
        {
            let seen = filtered(lab, &video, &format!("{crop},{filter}"), what)?;
            let difference = seen.difference(&filtered(lab, &last, filter, "exact")?);
            if difference > DIFFERENCE {
                return Err(format!(
                    "{difference:.2} % of {video} have another {what} at its end than {last}"
                ));
            }
        }
        // Nothing is replaced.
        if export(&["--format", "png", "--at", &end], &last).is_ok() {
            return Err("a file was overwritten".into());
        }
        let html = ["recordings", "export", &id, "--format", "html", "--thumbnails", "--output", &page];
        gateway.cli(&html)?;
        let report = fs::read_to_string(&page).map_err(|error| error.to_string())?;
        if !report.contains("<img src=\"data:image/jpeg;base64,/9j/") {
            return Err(format!("{page} has no pictures"));
        }

        copied(lab, &id, length)?;
        let audit = gateway.audit()?;
        let told = audit.iter().filter(|kind| *kind == "recording.read").count();
        if told >= 3 { Ok(()) } else { Err(format!("the audit log has only {audit:?}")) }
    });
}

/// What an auditor does with a copy, where there is no configuration.
fn copied(lab: &Lab, id: &str, length: f64) -> Outcome {
    let data = lab.path("data");
    let copy = lab.path("copy");
    read(Command::new("cp").arg("-r").arg(data.join("recordings").join(id)).arg(&copy))?;
    let export = |path: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_passerelle"));
        command.args(["recordings", "export"]).arg(&copy).arg("--identity").arg(data.join("recordings.age"));
        command.args(["--config", "/nonexistent", "--format", "webm", "--events", "--output", "-"]);
        command.env("PATH", path);
        command
    };
    let usual = std::env::var("PATH").unwrap_or_default();
    let video = lab.write("events.webm", read(&mut export(&usual))?)?;
    // Below the desktop stand two lines of 22 pixels.
    check(&video.display().to_string(), (SIZE.0, SIZE.1 + 44), length)?;
    let none = lab.subfolder("no-programs")?;
    match read(&mut export(&none.display().to_string())) {
        Err(said) if said.contains("ffmpeg, which is not installed") => Ok(()),
        said => Err(format!("without ffmpeg, it said {said:?}")),
    }?;
    let left = fs::read_dir(lab.path("")).map_err(|error| error.to_string())?.flatten();
    let left = left.filter(|file| file.file_name().to_string_lossy().starts_with(".passerelle-")).count();
    if left == 0 { Ok(()) } else { Err(format!("{left} temporary files are left")) }
}

/// What ffmpeg makes of a video's last frame, or of a picture.
fn filtered(lab: &Lab, from: &str, filter: &str, name: &str) -> Outcome<Picture> {
    let to = lab.path(&format!("{name}.png"));
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-v", "error", "-y", "-i", from, "-vf", filter, "-fps_mode", "passthrough", "-update", "1"]);
    read(ffmpeg.args(["-pix_fmt", "rgb24"]).arg(&to))?;
    Picture::png(&to)
}

/// Checks what ffprobe says of a video.
fn check(video: &str, (width, height): (usize, usize), length: f64) -> Outcome {
    let mut ffprobe = Command::new("ffprobe");
    ffprobe.args(["-v", "error", "-show_streams", "-show_format", "-count_packets", "-of", "json", video]);
    let said = read(&mut ffprobe)?;
    let said: Value = serde_json::from_slice(&said).map_err(|error| error.to_string())?;
    let stream = &said["streams"][0];
    let lasts = said["format"]["duration"].as_str().and_then(|lasts| lasts.parse::<f64>().ok());
    let frames = stream["nb_read_packets"].as_str().and_then(|frames| frames.parse::<f64>().ok());
    let good = stream["codec_name"] == "vp9"
        && (stream["width"] == width && stream["height"] == height)
        && lasts.is_some_and(|lasts| (lasts - length).abs() < 0.1)
        // Times vary: there are as many frames as changes, and not so many each second.
        && frames.is_some_and(|frames| frames > 2.0 && frames <= length * 31.0 + 3.0);
    if good { Ok(()) } else { Err(format!("{video} of {length} s is {said}")) }
}
