//! What every implementation of the store has to do. [`conformance!`] makes the tests for one.

pub(crate) mod documents;
pub(crate) mod leases;
pub(crate) mod lockout;
pub(crate) mod tickets;
pub(crate) mod trust;

use std::any::Any;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use passerelle_auth::{Store, Timestamp};

/// An empty store as two nodes see it. A store for one node is given twice.
pub(crate) struct Fixture {
    pub(crate) nodes: [Arc<dyn Store>; 2],
    /// What has to live as long as the store.
    pub(crate) _keep: Box<dyn Any + Send>,
}

impl Fixture {
    /// The store as the first node sees it.
    pub(crate) fn store(&self) -> &dyn Store {
        &*self.nodes[0]
    }

    /// Does the same thing `count` times at once, on both nodes, and returns what came of each.
    pub(crate) async fn race<T, F, R>(&self, count: usize, run: F) -> Vec<T>
    where
        T: Send + 'static,
        F: Fn(Arc<dyn Store>, usize) -> R,
        R: Future<Output = T> + Send + 'static,
    {
        let start = Arc::new(tokio::sync::Barrier::new(count));
        let tasks: Vec<_> = (0..count)
            .map(|index| {
                let (start, attempt) = (Arc::clone(&start), run(Arc::clone(&self.nodes[index % 2]), index));
                tokio::spawn(async move {
                    start.wait().await;
                    attempt.await
                })
            })
            .collect();
        let mut outcomes = Vec::new();
        for task in tasks {
            outcomes.push(task.await.unwrap());
        }
        outcomes
    }
}

/// A time, `seconds` after one that all tests begin at.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_769_851_800_000 + seconds * 1000)
}

pub(crate) fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(crate) const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Makes one test of each requirement for the stores that `$fixture`, an async function, returns.
macro_rules! conformance {
    ($fixture:path) => {
        $crate::conformance::conformance! { $fixture,
            tickets {
                is_claimed_once
                of_a_hundred_claims_one_succeeds
                says_what_was_issued
                ends_at_its_expiry
                unused_ends_when_withdrawn
                lets_nobody_in_again_when_withdrawn
                stays_live_when_it_is_somebody_elses
                shares_no_secret_with_another
                lets_its_user_in_again_for_a_moment
                of_a_hundred_that_may_come_back_one_is_first
                is_a_candidate_until_it_expires
                is_a_candidate_of_its_login
                is_not_looked_at_under_a_lock
                is_forgotten_a_day_after_expiry
                clock_edges
            }
            lockout {
                follows_the_table
                counts_each_key_of_its_own
                ends_and_is_forgotten
                success_clears_all_but_the_global_count
                counts_every_failure_of_a_race
                a_race_gets_no_more_answers_than_a_row
                a_clock_set_back_frees
                is_listed_and_cleared
                takes_back_what_was_right
            }
            leases {
                ends_unless_renewed
                limits_hold_in_a_race
                limits_say_which_and_who
                ended_ones_make_room
                only_the_holder_renews_and_releases
                may_come_back_after_its_end
                revocation_reaches_the_holder
                revocation_outlives_the_lease
                permissions_reach_the_holder
                revocation_is_seen_by_watchers_on_any_node
                of_a_node_are_abandoned_together
                are_purged_an_hour_after_their_end
            }
            documents {
                is_kept_as_it_was_given
                changes_only_what_is_expected
                is_absent_from_its_expiry_on
                of_a_hundred_one_is_first
                that_matters_raises_the_epoch
                is_remembered_since_the_first_question
                is_purged_after_its_expiry
            }
            trust {
                remembers_the_first_certificate
                first_is_first_once
            }
        }
    };
    ($fixture:path, $($module:ident { $($test:ident)+ })+) => {
        $(mod $module {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $test() {
                $crate::conformance::$module::$test($fixture().await).await;
            })+
        })+
    };
}
pub(crate) use conformance;
