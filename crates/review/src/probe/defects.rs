//! Defects of the contract: what is wrong in it, so that readers guess what the API does. Nothing is sent.
//!
//! A defect is a question and never a proof: the API may be sound behind a contract that is not.

use async_trait::async_trait;

use crate::context::Context;
use crate::docket::Docket;
use crate::finding::Site;
use crate::plan::Plan;
use crate::probe::Probe;
use crate::row::Row;
use crate::rule;
use crate::scope::SendError;
use crate::surface::{Defect, Surface, join};

/// The probe.
#[derive(Debug)]
pub(crate) struct Defects;

#[async_trait]
impl Probe for Defects {
    fn id(&self) -> &'static str {
        "contract-defects"
    }

    fn row(&self) -> Row {
        Row::Inventory
    }

    fn estimate(&self, _: &Plan) -> u32 {
        0
    }

    async fn run(&self, context: &Context<'_>, docket: &mut Docket) -> Result<(), SendError> {
        let surface = &context.plan.surface;
        for defect in &surface.defects {
            let insertion = format!("contract{}", defect.pointer);
            let operation = operation_of(surface, defect).unwrap_or("contract");
            let site = Site { operation, insertion: &insertion };
            let line = defect.line.map(|line| format!(" (line {line})")).unwrap_or_default();
            docket.question(&rule::CONTRACT_DEFECTIVE, site, format!("{}{line}", defect.message));
        }
        docket.skip("the contract has no defects that the reader knows of");
        Ok(())
    }
}

/// The operation that a defect is in.
fn operation_of<'s>(surface: &'s Surface, defect: &Defect) -> Option<&'s str> {
    let is_in = |template: &str, method: &str| {
        let pointer = join(&join("/paths", template), method);
        defect.pointer.strip_prefix(&pointer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let found = surface.endpoints.iter().find(|one| is_in(&one.template, &one.method.as_str().to_ascii_lowercase()));
    found.map(|endpoint| endpoint.id.as_str())
}
