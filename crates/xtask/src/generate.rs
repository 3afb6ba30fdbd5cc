//! Writes the files that follow from the code, so that they cannot disagree with it.

use anyhow::Context as _;
use palisade_core::stage::StageId;

use crate::reference;
use crate::workspace::{File, root};

/// The generated files as they should be.
pub fn files() -> Vec<File> {
    vec![
        File::new("docs/reference/denials.md", reference::denials()),
        File::new("docs/reference/events.md", reference::events()),
        File::new("docs/reference/stages.md", reference::stages(ORDER)),
    ]
}

/// Writes them.
pub fn write() -> anyhow::Result<()> {
    for file in files() {
        let path = root().join(&file.path);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        }
        std::fs::write(&path, file.text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// The order of `palisade::chain::ORDER`.
const ORDER: &[StageId] = &[
    StageId::Trace,
    StageId::Record,
    StageId::Finish,
    StageId::Rescue,
    StageId::Admit,
    StageId::Client,
    StageId::Firewall,
    StageId::Route,
    StageId::Deadline,
    StageId::Size,
    StageId::Throttle,
    StageId::Cors,
    StageId::Csrf,
    StageId::Operation,
    StageId::Authenticate,
    StageId::Assure,
    StageId::Quota,
    StageId::Authorize,
    StageId::Contract,
    StageId::Inspect,
    StageId::Reveal,
    StageId::Present,
    StageId::Guard,
    StageId::Forward,
];
