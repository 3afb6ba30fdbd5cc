//! What a session's row says of its holder, as JSON: rows are found by their other columns, never by these.

use std::net::IpAddr;

use palisade_core::id::{KeyThumbprint, TenantId, UserId};
use palisade_core::port::StoreError;
use palisade_core::port::session::{Device, Holder, Rights};
use palisade_core::principal::{Assurance, Attribute, Level, MethodSet};
use palisade_core::time::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct RawHolder {
    tenant: Option<String>,
    attributes: Vec<(String, RawAttribute)>,
    rights: RawRights,
    label: String,
    address: Option<IpAddr>,
}

#[derive(Serialize, Deserialize)]
struct RawRights {
    level: String,
    methods: Vec<String>,
    at: u64,
    bound_to: Option<String>,
    roles: Vec<String>,
    scopes: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum RawAttribute {
    Flag(bool),
    List(Vec<String>),
    Number(i64),
    Text(String),
}

/// A holder as text, without who it is: that is a column.
pub(crate) fn holder_to_text(holder: &Holder) -> Result<String, StoreError> {
    let attribute = |attribute: &Attribute| match attribute.clone() {
        Attribute::Flag(flag) => RawAttribute::Flag(flag),
        Attribute::List(list) => RawAttribute::List(list),
        Attribute::Number(number) => RawAttribute::Number(number),
        Attribute::Text(text) => RawAttribute::Text(text),
    };
    to_text(&RawHolder {
        tenant: holder.tenant.as_ref().map(ToString::to_string),
        attributes: holder.attributes.iter().map(|(name, own)| (name.to_owned(), attribute(own))).collect(),
        rights: raw_rights(&holder.rights),
        label: holder.device.label.to_string(),
        address: holder.device.address,
    })
}

/// The holder that a row names.
pub(crate) fn holder_of(user: String, text: &str) -> Result<Holder, StoreError> {
    let RawHolder { tenant, attributes, rights, label, address } = of_text(text)?;
    let attribute = |attribute| match attribute {
        RawAttribute::Flag(flag) => Attribute::Flag(flag),
        RawAttribute::List(list) => Attribute::List(list),
        RawAttribute::Number(number) => Attribute::Number(number),
        RawAttribute::Text(text) => Attribute::Text(text),
    };
    Ok(Holder {
        user: UserId::new(user),
        tenant: tenant.map(TenantId::new),
        attributes: attributes.into_iter().map(|(name, raw)| (name, attribute(raw))).collect(),
        rights: rights_of_raw(rights)?,
        device: Device { label: label.into(), address },
    })
}

/// Rights as text.
pub(crate) fn rights_to_text(rights: &Rights) -> Result<String, StoreError> {
    to_text(&raw_rights(rights))
}

/// The rights that a row names.
pub(crate) fn rights_of(text: &str) -> Result<Rights, StoreError> {
    rights_of_raw(of_text(text)?)
}

fn raw_rights(rights: &Rights) -> RawRights {
    let Rights { assurance, roles, scopes } = rights;
    RawRights {
        level: assurance.level.as_str().to_owned(),
        methods: assurance.methods.iter().map(str::to_owned).collect(),
        at: assurance.at.as_millis(),
        bound_to: assurance.bound_to.as_ref().map(ToString::to_string),
        roles: roles.iter().map(str::to_owned).collect(),
        scopes: scopes.iter().map(str::to_owned).collect(),
    }
}

fn rights_of_raw(raw: RawRights) -> Result<Rights, StoreError> {
    let level = match raw.level.as_str() {
        "none" => Level::None,
        other => Level::parse(other).ok_or_else(|| damaged(format!("`{other}` is no level")))?,
    };
    let assurance = Assurance {
        level,
        methods: raw.methods.into_iter().collect::<MethodSet>(),
        at: Timestamp::from_millis(raw.at),
        bound_to: raw.bound_to.map(KeyThumbprint::new),
    };
    Ok(Rights { assurance, roles: raw.roles.into_iter().collect(), scopes: raw.scopes.into_iter().collect() })
}

fn to_text(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| damaged(error.to_string()))
}

fn of_text<T: DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| damaged(error.to_string()))
}

fn damaged(reason: String) -> StoreError {
    StoreError::Damaged { reason }
}
