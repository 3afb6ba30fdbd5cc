//! Evaluation: whether a value is run, by a shell or by a template engine.
//!
//! The proof is a product that was never sent: the answer holds the result of a multiplication between two marks of our
//! own, twice with different factors. An echo of what was sent cannot contain it.

use async_trait::async_trait;

use crate::context::Context;
use crate::docket::{Docket, Trail};
use crate::finding::{Label, Site};
use crate::plan::{Plan, count};
use crate::probe::Probe;
use crate::probe::point::{Point, all_points};
use crate::row::Row;
use crate::rule::{self, Rule};
use crate::scope::SendError;

/// Values that reach a shell.
#[derive(Debug)]
pub(crate) struct Command;

/// Values that become part of a template.
#[derive(Debug)]
pub(crate) struct Template;

#[async_trait]
impl Probe for Command {
    fn id(&self) -> &'static str {
        "command-injection"
    }

    fn row(&self) -> Row {
        Row::Injection
    }

    fn estimate(&self, plan: &Plan) -> u32 {
        count(plan.surface.endpoints.len() * SHELL.len())
    }

    async fn run(&self, context: &Context<'_>, docket: &mut Docket) -> Result<(), SendError> {
        let surface = context.surface();
        let candidates = all_points(context);
        for point in candidates.iter().filter(|point| point.is_text(surface) && is_for_a_shell(point)) {
            evaluate(context, docket, point, &rule::COMMAND_INJECTED, &SHELL).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Probe for Template {
    fn id(&self) -> &'static str {
        "template-injection"
    }

    fn row(&self) -> Row {
        Row::Injection
    }

    fn estimate(&self, plan: &Plan) -> u32 {
        count(plan.surface.endpoints.len() * ENGINES.len())
    }

    async fn run(&self, context: &Context<'_>, docket: &mut Docket) -> Result<(), SendError> {
        let surface = context.surface();
        for point in all_points(context).iter().filter(|point| point.is_text(surface) && point.spot.is_plain()) {
            let forms = if point.is_named(&TEXTUAL) { &ENGINES[..] } else { ENGINES.get(..COMMON).unwrap_or_default() };
            evaluate(context, docket, point, &rule::TEMPLATE_EVALUATED, forms).await?;
        }
        Ok(())
    }
}

fn is_for_a_shell(point: &Point<'_>) -> bool {
    let path = point.endpoint.template.to_ascii_lowercase();
    point.is_named(&SHELLED) || TOOLS.iter().any(|word| path.contains(word))
}

async fn evaluate(
    context: &Context<'_>,
    docket: &mut Docket,
    point: &Point<'_>,
    rule: &Rule,
    forms: &[Form],
) -> Result<(), SendError> {
    let insertion = point.insertion();
    let site = Site { operation: &point.endpoint.id, insertion: &insertion };
    for form in forms {
        let mut trail = Trail::default();
        let mark = context.marker();
        let answer =
            context.send(&mut trail, Label::Attack, &point.text(context, &form.write(point, &mark, 41, 271))).await?;
        if !answer.text.contains(&format!("{mark}11111{mark}")) {
            let reason = format!("what could be run is answered with {}", answer.meaning().as_u16());
            docket.withstand(rule, site, reason, trail);
            continue;
        }
        let again = point.text(context, &form.write(point, &mark, 43, 257));
        let again = context.send(&mut trail, Label::Verify, &again).await?;
        let inert = point.text(context, &format!("{}{mark}", point.seed_text()));
        let inert = context.send(&mut trail, Label::Control, &inert).await?;
        if again.text.contains(&format!("{mark}11051{mark}")) && !inert.text.contains("11111") {
            let summary = format!("`{}` is run: the answer holds a product that was never sent", point.name);
            docket.prove(rule, site, summary, trail);
            return Ok(());
        }
        docket.withstand(rule, site, "the product does not follow its factors", trail);
    }
    Ok(())
}

/// How a multiplication is written between two marks.
struct Form {
    before: &'static str,
    open: &'static str,
    close: &'static str,
    after: &'static str,
    keeps_seed: bool,
}

impl Form {
    fn write(&self, point: &Point<'_>, mark: &str, left: u32, right: u32) -> String {
        let seed = if self.keeps_seed { point.seed_text() } else { String::new() };
        let Self { before, open, close, after, .. } = self;
        format!("{seed}{before}{mark}{open}{left}*{right}{close}{mark}{after}")
    }
}

const fn shell(before: &'static str, after: &'static str) -> Form {
    Form { before, open: "$((", close: "))", after, keeps_seed: true }
}

const fn engine(open: &'static str, close: &'static str) -> Form {
    Form { before: "", open, close, after: "", keeps_seed: false }
}

const SHELL: [Form; 6] = [
    shell(";echo ", ""),
    shell("|echo ", ""),
    shell("$(echo ", ")"),
    shell("\necho ", ""),
    shell("';echo ", " #'"),
    shell("\";echo ", " #\""),
];
const ENGINES: [Form; 5] =
    [engine("{{", "}}"), engine("${", "}"), engine("<%= ", " %>"), engine("#{", "}"), engine("{", "}")];
/// The first forms are the common ones.
const COMMON: usize = 2;
const SHELLED: [&str; 17] = [
    "address", "archive", "backup", "cmd", "command", "convert", "dir", "dns", "domain", "exec", "file", "format",
    "host", "ip", "path", "ping", "target",
];
const TOOLS: [&str; 12] = [
    "/backup", "/convert", "/diagnos", "/dns", "/exec", "/health", "/lookup", "/ping", "/run", "/stats", "/system",
    "/trace",
];
const TEXTUAL: [&str; 13] = [
    "body", "comment", "content", "format", "greeting", "message", "name", "note", "subject", "template", "text",
    "title", "view",
];
