//! What becomes of recordings after they were written: how long they are kept, who may not have them deleted, and how
//! much room they may take.

mod away;
mod orders;
mod retention;
mod space;
mod upload;

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use self::retention::Retention;
use self::space::Watch;
use crate::gateway::Gateway;

pub(crate) use orders::{Classes, KeepError};
pub(crate) use upload::upload;

/// How often the gateway looks.
const INTERVAL: Duration = Duration::from_secs(2);

/// Watches the disk and deletes recordings whose time is over, until `stop`.
pub(crate) async fn keep(gateway: Arc<Gateway>, stop: CancellationToken) {
    let mut watch = Watch::default();
    let mut retention = Retention::new(&gateway).await;
    loop {
        watch.look(&gateway);
        retention.run(&gateway, &stop).await;
        if stop.run_until_cancelled(tokio::time::sleep(INTERVAL)).await.is_none() {
            return;
        }
    }
}
