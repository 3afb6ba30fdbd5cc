//! A shop with chosen weaknesses, its partner played by the reviewer, and a plan to attack it.

use orchard::{Database, Orchard, Settings, USERS, Weaknesses};
use palisade_core::diagnostic::Source;
use palisade_review::{HostilePartner, Identity, Login, Mode, Plan, Report, Target, run};
use serde_json::json;
use tokio::net::TcpListener;

/// A running shop and a plan.
pub(crate) struct Scene {
    pub(crate) orchard: Orchard,
    pub(crate) plan: Plan,
}

impl Scene {
    pub(crate) async fn open(weaknesses: Weaknesses) -> Self {
        let partner =
            HostilePartner::start(json!({ "carrier": "Swift Parcel 24", "cost_cents": 450, "days": 2 })).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let settings = Settings { weaknesses, database: Database::Memory, partner: partner.url() };
        let orchard = orchard::start(listener, settings).await.unwrap();
        Self { orchard, plan: plan().with_partner(partner) }
    }

    pub(crate) fn target(&self) -> Target {
        Target::new(format!("http://{}", self.orchard.address()).parse().unwrap()).unwrap()
    }

    pub(crate) async fn review(self) -> Report {
        let report = run(&self.plan, self.target(), &()).await.unwrap();
        self.orchard.stop().await;
        report
    }
}

pub(crate) fn identities() -> Vec<Identity> {
    let identity = |user: &orchard::SeededUser| {
        let body = json!({ "username": user.username, "password": user.password });
        Identity::new(user.username, Login::json("/v1/login", body, "/access_token"))
    };
    USERS.iter().map(identity).collect()
}

pub(crate) fn plan() -> Plan {
    let contract = Source::new("openapi.yaml", orchard::CONTRACT);
    Plan::new(&contract, identities()).unwrap().with_mode(Mode::Full)
}
