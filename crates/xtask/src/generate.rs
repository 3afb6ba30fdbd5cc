//! Writes the files that follow from the code, so that they cannot disagree with it.

use anyhow::Context as _;
use palisade::chain::ORDER;
use palisade::observe::event_schema;
use palisade_gateway::config;
use palisade_review::report_schema;

use crate::workspace::{File, root};
use crate::{reference, rules};

/// The generated files as they should be.
pub fn files() -> Vec<File> {
    vec![
        File::new("docs/reference/denials.md", reference::denials()),
        File::new("docs/reference/events.md", reference::events()),
        File::new("docs/reference/stages.md", reference::stages(ORDER)),
        File::new("docs/reference/config.md", config::reference()),
        File::new("docs/reference/rules.md", rules::page()),
        File::new("schema/palisade.schema.json", format!("{:#}\n", config::json_schema())),
        File::new("schema/event.schema.json", format!("{:#}\n", event_schema())),
        File::new("schema/review-report.schema.json", format!("{:#}\n", report_schema())),
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
