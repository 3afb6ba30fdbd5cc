//! Families of refresh tokens as rows, in the columns that SQLite and PostgreSQL share.

use std::fmt::Display;
use std::time::Duration;

use palisade_core::id::{ClientId, KeyThumbprint, TenantId, UserId};
use palisade_core::port::StoreError;
use palisade_core::port::refresh::{Binding, Family, FamilyId, Grant, Kept, Progress};
use palisade_core::principal::Level;
use palisade_core::time::Timestamp;
use sqlx::{ColumnIndex, Database, Decode, Row, Type};

use super::store_error;

/// The lists and the binding of a family as texts.
pub(crate) struct Columns {
    pub(crate) binding: Option<String>,
    pub(crate) scopes: String,
    pub(crate) resources: String,
    pub(crate) methods: String,
    pub(crate) idle: i64,
}

impl Columns {
    /// Refuses what would be read back as something else.
    pub(crate) fn of(family: &Family) -> Result<Self, StoreError> {
        let grant = &family.grant;
        let binding = grant.binding.as_ref().map(|binding| match binding {
            Binding::Certificate(thumbprint) => format!("{CERTIFICATE}{thumbprint}"),
            Binding::Key(thumbprint) => format!("{KEY}{thumbprint}"),
        });
        if grant.resources.iter().any(|resource| resource.is_empty() || resource.contains(' ')) {
            return Err(StoreError::Damaged { reason: "a resource is no URI".to_owned() });
        }
        Ok(Self {
            binding,
            scopes: grant.scopes.to_string(),
            resources: grant.resources.join(" "),
            methods: grant.methods.to_string(),
            // A moment and a span together must still be a number.
            idle: i64::try_from(family.idle.as_millis()).unwrap_or(LONGEST).min(LONGEST),
        })
    }
}

/// Rows that have the columns of this module.
pub(crate) trait Readable<'r>: Row {
    fn read<T: Decode<'r, Self::Database> + Type<Self::Database>>(&'r self, name: &str) -> Result<T, StoreError>;
}

impl<'r, R: Row> Readable<'r> for R
where
    for<'n> &'n str: ColumnIndex<R>,
{
    fn read<T: Decode<'r, R::Database> + Type<R::Database>>(&'r self, name: &str) -> Result<T, StoreError> {
        self.try_get(name).map_err(store_error)
    }
}

/// What was said when the family began.
pub(crate) fn family<'r, R: Readable<'r>>(row: &'r R) -> Result<Family, StoreError>
where
    i64: Decode<'r, R::Database> + Type<R::Database>,
    String: Decode<'r, R::Database> + Type<R::Database>,
    Vec<u8>: Decode<'r, R::Database> + Type<R::Database>,
    R::Database: Database,
{
    let bytes = |name| {
        let bytes: Vec<u8> = row.read(name)?;
        <[u8; 16]>::try_from(bytes).map_err(|bytes| damaged(name, &format!("{} bytes", bytes.len())))
    };
    let text = |name| row.read::<String>(name);
    let maybe = |name| row.read::<Option<String>>(name);
    let (level, words) = (text("level")?, |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>());
    let grant = Grant {
        client: ClientId::new(text("client")?),
        subject: UserId::new(text("subject")?),
        tenant: maybe("tenant")?.map(TenantId::new),
        session: maybe("session")?.map(Into::into),
        binding: maybe("binding")?.map(|text| binding(&text)).transpose()?,
        scopes: words(&text("scopes")?).into_iter().filter(|word| !word.is_empty()).collect(),
        resources: words(&text("resources")?).into_iter().filter(|word| !word.is_empty()).map(Into::into).collect(),
        level: match level.as_str() {
            "none" => Level::None,
            other => Level::parse(other).ok_or_else(|| damaged("level", other))?,
        },
        methods: words(&text("methods")?).into_iter().filter(|word| !word.is_empty()).collect(),
        authenticated: moment(row, "authenticated")?,
    };
    Ok(Family {
        id: FamilyId::from_bytes(bytes("id")?),
        salt: bytes("salt")?,
        key: text("key")?.into(),
        grant,
        begun: moment(row, "begun")?,
        idle: Duration::from_millis(moment(row, "idle")?.as_millis()),
        until: moment(row, "until")?,
    })
}

/// How far the family has come.
pub(crate) fn progress<'r, R: Readable<'r>>(row: &'r R) -> Result<Progress, StoreError>
where
    i64: Decode<'r, R::Database> + Type<R::Database>,
    R::Database: Database,
{
    let generation: i64 = row.read("generation")?;
    let revoked_at = row.read::<Option<i64>>("revoked_at")?;
    Ok(Progress {
        generation: generation.try_into().map_err(|_| damaged("generation", &generation))?,
        rotated_at: moment(row, "rotated_at")?,
        used: row.read::<i64>("used")? != 0,
        idle_until: moment(row, "idle_until")?,
        until: moment(row, "until")?,
        revoked_at: revoked_at.map(|at| Timestamp::from_millis(at.unsigned_abs())),
    })
}

/// Both.
pub(crate) fn kept<'r, R: Readable<'r>>(row: &'r R) -> Result<Kept, StoreError>
where
    i64: Decode<'r, R::Database> + Type<R::Database>,
    String: Decode<'r, R::Database> + Type<R::Database>,
    Vec<u8>: Decode<'r, R::Database> + Type<R::Database>,
    R::Database: Database,
{
    Ok(Kept { family: family(row)?, progress: progress(row)? })
}

pub(super) fn moment<'r, R: Readable<'r>>(row: &'r R, name: &str) -> Result<Timestamp, StoreError>
where
    i64: Decode<'r, R::Database> + Type<R::Database>,
    R::Database: Database,
{
    let millis: i64 = row.read(name)?;
    millis.try_into().map(Timestamp::from_millis).map_err(|_| damaged(name, &millis))
}

fn binding(text: &str) -> Result<Binding, StoreError> {
    match (text.strip_prefix(CERTIFICATE), text.strip_prefix(KEY)) {
        (Some(thumbprint), _) => Ok(Binding::Certificate(KeyThumbprint::new(thumbprint))),
        (_, Some(thumbprint)) => Ok(Binding::Key(KeyThumbprint::new(thumbprint))),
        // INVARIANT: never read as no binding at all.
        (None, None) => Err(damaged("binding", &text)),
    }
}

pub(super) fn damaged(column: &str, found: &(impl Display + ?Sized)) -> StoreError {
    StoreError::Damaged { reason: format!("`{column}` is {found}") }
}

const LONGEST: i64 = 1 << 53;
const CERTIFICATE: &str = "x5t#S256:";
const KEY: &str = "jkt:";
