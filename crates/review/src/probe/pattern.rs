//! Patterns: whether short text keeps the server busy, because a pattern is matched by trying every way.
//!
//! The time for one more letter doubles where it is so. The probe goes up in small steps and stops at the first answer
//! that takes long; it is a proof if three steps multiplied the time, twice, and as long a text that matches at once is
//! answered at once. It runs last, because it costs the target work.

use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use crate::context::Context;
use crate::docket::{Docket, Trail};
use crate::finding::{Label, Site};
use crate::plan::{Mode, Plan, count};
use crate::probe::Probe;
use crate::probe::point::{Point, address_points, all_points};
use crate::row::Row;
use crate::rule;
use crate::scope::SendError;
use crate::surface::Surface;

/// The probe.
#[derive(Debug)]
pub(crate) struct Pattern;

#[async_trait]
impl Probe for Pattern {
    fn id(&self) -> &'static str {
        "exponential-pattern"
    }

    fn row(&self) -> Row {
        Row::ResourceConsumption
    }

    fn estimate(&self, plan: &Plan) -> u32 {
        count(MAXIMUM_POINTS.min(plan.surface.endpoints.len()) * 3)
    }

    async fn run(&self, context: &Context<'_>, docket: &mut Docket) -> Result<(), SendError> {
        if context.plan.mode == Mode::Safe {
            docket.skip("a safe run keeps no server busy");
            return Ok(());
        }
        let mut points = address_points(context);
        points.extend(all_points(context));
        let is_candidate = |point: &&Point<'_>| is_matched(context.surface(), point);
        for point in points.iter().filter(is_candidate).take(MAXIMUM_POINTS) {
            for form in forms(point) {
                if climb(context, docket, point, form).await? {
                    break;
                }
            }
        }
        Ok(())
    }
}

/// Whether the contract or the name says that a text is held against a pattern.
fn is_matched(surface: &Surface, point: &Point<'_>) -> bool {
    let has_pattern = surface.resolve(point.schema).get("pattern").is_some();
    point.is_text(surface) && point.spot.is_plain() && (has_pattern || point.is_named(&NAMES))
}

/// How a text is written that almost matches, and what it is made of.
#[derive(Clone, Copy)]
struct Form {
    before: &'static str,
    letter: char,
}

impl Form {
    /// What makes a bad pattern try everything: it fails at its end only.
    fn costly(self, length: usize) -> String {
        format!("{}{}!", self.before, self.repeated(length))
    }

    /// As long and of the same letters, but it fails at its first.
    fn cheap(self, length: usize) -> String {
        format!("!{}{}", self.before, self.repeated(length))
    }

    fn repeated(self, length: usize) -> String {
        std::iter::repeat_n(self.letter, length).collect()
    }
}

fn forms(point: &Point<'_>) -> Vec<Form> {
    let letter = if point.is_named(&["phone", "zip", "postal", "number"]) { '1' } else { 'a' };
    let mut forms = vec![Form { before: "", letter }];
    if point.is_named(&["mail"]) {
        forms.push(Form { before: "a@", letter });
    }
    forms
}

/// Goes up until an answer takes long; says whether one did.
async fn climb(context: &Context<'_>, docket: &mut Docket, point: &Point<'_>, form: Form) -> Result<bool, SendError> {
    let insertion = point.insertion();
    let site = Site { operation: &point.endpoint.id, insertion: &insertion };
    let mut trail = Trail::default();
    let mut times: Vec<Duration> = Vec::new();
    let mut length = SHORTEST;
    loop {
        let time = timed(context, &mut trail, Label::Attack, point, &form.costly(length)).await?;
        let first = times.first().copied().unwrap_or(time);
        times.push(time);
        let is_growing = times.len() < STEPS || time > first * GROWTH + NOISE;
        if time >= LONG || !is_growing || length >= LONGEST {
            break;
        }
        length += STEP;
    }
    if times.last().is_none_or(|time| *time < LONG) || length < SHORTEST + STEP {
        docket.withstand(&rule::PATTERN_EXPONENTIAL, site, "longer text takes no longer", trail);
        return Ok(false);
    }
    // Whatever else a machine does only adds to a time: what does not follow once gets one more chance.
    for is_last in [false, true] {
        let mut trail = trail.clone();
        let Some(times) = again(context, &mut trail, point, form, length).await? else {
            if is_last {
                docket.withstand(&rule::PATTERN_EXPONENTIAL, site, "the time does not follow the length", trail);
            }
            continue;
        };
        let shown: Vec<String> = times.iter().map(|time| format!("{} ms", time.as_millis())).collect();
        let summary = format!("each {STEP} letters more in `{}` multiply the time: {}", point.name, shown.join(", "));
        docket.prove(&rule::PATTERN_EXPONENTIAL, site, summary, trail);
        break;
    }
    Ok(true)
}

/// The same again, from below, with a control before and after. The times, if they follow the length.
async fn again(
    context: &Context<'_>,
    trail: &mut Trail,
    point: &Point<'_>,
    form: Form,
    length: usize,
) -> Result<Option<Vec<Duration>>, SendError> {
    let before = timed(context, trail, Label::Control, point, &form.cheap(length)).await?;
    let mut times = Vec::new();
    for less in [2 * STEP, STEP, 0] {
        let text = form.costly(length.saturating_sub(less));
        times.push(timed(context, trail, Label::Verify, point, &text).await?);
    }
    let after = timed(context, trail, Label::Control, point, &form.cheap(length)).await?;
    // What every answer takes does not multiply.
    let base = before.min(after);
    let multiplies = times.windows(2).all(|pair| {
        let [less, more] = pair else { return false };
        more.saturating_sub(base) > less.saturating_sub(base) * GROWTH
    });
    let longest = times.last().copied().unwrap_or_default();
    let is_quick = before.max(after) * CONTRAST < longest;
    Ok((multiplies && is_quick && longest >= LONG).then_some(times))
}

async fn timed(
    context: &Context<'_>,
    trail: &mut Trail,
    label: Label,
    point: &Point<'_>,
    text: &str,
) -> Result<Duration, SendError> {
    let call = point.text(context, text);
    let start = Instant::now();
    context.send(trail, label, &call).await?;
    Ok(start.elapsed())
}

const SHORTEST: usize = 16;
const STEP: usize = 3;
const STEPS: usize = 4;
const LONGEST: usize = 37;
/// A doubling by letter makes eight of a step; what is less than four may be the weather.
const GROWTH: u32 = 4;
const CONTRAST: u32 = 8;
const NOISE: Duration = Duration::from_millis(4);
/// One step further would take eight times as long.
const LONG: Duration = Duration::from_millis(200);
const MAXIMUM_POINTS: usize = 24;
const NAMES: [&str; 14] = [
    "code", "domain", "email", "hostname", "mail", "name", "pattern", "phone", "postal", "slug", "tag", "url",
    "version", "zip",
];

#[cfg(test)]
mod tests {
    use super::Form;

    #[test]
    fn the_control_is_as_long_as_the_attack() {
        for before in ["", "a@"] {
            let form = Form { before, letter: 'a' };
            assert_eq!(form.costly(9).len(), form.cheap(9).len());
        }
    }
}
