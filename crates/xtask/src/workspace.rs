//! The repository as data: its crates with their dependencies, and its text files.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use cargo_metadata::{DependencyKind, MetadataCommand};

/// What is not ours or not source: folders, and the file that a linked worktree has for `.git`.
const SKIPPED: &[&str] = &[".git", "corpus", "node_modules", "target"];

/// Everything that rules look at.
#[derive(Debug)]
pub struct Workspace {
    /// The crates.
    pub members: Vec<Member>,
    /// The text files, in the order of their paths.
    pub files: Vec<File>,
    root: PathBuf,
}

/// One crate.
#[derive(Clone, Debug)]
pub struct Member {
    /// Its package name.
    pub name: String,
    /// Its folder, from the root, with `/`.
    pub folder: String,
    /// What it needs, development dependencies left out.
    pub needs: Vec<Need>,
}

/// One dependency of a crate.
#[derive(Clone, Debug)]
pub struct Need {
    /// The package that is needed.
    pub name: String,
    /// When.
    pub when: When,
}

/// When a dependency is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Always.
    Always,
    /// If a feature asks for it.
    Optional,
}

/// One text file.
#[derive(Clone, Debug)]
pub struct File {
    /// Its path from the root, with `/`.
    pub path: String,
    /// Its content.
    pub text: String,
}

impl File {
    /// A file that need not exist.
    pub fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self { path: path.into(), text: text.into() }
    }

    /// Whether it is Rust source.
    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }
}

impl Workspace {
    /// Reads the repository that this crate belongs to.
    pub fn read() -> anyhow::Result<Self> {
        let root = root();
        let members = members(&root)?;
        let mut files = Vec::new();
        collect(&root, &root, &mut files)?;
        files.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(Self { members, files, root })
    }

    /// Whether there is a file or folder of this path, from the root.
    pub fn exists(&self, path: &str) -> bool {
        self.root.join(path).exists()
    }
}

/// The root of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

fn members(root: &Path) -> anyhow::Result<Vec<Member>> {
    let metadata = MetadataCommand::new()
        .manifest_path(root.join("Cargo.toml"))
        .no_deps()
        .other_options(["--offline".to_owned()])
        .exec()
        .context("cannot ask cargo about the workspace")?;
    let member = |package: &cargo_metadata::Package| Member {
        name: package.name.to_string(),
        folder: package.manifest_path.parent().map(|folder| relative(root, folder.as_std_path())).unwrap_or_default(),
        needs: package
            .dependencies
            .iter()
            .filter(|need| need.kind != DependencyKind::Development)
            .map(|need| Need {
                name: need.name.clone(),
                when: if need.optional { When::Optional } else { When::Always },
            })
            .collect(),
    };
    Ok(metadata.packages.iter().map(member).collect())
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<File>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        if SKIPPED.iter().any(|skipped| entry.file_name() == *skipped) {
            continue;
        }
        if kind.is_dir() {
            collect(root, &path, files)?;
        } else if kind.is_file()
            && let Ok(text) = String::from_utf8(std::fs::read(&path)?)
        {
            files.push(File { path: relative(root, &path), text });
        }
    }
    Ok(())
}

fn relative(root: &Path, path: &Path) -> String {
    let parts = path.strip_prefix(root).unwrap_or(path).components();
    parts.map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}
