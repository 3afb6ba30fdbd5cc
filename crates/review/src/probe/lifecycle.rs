//! Life cycle: whether a session that was signed out still works.

use async_trait::async_trait;
use http::Method;

use crate::context::Context;
use crate::docket::{Docket, Trail};
use crate::exchange::Credential;
use crate::finding::{Label, Site};
use crate::plan::{Mode, Plan, count};
use crate::probe::Probe;
use crate::probe::authn::{is_alike, protected_reads};
use crate::probe::point::plain;
use crate::row::Row;
use crate::rule;
use crate::scope::SendError;
use crate::session::Session;
use crate::surface::Endpoint;
use crate::throwaway::Throwaway;

/// The probe.
#[derive(Debug)]
pub(crate) struct Lifecycle;

#[async_trait]
impl Probe for Lifecycle {
    fn id(&self) -> &'static str {
        "session-lifecycle"
    }

    fn row(&self) -> Row {
        Row::Authentication
    }

    fn estimate(&self, plan: &Plan) -> u32 {
        count(plan.surface.endpoints.iter().filter(|one| is_sign_out(one)).count() * 5)
    }

    async fn run(&self, context: &Context<'_>, docket: &mut Docket) -> Result<(), SendError> {
        let mut exits = context.surface().endpoints.iter().filter(|one| is_sign_out(one));
        let Some(exit) = exits.next() else {
            docket.skip("the contract has no operation that signs out");
            return Ok(());
        };
        if context.plan.mode == Mode::Safe {
            docket.skip("a safe run signs nobody out");
            return Ok(());
        }
        // To sign out of one session may end all of them, so that nobody does who was given to us.
        let mut trail = Trail::default();
        let Some(account) = Throwaway::make(context, &mut trail, Label::Control, &[]).await? else {
            docket.skip("no account could be made to be signed out");
            return Ok(());
        };
        let Ok(session) = Session::open_once(&context.client, &account.identity).await else {
            docket.skip("the account cannot sign in twice");
            return Ok(());
        };
        let mut found = None;
        for control in protected_reads(context).into_iter().take(MAXIMUM_READS) {
            let mut trail = trail.clone();
            let mine = control.call(context, session.credential());
            let before = context.send(&mut trail, Label::Control, &mine).await?;
            let garbage = control.call(context, session.with_token("garbage", "garbage"));
            let refused = context.send(&mut trail, Label::Control, &garbage).await?;
            let nobody = context.send(&mut trail, Label::Control, &control.call(context, Credential::None)).await?;
            if before.is_success() && !is_alike(&before, &refused) && !is_alike(&before, &nobody) {
                found = Some((trail, mine, before));
                break;
            }
        }
        let Some((mut trail, mine, before)) = found else {
            docket.skip("no protected read tells a valid token from none");
            return Ok(());
        };
        let values = context.surface().sample_values(exit);
        let leave = context.call(exit, &values, context.surface().sample_body(exit), None);
        let left = context.send(&mut trail, Label::Control, &leave.with_credential(session.credential())).await?;
        let site = Site { operation: &exit.id, insertion: "header/authorization" };
        if !left.is_success() {
            docket.skip(format!("`{}` is answered with {}", exit.id, left.meaning().as_u16()));
            return Ok(());
        }
        let after = context.send(&mut trail, Label::Attack, &mine).await?;
        if is_alike(&before, &after) {
            let summary = "a token that was signed out is served as before".to_owned();
            docket.prove(&rule::SESSION_OUTLIVES, site, summary, trail);
        } else {
            let reason = format!("a token that was signed out is answered with {}", after.meaning().as_u16());
            docket.withstand(&rule::SESSION_OUTLIVES, site, reason, trail);
        }
        Ok(())
    }
}

fn is_sign_out(endpoint: &Endpoint) -> bool {
    let path = plain(&endpoint.template);
    let is_named = ["logout", "signout", "logoff"].iter().any(|word| path.contains(word));
    // A session that is a thing of its own is deleted.
    let last = plain(endpoint.template.trim_end_matches('/').rsplit('/').next().unwrap_or_default());
    let is_one = ["login", "session"].contains(&last.as_str()) && endpoint.path_parameters().next().is_none();
    (is_named || is_one && endpoint.method == Method::DELETE) && !path.contains("all")
}

/// How many reads are tried to find one that a new account is served.
const MAXIMUM_READS: usize = 5;
