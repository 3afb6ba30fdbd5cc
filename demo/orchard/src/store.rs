//! The store runs SQL and keeps the statement beside the error when it fails.

use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions, SqliteRow};
use sqlx::{Row, SqlSafeStr};

use crate::failure::Failure;

/// The shop's SQLite database.
#[derive(Debug)]
pub(crate) struct Store {
    pool: SqlitePool,
}

impl Store {
    /// Opens a file, or a database in memory that lives as long as this store.
    pub(crate) async fn open(file: Option<&Path>) -> Result<Self, sqlx::Error> {
        let options = match file {
            Some(file) => SqliteConnectOptions::new().filename(file).create_if_missing(true),
            None => SqliteConnectOptions::new().in_memory(true),
        };
        // INVARIANT: a database in memory is its connection, so there is exactly one and it is never recycled.
        let pool = SqlitePoolOptions::new()
            .min_connections(1)
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options)
            .await?;
        Ok(Self { pool })
    }

    /// Runs a script of several statements.
    pub(crate) async fn script(&self, sql: &'static str) -> Result<(), sqlx::Error> {
        sqlx::raw_sql(sql).execute(&self.pool).await.map(drop)
    }

    /// Runs one statement and returns its rows.
    ///
    /// The statement need not be a constant: this is where the injection gets through, with `AssertSqlSafe`.
    pub(crate) async fn rows(&self, sql: impl SqlSafeStr, values: &[Bound]) -> Result<Vec<SqliteRow>, Failure> {
        let sql = sql.into_sql_str();
        let statement = sql.clone();
        let mut query = sqlx::query(sql);
        for value in values {
            query = match value {
                Bound::Integer(value) => query.bind(*value),
                Bound::Text(value) => query.bind(value.clone()),
            };
        }
        query.fetch_all(&self.pool).await.map_err(|error| Failure::sql(&error, statement.as_str()))
    }

    /// Runs one statement and returns its first row, if any.
    pub(crate) async fn row(&self, sql: impl SqlSafeStr, values: &[Bound]) -> Result<Option<SqliteRow>, Failure> {
        Ok(self.rows(sql, values).await?.into_iter().next())
    }

    /// Closes the database.
    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }
}

/// A value bound to a `?` of a statement.
#[derive(Clone, Debug)]
pub(crate) enum Bound {
    /// A whole number.
    Integer(i64),
    /// Text.
    Text(String),
}

impl From<i64> for Bound {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<&str> for Bound {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<&String> for Bound {
    fn from(value: &String) -> Self {
        Self::Text(value.clone())
    }
}

/// The text in a column. SQLite converts whatever is there, so a UNION may put any type in any column.
pub(crate) fn text(row: &SqliteRow, column: &'static str) -> Result<String, Failure> {
    let value: Result<Option<String>, _> = row.try_get_unchecked(column);
    value.map(Option::unwrap_or_default).map_err(|error| Failure::internal(&error))
}

/// The whole number in a column, converted in the same way.
pub(crate) fn integer(row: &SqliteRow, column: &'static str) -> Result<i64, Failure> {
    let value: Result<Option<i64>, _> = row.try_get_unchecked(column);
    value.map(Option::unwrap_or_default).map_err(|error| Failure::internal(&error))
}
