//! Which files a configuration was made of, and how each one was when it was read: so that a change can be seen.

use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A file that was read, or should have been.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    path: PathBuf,
    stamp: Option<Stamp>,
}

/// What changes when a file does. The file's own number is part of it, because editors put a new file in the place of
/// the old one and mounted secrets turn a link to another folder.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    length: u64,
    modified: Option<SystemTime>,
    #[cfg(unix)]
    identity: [i64; 4],
}

impl Watched {
    /// The file as it is now, also when it is missing. To be called before it is read: what is written while it is read
    /// is then a change that comes after.
    pub fn now(path: PathBuf) -> Self {
        let stamp = stamp(&path);
        Self { path, stamp }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The same file as it is now.
    #[must_use]
    pub fn again(&self) -> Self {
        Self::now(self.path.clone())
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    // Links are followed: it is the file at their end that is read.
    let metadata = std::fs::metadata(path).ok()?;
    Some(Stamp {
        length: metadata.len(),
        modified: metadata.modified().ok(),
        #[cfg(unix)]
        identity: identity(&metadata),
    })
}

#[cfg(unix)]
fn identity(metadata: &Metadata) -> [i64; 4] {
    use std::os::unix::fs::MetadataExt as _;

    [metadata.dev().cast_signed(), metadata.ino().cast_signed(), metadata.ctime(), metadata.ctime_nsec()]
}

#[cfg(test)]
mod tests {
    use palisade_testkit::dir::TempDir;

    use super::*;

    /// What somebody does to the file in a folder.
    type Change = fn(&TempDir);

    #[test]
    fn every_way_of_changing_a_file_is_seen() {
        let changes: [(&str, Change); 5] = [
            ("written in place with as many bytes", |dir| drop(dir.write("a", "two"))),
            ("written in place with more bytes", |dir| drop(dir.write("a", "three"))),
            ("replaced by an editor", |dir| {
                dir.write("a.tmp", "one");
                std::fs::rename(dir.path().join("a.tmp"), dir.path().join("a")).unwrap();
            }),
            ("removed", |dir| std::fs::remove_file(dir.path().join("a")).unwrap()),
            ("touched", |dir| {
                let file = std::fs::File::options().append(true).open(dir.path().join("a")).unwrap();
                file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
            }),
        ];
        for (what, change) in changes {
            let dir = TempDir::new();
            let before = Watched::now(dir.write("a", "one"));
            assert_eq!(before.again(), before, "{what}: nothing has happened yet");
            // The times of files advance with the system's tick.
            std::thread::sleep(std::time::Duration::from_millis(20));
            change(&dir);
            assert_ne!(before.again(), before, "{what}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_that_is_turned_is_a_change() {
        let dir = TempDir::new();
        for version in ["1", "2"] {
            std::fs::create_dir(dir.path().join(version)).unwrap();
            dir.write(&format!("{version}/cert.pem"), "the same");
        }
        // As Kubernetes mounts a secret: the file is a link through a link to a folder, and only that one is turned.
        std::os::unix::fs::symlink("1", dir.path().join("..data")).unwrap();
        std::os::unix::fs::symlink("..data/cert.pem", dir.path().join("cert.pem")).unwrap();
        let before = Watched::now(dir.path().join("cert.pem"));
        std::os::unix::fs::symlink("2", dir.path().join("..data.new")).unwrap();
        std::fs::rename(dir.path().join("..data.new"), dir.path().join("..data")).unwrap();
        assert_ne!(before.again(), before);
    }
}
