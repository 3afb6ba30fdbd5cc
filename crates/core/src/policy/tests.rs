//! The policy by a table: who asks what, and what comes of it.

use super::*;
use crate::denial::DenialCode;
use crate::id::{OperationId, UserId};
use crate::operation::{
    AccessRule, Audience, ClaimRule, Lifecycle, Ownership, Pointer, RequestOwner, ResponseOwner, Safety,
};
use crate::principal::RoleSet;
use crate::principal::{Assurance, Attribute, Level, ScopeSet, Subject};
use crate::time::Timestamp;

fn user(roles: &[&str], scopes: &[&str]) -> Principal {
    Principal::establish(Subject::User(UserId::new("u-1")), Assurance::new(Level::Aal1, Timestamp::default()))
        .with_roles(roles.iter().copied().collect())
        .with_scopes(scopes.iter().copied().collect())
}

fn operation(access: AccessRule) -> Operation {
    Operation {
        id: OperationId::new("op"),
        safety: Safety::Safe,
        access,
        limits: Box::default(),
        lifecycle: Lifecycle::Active,
    }
}

fn owned() -> AccessRule {
    AccessRule {
        owner: Ownership {
            request: [RequestOwner { parameter: "user_id".into(), claim: "sub".into() }].into(),
            response: [ResponseOwner { pointer: Pointer::parse("/owner").unwrap(), claim: "sub".into() }].into(),
            exempt: RoleSet::from_iter(["support"]),
        },
        ..AccessRule::default()
    }
}

#[test]
fn decides_by_the_table() {
    let public = AccessRule { audience: Audience::Public, ..AccessRule::default() };
    let scoped = AccessRule { scopes: ScopeSet::from_iter(["read", "write"]), ..AccessRule::default() };
    let admins = AccessRule { roles: RoleSet::from_iter(["admin", "root"]), ..AccessRule::default() };
    let public_admin = AccessRule { audience: Audience::Public, ..admins.clone() };
    let policy = Policy::new(PolicyVersion::new("v1")).with_roles(RoleHierarchy::from_pairs([("owner", "admin")]));
    let check =
        |name: &str, access: &AccessRule, who: Principal, parameters: &[(&str, &str)], expect: Option<DenialCode>| {
            let operation = operation(access.clone());
            let decision =
                policy.decide(&Ask { principal: &who, operation: &operation, parameters: &Owned(parameters) });
            assert_eq!(decision.into_request_permit(who).err().map(|denial| denial.code()), expect, "{name}");
        };
    use DenialCode::*;
    check("public", &public, Principal::anonymous(), &[], None);
    check("anonymous", &AccessRule::default(), Principal::anonymous(), &[], Some(CredentialMissing));
    check("anyone signed in", &AccessRule::default(), user(&[], &[]), &[], None);
    check("scope", &scoped, user(&[], &["read"]), &[], Some(ScopeInsufficient));
    check("scopes", &scoped, user(&[], &["write", "read"]), &[], None);
    check("no role", &admins, user(&["customer"], &[]), &[], Some(RoleInsufficient));
    check("one role", &admins, user(&["root"], &[]), &[], None);
    check("included role", &admins, user(&["owner"], &[]), &[], None);
    check("public with roles", &public_admin, Principal::anonymous(), &[], Some(CredentialMissing));
    check("own", &owned(), user(&[], &[]), &[("user_id", "u-1")], None);
    check("foreign", &owned(), user(&[], &[]), &[("user_id", "u-2")], Some(ObjectForbidden));
    check("absent parameter", &owned(), user(&[], &[]), &[], Some(ObjectForbidden));
    let sales = AccessRule {
        claims: [("department", &["sales", "support"][..]), ("level", &["3"]), ("trusted", &["true"])]
            .map(|(claim, any_of)| ClaimRule {
                claim: claim.into(),
                any_of: any_of.iter().map(|value| (*value).into()).collect(),
            })
            .into(),
        ..AccessRule::default()
    };
    let public_sales = AccessRule { audience: Audience::Public, ..sales.clone() };
    let nobody = AccessRule {
        claims: [ClaimRule { claim: "sub".into(), any_of: Box::default() }].into(),
        ..AccessRule::default()
    };
    let claims = |department: Attribute, level: Attribute, trusted: bool| {
        let named = [("department", department), ("level", level), ("trusted", Attribute::Flag(trusted))];
        user(&[], &[]).with_attributes(named.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    };
    let text = |text: &str| Attribute::Text(text.to_owned());
    let both = Attribute::List(vec!["it".to_owned(), "support".to_owned()]);
    check("claims", &sales, claims(text("sales"), Attribute::Number(3), true), &[], None);
    check("one of a claim's values", &sales, claims(both, text("3"), true), &[], None);
    check("another value", &sales, claims(text("salesman"), text("3"), true), &[], Some(ClaimInsufficient));
    check("another number", &sales, claims(text("sales"), Attribute::Number(33), true), &[], Some(ClaimInsufficient));
    check("another flag", &sales, claims(text("sales"), text("3"), false), &[], Some(ClaimInsufficient));
    check("no claim", &sales, user(&[], &[]), &[], Some(ClaimInsufficient));
    check("empty claim", &sales, claims(text(""), text("3"), true), &[], Some(ClaimInsufficient));
    check("public with claims", &public_sales, Principal::anonymous(), &[], Some(CredentialMissing));
    check("a claim without values", &nobody, user(&[], &[]), &[], Some(ClaimInsufficient));
    check("exempt", &owned(), user(&["support"], &[]), &[("user_id", "u-2")], None);
}

#[derive(Debug)]
struct Owned<'a>(&'a [(&'a str, &'a str)]);

impl Parameters for Owned<'_> {
    fn text(&self, name: &str) -> Option<&str> {
        self.0.text(name)
    }
}

#[test]
fn obliges_to_check_the_owner_of_the_response() {
    let policy = Policy::new(PolicyVersion::new("v1"));
    let operation = operation(owned());
    for (roles, expect) in [(&[][..], 1), (&["support"][..], 0)] {
        let who = user(roles, &[]);
        let decision =
            policy.decide(&Ask { principal: &who, operation: &operation, parameters: &Owned(&[("user_id", "u-1")]) });
        let permit = decision.into_request_permit(who).unwrap();
        assert_eq!((permit.obligations().owners.len(), permit.obligations().owned), (expect, expect == 1));
    }
}

struct Read;
impl Action for Read {
    const NAME: &'static str = "read";
}
#[derive(Debug)]
struct Invoice;
impl Resource for Invoice {
    const KIND: &'static str = "invoice";
    type Id = u32;
}

#[test]
fn an_object_permit_fits_its_question_only() {
    let rules = ObjectRules::default().owner("read", "invoice").roles("read", "invoice", RoleSet::from_iter(["audit"]));
    let policy = Policy::new(PolicyVersion::new("v1")).with_objects(rules);
    let decide = |who: &Principal, id: u32, owner| policy.decide_object::<Read, Invoice>(who, &id, owner);
    assert!(decide(&user(&[], &[]), 7, Some("u-1")).into_permit::<Read, Invoice>(user(&[], &[]), 7).is_ok());
    let other = decide(&user(&[], &[]), 7, Some("u-1")).into_permit::<Read, Invoice>(user(&[], &[]), 8);
    assert_eq!(other.err().map(|denial| denial.code()), Some(DenialCode::Unpermitted));
    let as_request = decide(&user(&[], &[]), 7, Some("u-1")).into_request_permit(user(&[], &[]));
    assert_eq!(as_request.err().map(|denial| denial.code()), Some(DenialCode::Unpermitted));
    assert!(decide(&user(&["audit"], &[]), 7, Some("u-2")).is_permit());
    for (who, owner) in [(user(&[], &[]), Some("u-2")), (user(&[], &[]), None), (Principal::anonymous(), None)] {
        assert!(!decide(&who, 7, owner).is_permit());
    }
}
