//! What many targets and rules cost.

use anyhow::Result;

use super::{Bench, logins};
use crate::bench::auth::site::{Site, Size, last_target};
use crate::bench::auth::tokens::Provider;
use crate::bench::clock::milliseconds;
use crate::bench::figures::Key;
use crate::bench::peer::{Line, Peer};
use crate::bench::vnc::source::Source;

impl Bench {
    /// Memory and start of a small and a large gateway, and logins on the last target of each.
    pub(super) fn size(&mut self) -> Result<()> {
        if !self.options.wants("size") {
            return Ok(());
        }
        let source = Source::start()?;
        let site = Site::new(source.address(), &Provider::new()?, &self.directory)?;
        let sizes = [(Size::SMALL, "one target and rule"), (Size::LARGE, "10,000 targets, 1,000 rules")];
        let (rounds, count) = (self.options.pick(5, 2), self.options.pick(400, 80));
        self.interleave("many targets and rules", rounds, &sizes, |bench, (size, words)| {
            let (gateway, _) = site.start(*size, &bench.passerelle, &bench.directory)?;
            let mut less = |name: &str, unit, value| {
                bench.figures.enter(
                    Key::less("size", format!("{name}, {words}"), unit, Line::Short),
                    Peer::Plain,
                    value,
                );
            };
            less("memory after the start", "MiB", gateway.process().resident_kib() / 1024.0);
            less("start", "ms", milliseconds(gateway.started_in()));
            let rate = logins::with_tickets(&gateway, &last_target(*size), count)?;
            less("memory after logins", "MiB", gateway.process().resident_kib() / 1024.0);
            bench.enter_rate("size", format!("logins by ticket, {words}"), Peer::Plain, rate);
            Ok(())
        })
    }
}
