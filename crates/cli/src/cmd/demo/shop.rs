//! The vulnerable shop, and the folder with what protects it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use orchard::{Database, Orchard, Settings, Weaknesses};
use tokio::net::TcpListener;

/// Opens the shop on a free loopback port, with every weakness it has.
pub(super) async fn open(partner: &str) -> anyhow::Result<Orchard> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("no free port on 127.0.0.1")?;
    let settings = Settings { weaknesses: Weaknesses::all(), database: Database::Memory, partner: partner.to_owned() };
    orchard::start(listener, settings).await.map_err(|error| anyhow!("{error}"))
}

/// A folder with a configuration, its contract and its events.
pub(super) struct Folder {
    events: PathBuf,
    config: PathBuf,
    contract: PathBuf,
}

impl Folder {
    /// Makes the folder, or a new one among the temporary files.
    pub(super) fn make(path: Option<&Path>) -> anyhow::Result<Self> {
        let name = || std::env::temp_dir().join(format!("palisade-demo-{}", std::process::id()));
        let path = path.map_or_else(name, Path::to_path_buf);
        std::fs::create_dir_all(&path).with_context(|| format!("cannot make the folder `{}`", path.display()))?;
        let path = path.canonicalize().with_context(|| format!("cannot find the folder `{}`", path.display()))?;
        Ok(Self {
            events: path.join("events.jsonl"),
            config: path.join("palisade.toml"),
            contract: path.join("openapi.yaml"),
        })
    }

    /// Writes the contract and the policy for the shop at this address.
    pub(super) fn write(&self, shop: SocketAddr) -> anyhow::Result<()> {
        let policy = include_str!("palisade.toml").replace("SHOP", &shop.to_string());
        for (path, text) in [(&self.config, policy.as_str()), (&self.contract, orchard::CONTRACT)] {
            std::fs::write(path, text).with_context(|| format!("cannot write `{}`", path.display()))?;
        }
        Ok(())
    }

    pub(super) fn events(&self) -> &Path {
        &self.events
    }

    pub(super) fn config(&self) -> &Path {
        &self.config
    }

    pub(super) fn contract(&self) -> &Path {
        &self.contract
    }
}
