//! The reference pages: one paragraph for every denial code, event kind and stage, from the catalogues of the core.

use std::fmt::Write as _;

use palisade_core::denial::DenialCode;
use palisade_core::event::EventKind;
use palisade_core::stage::StageId;

pub(crate) const NOTICE: &str = "<!-- Written by `cargo xtask generate`; what is changed here by hand is lost. -->\n\n";

/// The page of denial codes.
pub fn denials() -> String {
    let mut page = format!(
        "{NOTICE}# Denial codes\n\n\
         A refused request gets a problem (RFC 9457) whose `code` is one of these and whose `type` is the address of its\n\
         paragraph here. The caller sees status, title and, where the request itself is wrong, the places; why exactly it\n\
         was refused is in the event with the same `request_id`.\n"
    );
    for code in DenialCode::ALL {
        let event = code.event();
        let _ = write!(
            page,
            "\n## `{code}`\n\n\
             | status | event | title |\n|---|---|---|\n| {} | [`{event}`](events.md#{event}) | {} |\n\n\
             {}\n\n**What to do:** {}\n",
            code.status(),
            code.title(),
            code.meaning(),
            code.remedy()
        );
        if code.public() != *code {
            let _ = write!(page, "\n**What the caller is told:** `{}`\n", code.public());
        }
    }
    page
}

/// The page of event kinds.
pub fn events() -> String {
    let mut page = format!(
        "{NOTICE}# Event kinds\n\n\
         Every request makes one `access` event. What people who answer for security want to know besides makes one more,\n\
         of one of these kinds. The class is the `class_uid` of the Open Cybersecurity Schema Framework.\n"
    );
    for kind in EventKind::ALL {
        let codes: Vec<String> = DenialCode::ALL
            .iter()
            .filter(|code| code.event() == *kind)
            .map(|code| format!("[`{code}`](denials.md#{code})"))
            .collect();
        let _ = write!(page, "\n## `{kind}`\n\nOCSF class {}. {}\n", kind.ocsf_class(), kind.meaning());
        if !codes.is_empty() {
            let _ = write!(page, "\nDenial codes: {}.\n", codes.join(", "));
        }
    }
    page
}

/// The page of stages, in the order in which a request meets them.
pub fn stages(order: &[StageId]) -> String {
    let mut page = format!(
        "{NOTICE}# Stages\n\n\
         A request meets the stages in this order, whatever the order of the configuration. A `check` looks at the\n\
         request's head and passes or refuses it; a `wrap` encloses everything below it and sees the answer on its way\n\
         back; `serve` hands over to the backend.\n\n\
         | # | stage | kind | does |\n|---|---|---|---|\n"
    );
    for (number, stage) in order.iter().enumerate() {
        let _ = writeln!(page, "| {} | `{stage}` | {} | {} |", number + 1, stage.kind().as_str(), stage.does());
    }
    page
}
