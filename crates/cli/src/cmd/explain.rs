//! `palisade explain`: what happens to one request, stage by stage, without sending it.

use std::io::Read as _;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use palisade_core::denial::Evidence;
use palisade_core::diagnostic::Diagnostic;
use palisade_core::event::Outcome;
use palisade_gateway::config::{load, moment};
use palisade_gateway::explain::{Asked, Explained, Explainer, Said, Step, now};
use serde_json::{Map, Value, json};

use crate::output;

/// What to explain.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The configuration.
    #[arg(long, default_value = "palisade.toml")]
    config: PathBuf,
    /// The request: a file with HTTP/1.1 as it is sent or with a command line of curl, `-` for standard input, or the
    /// command line itself.
    #[arg(long, value_name = "FILE|-|CURL")]
    request: String,
    /// The address that the request comes from.
    #[arg(long, default_value = "127.0.0.1")]
    from: IpAddr,
    /// The moment of the request, such as 2027-01-01T00:00:00Z; by default now.
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Pretend that the caller is signed in: a JSON object with the claims of a token that is made up for this run. No
    /// credential is verified then, and the request's own `Authorization` is replaced.
    #[arg(long, value_name = "FILE")]
    subject_claims: Option<PathBuf>,
    /// The form of the result.
    #[arg(long, value_enum, default_value = "human")]
    format: Form,
}

/// The form of a result that is no list of findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Form {
    /// For a terminal.
    Human,
    /// One JSON object.
    Json,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let text = request(&arguments.request)?;
    let asked = Asked::parse(&text).context("this is no request")?;
    let at = match &arguments.at {
        None => now(),
        Some(text) => match moment(text) {
            Ok(at) => at,
            Err(problem) => return Ok(unusable(&[problem])),
        },
    };
    let explainer = load(&arguments.config).and_then(|loaded| match &arguments.subject_claims {
        None => Explainer::new(&loaded),
        Some(file) => Explainer::pretending(&loaded, &claims(file)?, at),
    });
    let mut explainer = match explainer {
        Ok(explainer) => explainer,
        Err(problems) => return Ok(unusable(&problems)),
    };
    let line = format!("{} {}", asked.request.method(), asked.request.uri());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let explained = runtime.block_on(explainer.explain(asked, arguments.from, at));
    match arguments.format {
        Form::Human => {
            output::say(&format!("{line} from {}", arguments.from));
            if let Some(file) = &arguments.subject_claims {
                output::say(&format!(
                    "PRETENDED: no credential was verified; the claims are those of {}",
                    file.display()
                ));
            }
            human(&explained, &explainer);
        }
        Form::Json => output::say(&format!("{:#}", as_json(&explained, arguments))),
    }
    Ok(match explained.outcome {
        Outcome::Answered(_) | Outcome::Done => ExitCode::SUCCESS,
        Outcome::Denied(_) | Outcome::Failed => ExitCode::from(output::FINDINGS),
    })
}

pub(super) fn unusable(problems: &[Diagnostic]) -> ExitCode {
    output::tell(problems);
    ExitCode::from(output::FAILURE)
}

fn request(of: &str) -> anyhow::Result<String> {
    if of.starts_with("curl ") {
        return Ok(of.to_owned());
    }
    if of == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("standard input cannot be read")?;
        return Ok(text);
    }
    std::fs::read_to_string(of).with_context(|| format!("cannot read the request from `{of}`"))
}

fn claims(file: &std::path::Path) -> Result<Map<String, Value>, Vec<Diagnostic>> {
    let name = file.display().to_string();
    let bad = |message: String| {
        let help = "write one JSON object, such as {\"sub\": \"alice\", \"roles\": [\"admin\"]}";
        vec![Diagnostic::error("bad-claims", message).in_file(&name).help(help)]
    };
    let text = std::fs::read_to_string(file).map_err(|error| bad(format!("the claims cannot be read: {error}")))?;
    serde_json::from_str(&text).map_err(|error| bad(format!("these are no claims: {error}")))
}

fn human(explained: &Explained, explainer: &Explainer) {
    for (number, step) in explained.steps.iter().enumerate() {
        let said = match &step.said {
            Said::Answered(_) => "answers".to_owned(),
            Said::Denied(denial) => format!("REFUSES {}", denial.code()),
            Said::Passed => "passes".to_owned(),
        };
        output::say(&format!("{:>2}  {:<13} {said}", number + 1, step.stage.as_str()));
        for (name, value) in step.found.iter().map(|(name, value)| (*name, value.as_str())).chain(evidence(step).iter())
        {
            output::say(&format!("      {name}: {value}"));
        }
    }
    let came = |id: &&palisade_core::stage::StageId| explained.steps.iter().any(|step| step.stage == **id);
    let rest: Vec<&str> = explainer.stages.iter().filter(|id| !came(id)).map(|id| id.as_str()).collect();
    if !rest.is_empty() {
        output::say(&format!("not reached: {}", rest.join(", ")));
    }
    output::say("");
    if let Some(forwarded) = &explained.forwarded {
        output::say(&format!("would be forwarded to `{}` as:", forwarded.upstream));
        output::say(&format!("  {} {}", forwarded.method, forwarded.target));
        for (name, value) in &forwarded.headers {
            output::say(&format!("  {name}: {}", String::from_utf8_lossy(value.as_bytes())));
        }
        if !forwarded.body.is_empty() {
            output::say(&format!("\n  {}", String::from_utf8_lossy(&forwarded.body)));
        }
        output::say("what the backend would answer is not known, so that nothing is said about it");
    }
    if let Some(answer) = &explained.answer {
        output::say(&format!("the caller gets {}: {}", answer.status(), explained.verdict()));
        if !answer.body().is_empty() {
            output::say(&format!("  {}", String::from_utf8_lossy(answer.body())));
        }
    }
}

fn evidence(step: &Step) -> Evidence {
    match &step.said {
        Said::Denied(denial) => denial.evidence().clone(),
        Said::Answered(_) | Said::Passed => Evidence::default(),
    }
}

fn as_json(explained: &Explained, arguments: &Arguments) -> Value {
    let headers = |headers: &http::HeaderMap| {
        let one = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
            json!([name.as_str(), String::from_utf8_lossy(value.as_bytes())])
        };
        headers.iter().map(one).collect::<Vec<Value>>()
    };
    let steps = explained.steps.iter().map(|step| {
        let (said, code) = match &step.said {
            Said::Answered(_) => ("answers", None),
            Said::Denied(denial) => ("refuses", Some(denial.code().slug())),
            Said::Passed => ("passes", None),
        };
        let found = step.found.iter().map(|(name, value)| (*name, value.as_str()));
        json!({
            "stage": step.stage.as_str(),
            "says": said,
            "code": code,
            "found": pairs(found),
            "evidence": pairs(evidence(step).iter()),
        })
    });
    json!({
        "pretended": arguments.subject_claims.is_some(),
        "verdict": explained.verdict(),
        "steps": steps.collect::<Vec<_>>(),
        "forwarded": explained.forwarded.as_ref().map(|forwarded| json!({
            "upstream": &*forwarded.upstream,
            "method": forwarded.method.as_str(),
            "target": forwarded.target,
            "headers": headers(&forwarded.headers),
            "body": String::from_utf8_lossy(&forwarded.body),
        })),
        "answer": explained.answer.as_ref().map(|answer| json!({
            "status": answer.status().as_u16(),
            "headers": headers(answer.headers()),
            "body": String::from_utf8_lossy(answer.body()),
        })),
    })
}

/// Pairs of a name and a value, in their order; a name may occur twice.
fn pairs<'a>(pairs: impl Iterator<Item = (&'static str, &'a str)>) -> Vec<Value> {
    pairs.map(|(name, value)| json!([name, value])).collect()
}
