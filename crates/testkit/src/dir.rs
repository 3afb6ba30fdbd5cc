//! A directory of its own for a test, gone when the test is over.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

static NEXT: AtomicU64 = AtomicU64::new(0);

/// A new, empty directory that is removed with all it holds when the value is dropped.
///
/// ```
/// let dir = palisade_testkit::dir::TempDir::new();
/// let path = dir.path().to_owned();
/// std::fs::write(path.join("file"), "text").unwrap();
/// drop(dir);
/// assert!(!path.exists());
/// ```
#[derive(Debug)]
pub struct TempDir(PathBuf);

impl TempDir {
    /// Makes the directory. Its name holds the process and a counter; names left over by a killed run are skipped.
    pub fn new() -> Self {
        loop {
            let name = format!("palisade-test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::SeqCst));
            let path = std::env::temp_dir().join(name);
            match std::fs::create_dir(&path) {
                Ok(()) => return Self(path),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => panic!("cannot create {}: {error}", path.display()),
            }
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file into it and returns the file's path.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, content).expect("a file in the temporary directory can be written");
        path
    }
}

impl Default for TempDir {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        // A panic here would hide the failure of the test.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
