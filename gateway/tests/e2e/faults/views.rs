//! Renderings that come to an end.

use crate::harness::Outcome;
use crate::harness::lab::Lab;
use crate::peers::site::{Setup, Site, expect_refusal};
use crate::peers::target::Target;
use crate::peers::viewer::Viewer;

/// Renders a recording.
fn render(site: &Site<'_>, id: &str) -> Outcome {
    let done = site.run(&["recordings", "render", id])?;
    if done.success { Ok(()) } else { Err(done.stderr) }
}

#[test]
fn a_rendering_that_needs_too_much_memory_fails_by_itself() {
    const LITTLE: &str = "memory: 16MiB";
    Lab::run(|lab| {
        let target = Target::quiet()?;
        let setup = Setup::new(&target).with(&format!("recording: {{ views: {{ {LITTLE} }} }}"));
        let mut site = Site::start(lab, setup)?;
        let mut viewer = Viewer::login(&site, &site.ticket()?)?;
        viewer.refresh()?;
        let id = site.wait_sessions(1)?.remove(0);
        // A session that is watched does not notice.
        expect_refusal(render(&site, &id), "it needed more memory than `recording.views.memory` allows")?;
        viewer.refresh()?;
        drop(viewer);
        site.wait_ends(1)?;
        expect_refusal(render(&site, &id), "it needed more memory than `recording.views.memory` allows")?;
        site.reload(|site| site.replace(LITTLE, "memory: 2GiB"))?;
        site.wait_logged("the configuration was reloaded")?;
        render(&site, &id)?;
        site.expect_sealed()
    });
}
