//! Notices when files with targets change.

use std::path::{Path, PathBuf};
use std::time::Duration;

use passerelle_config::{Config, FragmentFile, Resolver as _, SystemResolver};

/// How often the directory is looked at. A change is acted on when two looks in a row find the same, so that
/// files are not read while they are being written.
const EVERY: Duration = Duration::from_secs(1);

/// What files there are; nothing when the directory cannot be read.
type Seen = Option<Vec<FragmentFile>>;

/// Watches `targets_dir` by looking at it.
///
/// Notifications of the kernel do not come from network file systems, and links that lead elsewhere all of a
/// sudden, as Kubernetes swaps them, need watches in several places. Looking needs neither, and asks for one
/// `stat` a file.
pub(crate) struct Watch {
    directory: Option<PathBuf>,
    /// What the configuration in force was made of, or what failed to make one.
    acted_on: Seen,
    last: Seen,
}

impl Watch {
    /// Watches the directory of `config`, in which `files` were found.
    pub(crate) fn new(config: &Config, files: Vec<FragmentFile>) -> Self {
        Self { directory: config.targets_dir.clone(), last: Some(files.clone()), acted_on: Some(files) }
    }

    /// Goes on with the directory and the files of a configuration that has been read since.
    pub(crate) fn follow(&mut self, config: &Config, files: Vec<FragmentFile>) {
        *self = Self::new(config, files);
    }

    /// Waits until the directory has changed and settled. Forgets nothing when it is dropped.
    pub(crate) async fn changed(&mut self) {
        let Some(directory) = self.directory.clone() else { return std::future::pending().await };
        loop {
            tokio::time::sleep(EVERY).await;
            let directory = directory.clone();
            // A network file system may take its time.
            let Ok(seen) = tokio::task::spawn_blocking(move || look(&directory)).await else { continue };
            if self.settled(seen) {
                return;
            }
        }
    }

    /// Whether what is seen now is new, and was seen before.
    fn settled(&mut self, seen: Seen) -> bool {
        let settled = seen != self.acted_on && seen == self.last;
        if settled {
            self.acted_on.clone_from(&seen);
        }
        self.last = seen;
        settled
    }
}

fn look(directory: &Path) -> Seen {
    SystemResolver.fragments(directory).ok()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    /// Looks twice, as time would have it.
    fn noticed(watch: &mut Watch) -> bool {
        let directory = watch.directory.clone().unwrap();
        let first = watch.settled(look(&directory));
        assert!(!first, "it was not seen twice");
        watch.settled(look(&directory))
    }

    fn watch(directory: &Path) -> Watch {
        let files = look(directory);
        Watch { directory: Some(directory.to_owned()), last: files.clone(), acted_on: files }
    }

    #[test]
    fn every_change_is_noticed_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        let mut watch = watch(path);
        assert!(!noticed(&mut watch));
        fs::write(path.join("a.yaml"), "[]").unwrap();
        assert!(noticed(&mut watch));
        assert!(!noticed(&mut watch));
        // The same size.
        fs::write(path.join("a.yaml"), "{}").unwrap();
        assert!(noticed(&mut watch));
        fs::rename(path.join("a.yaml"), path.join("b.yaml")).unwrap();
        assert!(noticed(&mut watch));
        fs::remove_file(path.join("b.yaml")).unwrap();
        assert!(noticed(&mut watch));
        // Not ours.
        fs::write(path.join("README.md"), "").unwrap();
        fs::write(path.join(".b.yaml.swp"), "").unwrap();
        fs::write(path.join(".c.yaml"), "").unwrap();
        assert!(!noticed(&mut watch));
        drop(directory);
        assert!(noticed(&mut watch), "that the directory is gone is a change too");
        assert!(!noticed(&mut watch));
    }

    #[test]
    fn what_does_not_settle_is_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.yaml");
        let mut watch = watch(directory.path());
        for text in ["[", "[ ", "[ ]"] {
            fs::write(&path, text).unwrap();
            assert!(!watch.settled(look(directory.path())), "{text}");
        }
        assert!(watch.settled(look(directory.path())));
    }

    /// `..data` is a link to the directory with the files of one version; the files' own links lead through it.
    #[test]
    fn swapped_links_are_noticed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        for (version, text) in [("..1", "[]"), ("..2", "{}")] {
            fs::create_dir(path.join(version)).unwrap();
            fs::write(path.join(version).join("a.yaml"), text).unwrap();
        }
        symlink("..1", path.join("..data")).unwrap();
        symlink("..data/a.yaml", path.join("a.yaml")).unwrap();
        let mut watch = watch(path);
        assert_eq!(watch.last.as_ref().map(Vec::len), Some(1));
        symlink("..2", path.join("..data_tmp")).unwrap();
        fs::rename(path.join("..data_tmp"), path.join("..data")).unwrap();
        assert!(noticed(&mut watch));
        assert!(!noticed(&mut watch));
    }
}
