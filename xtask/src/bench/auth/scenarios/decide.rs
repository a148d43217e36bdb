//! Decisions by themselves.

use std::hint::black_box;
use std::time::Duration;

use anyhow::{Result, ensure};
use passerelle_auth::{Facts, Rules, decide};

use super::Bench;
use crate::bench::auth::rules::{Applying, facts, rules};
use crate::bench::clock;
use crate::bench::figures::Key;
use crate::bench::peer::{Line, Peer};

/// Decisions between two looks at the clock.
const BATCH: u32 = 16;

/// Some rules, and the ways to decide by them.
struct Variant {
    name: String,
    rules: Rules,
    /// Whether each rule is looked at.
    each: bool,
}

impl Bench {
    /// Nanoseconds a decision.
    pub(super) fn decide(&mut self) -> Result<()> {
        if !self.options.wants("decide") {
            return Ok(());
        }
        let mut variants = Vec::new();
        variants.push(variant("decision by 1 rule", 1, Applying::All, false));
        for count in [100, 1000] {
            for applying in Applying::BOTH {
                for (each, how) in [(false, ""), (true, ", each looked at")] {
                    let name = format!("decision by {count} rules, {}{how}", applying.name());
                    variants.push(variant(&name, count, applying, each));
                }
            }
        }
        let facts = facts();
        let (rounds, time) = (self.options.pick(9, 3), Duration::from_millis(self.options.pick(200, 50)));
        self.interleave("decisions", rounds, &variants, |bench, variant| {
            let key = Key::less("decide", variant.name.clone(), "ns", Line::Short);
            bench.figures.enter(key, Peer::Plain, nanoseconds(variant, &facts, time)?);
            Ok(())
        })
    }
}

fn variant(name: &str, count: usize, applying: Applying, each: bool) -> Variant {
    Variant { name: name.to_owned(), rules: Rules::new(rules(count, applying)), each }
}

/// How long a decision takes, on average over `time`.
fn nanoseconds(variant: &Variant, facts: &Facts, time: Duration) -> Result<f64> {
    let once = || match variant.each {
        true => decide(black_box(facts), black_box(variant.rules.all())),
        false => black_box(&variant.rules).decide(black_box(facts)),
    };
    ensure!(once().granted().is_ok(), "the rules do not let alice in: {}", variant.name);
    let (began, mut decisions) = (clock::now(), 0);
    loop {
        for _ in 0..BATCH {
            black_box(once());
        }
        decisions += BATCH;
        let elapsed = clock::now().duration_since(began);
        if elapsed >= time {
            return Ok(elapsed.as_secs_f64() * 1e9 / f64::from(decisions));
        }
    }
}
