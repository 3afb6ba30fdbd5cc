//! What concerns browsers: from the settings of a route to those of the stages.

use std::sync::Arc;

use palisade::csrf::Tokens;
use palisade::origin::{Origin, ParentDomain};
use palisade::preset::World;
use palisade::settings::PerRoute;
use palisade::stage::cors::{CorsSettings, Readers};
use palisade::stage::csrf::{CsrfSettings, Embedding, Siblings, TOKEN_COOKIE, TokenRule};
use palisade::stage::finish::FinishSettings;

use crate::config::settings::{Authenticate, CorsOrigins, CredentialRef, DpopMode, Route, Settings};

/// The headers of each route, with what is the same on all of them, also where no route was found. There is no nonce:
/// whatever the backend renders, injected scripts included, would get it.
pub(super) fn headers(settings: &Settings) -> PerRoute<FinishSettings> {
    let everywhere = |headers: &FinishSettings| FinishSettings {
        hsts: settings.hsts,
        reports: settings.reports.as_ref().map(|path| path.as_str().into()),
        ..headers.clone()
    };
    let of = |route: &Route| {
        let mut headers = everywhere(&route.headers);
        if route.csrf.tokens.is_some() {
            headers.cookies.readable.push(TOKEN_COOKIE.into());
        }
        headers
    };
    PerRoute::new(everywhere(&FinishSettings::default()), settings.routes.iter().map(of).collect())
}

/// Who may read a route's answers, and with them the nonces of proofs where some credential of the route comes with them.
pub(super) fn cors(settings: &Settings, route: &Route) -> CorsSettings {
    let has_proofs = |reference: &CredentialRef| match reference {
        CredentialRef::Bearer(name) => settings.bearer(name).is_some_and(|section| section.dpop != DpopMode::Off),
        CredentialRef::ApiKeys(_) | CredentialRef::Certificates(_) => false,
        CredentialRef::Keys(_) | CredentialRef::Sessions(_) => false,
    };
    let readers = readers(route);
    match &route.authenticate {
        Authenticate::Gateway(accepted) if accepted.iter().any(has_proofs) => readers.with_proofs(),
        Authenticate::Backend | Authenticate::Gateway(_) => readers,
    }
}

fn readers(route: &Route) -> CorsSettings {
    let Some(cors) = &route.cors else { return CorsSettings::default() };
    let origins = match &cors.origins {
        CorsOrigins::Any => Readers::Anyone,
        CorsOrigins::These(list) if cors.credentials => Readers::Credentialed(origins(list)),
        CorsOrigins::These(list) => {
            let parents: Vec<_> = list.iter().filter_map(|text| ParentDomain::parse(text).ok()).collect();
            if parents.is_empty() {
                Readers::Listed(origins(list))
            } else {
                Readers::Subdomains(parents, origins(list))
            }
        }
    };
    CorsSettings {
        origins,
        methods: cors.methods.clone(),
        headers: cors.headers.clone(),
        expose: cors.expose.clone(),
        max_age: Some(cors.max_age),
    }
}

pub(super) fn csrf(route: &Route, world: &World) -> CsrfSettings {
    let csrf = &route.csrf;
    let tokens = csrf.tokens.as_ref().map(|rule| {
        let tokens = Tokens::new(rule.key.clone(), Arc::clone(&world.entropy));
        let tokens = match &rule.former {
            None => tokens,
            Some(former) => tokens.also_verifying(former.clone()),
        };
        TokenRule { tokens: Arc::new(tokens), session: rule.session.clone(), demand: rule.demand }
    });
    CsrfSettings {
        trusted: origins(&csrf.trusted_origins),
        siblings: if csrf.danger_trust_siblings { Siblings::DangerTrusted } else { Siblings::Refused },
        embedding: if csrf.danger_embedding { Embedding::DangerAllowed } else { Embedding::Refused },
        login: csrf.login_paths.clone(),
        tokens,
    }
}

/// Origins that the configuration has checked. One that is not an origin after all is trusted by nobody.
fn origins(list: &[String]) -> Vec<Origin> {
    list.iter().filter_map(|origin| Origin::parse(origin).ok()).collect()
}
