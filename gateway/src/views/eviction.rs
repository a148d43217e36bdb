//! Views do not stay for ever: they can be rendered again.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::recordings;
use crate::ambient;
use crate::gateway::Gateway;

/// How often is looked at what there is.
const PERIOD: Duration = Duration::from_secs(300);

/// Removes views that are too old or too many, those of recordings that are no more, and what was left unfinished.
pub(crate) async fn follow(gateway: Arc<Gateway>) {
    loop {
        let (looking, config) = (gateway.clone(), gateway.policy());
        let looked = tokio::task::spawn_blocking(move || {
            let views = &config.config.recording.views;
            evict(&looking, views.max_age.get(), views.max_size.bytes(), ambient::wall())
        });
        match looked.await {
            Ok(Ok(0)) | Err(_) => {}
            Ok(Ok(removed)) => tracing::info!(removed, "views were removed; they can be rendered again"),
            Ok(Err(error)) => tracing::warn!(%error, "old views cannot be removed"),
        }
        tokio::time::sleep(PERIOD).await;
    }
}

fn evict(gateway: &Gateway, max_age: Duration, max_size: u64, now: SystemTime) -> std::io::Result<usize> {
    let Some(store) = &gateway.views.store else { return Ok(0) };
    let running = || -> Vec<String> { gateway.views.lock().running.keys().cloned().collect() };
    // What ends or begins while the list is made is not to be removed either.
    let before = running();
    let views = store.list()?;
    if views.is_empty() {
        return Ok(0);
    }
    let recordings = recordings(&gateway.policy().config)?;
    let after = running();
    let views = views.into_iter().filter(|(id, _, _)| !before.contains(id) && !after.contains(id));
    let known =
        views.map(|(id, bytes, written)| View { orphan: !recordings.contains(&id), id, bytes, written });
    let condemned = condemned(known.collect(), max_age, max_size, now);
    for id in &condemned {
        if let Err(error) = store.remove(id) {
            tracing::warn!(recording = id, %error, "a view cannot be removed");
        }
    }
    Ok(condemned.len())
}

struct View {
    id: String,
    bytes: u64,
    /// When it was rendered, if it is whole.
    written: Option<SystemTime>,
    /// Its recording is no more.
    orphan: bool,
}

/// Which views are to go: orphans, unfinished ones, old ones, and of the rest the oldest until all fit.
fn condemned(mut views: Vec<View>, max_age: Duration, max_size: u64, now: SystemTime) -> Vec<String> {
    // The newest first.
    views.sort_by_key(|view| std::cmp::Reverse(view.written));
    let mut kept = 0u64;
    let mut condemned = Vec::new();
    for view in views {
        let age = view.written.map(|written| now.duration_since(written).unwrap_or_default());
        let fits = kept.saturating_add(view.bytes) <= max_size;
        if !view.orphan && fits && age.is_some_and(|age| age <= max_age) {
            kept += view.bytes;
        } else {
            condemned.push(view.id);
        }
    }
    condemned
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_old_or_too_much_goes() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let view = |id: &str, age: Option<u64>, bytes| View {
            id: id.to_owned(),
            bytes,
            written: age.map(|age| now - Duration::from_secs(age)),
            orphan: id == "orphan",
        };
        let views = || {
            vec![
                view("new", Some(10), 400),
                view("older", Some(20), 400),
                view("large", Some(30), 400),
                view("old", Some(5000), 1),
                view("orphan", Some(1), 1),
                view("unfinished", None, 1),
            ]
        };
        let day = Duration::from_secs(86_400);
        assert_eq!(condemned(views(), day, 1000, now), ["orphan", "large", "unfinished"]);
        let hour = Duration::from_secs(3600);
        assert_eq!(condemned(views(), hour, 5000, now), ["orphan", "old", "unfinished"]);
    }
}
