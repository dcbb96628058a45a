//! PostgreSQL, as postgres_exporter (0.15 and later) tells of it.
//!
//! Each statement of `queries` names its columns by what becomes of them, so that a new figure is one line of SQL. A statement
//! that a version does not know is left out, as are all but the five hundred largest tables. Left out altogether: what
//! it tells only when asked to (statements, indexes, buffers, user indexes), and `pg_exporter_*` but for the last error.

mod queries;

use std::path::{Path, PathBuf};
use std::time::Duration;

use wharf_signal::MetricKind;
use wharf_store::{Credentials, Session, StoreError, Table};

use crate::families::Families;
use crate::root::number;
use queries::{QUERIES, Query};

/// Who asks.
#[derive(Debug, Clone)]
pub enum PostgresLogin {
    /// The superuser of a server that Wharf has prepared in this folder: it sees everything.
    Admin(PathBuf),
    /// Whoever the credentials name: it sees its own sessions whole and of others that they are there.
    Own,
}

/// What a PostgreSQL tells now, within `timeout`; one that does not answer is told of as `pg_up 0`.
pub async fn collect(
    credentials: &Credentials,
    login: &PostgresLogin,
    timeout: Duration,
) -> Families {
    let dir = match login {
        PostgresLogin::Admin(dir) => Some(dir.as_path()),
        PostgresLogin::Own => None,
    };
    let asked = tokio::time::timeout(timeout, ask(credentials, dir, timeout)).await;
    let (mut families, up, whole) = match asked {
        Ok(Ok((families, whole))) => (families, 1.0, whole),
        _ => (Families::new(), 0.0, false),
    };
    families
        .gauge("pg_up", "Whether PostgreSQL answers.")
        .add(&[], up);
    families
        .gauge(
            "pg_exporter_last_scrape_error",
            "Whether something was not answered.",
        )
        .add(&[], f64::from(u8::from(!whole)));
    families
}

/// The second value: whether every statement was answered.
async fn ask(
    credentials: &Credentials,
    admin: Option<&Path>,
    timeout: Duration,
) -> Result<(Families, bool), StoreError> {
    let mut session = match admin {
        Some(dir) => Session::open_as_admin(credentials, dir).await?,
        None => Session::open(credentials).await?,
    };
    // A statement that waits in the server ends there too.
    let limit = timeout.as_millis();
    let settings = format!(
        "SET statement_timeout = {limit}; SET lock_timeout = {limit}; SET application_name = 'wharf'"
    );
    session.table(&settings).await?;
    let version = session.table("SHOW server_version_num").await?;
    let version = first(&version).and_then(|text| text.parse().ok());
    let version: u32 = version.unwrap_or(0);
    let mut out = Families::new();
    let mut whole = true;
    for query in QUERIES
        .iter()
        .filter(|query| query.versions.contains(&version))
    {
        match session.table(query.sql).await {
            Ok(table) => tell(query, &table, &mut out),
            Err(StoreError::Refused { .. }) => whole = false,
            Err(error) => return Err(error),
        }
    }
    session.close().await;
    Ok((out, whole))
}

fn first(table: &Table) -> Option<&str> {
    table.rows.first()?.first()?.as_deref()
}

/// What becomes of a column.
enum Column<'a> {
    Label(&'a str),
    Value(MetricKind, &'a str),
    /// The last two of three: the metric's name stands in one column and its value in another.
    Name,
    NamedValue,
}

impl<'a> Column<'a> {
    fn of(name: &'a str) -> Option<Self> {
        match name.split_once(':')? {
            ("l", label) => Some(Self::Label(label)),
            ("c", metric) => Some(Self::Value(MetricKind::Counter, metric)),
            ("g", metric) => Some(Self::Value(MetricKind::Gauge, metric)),
            ("name", _) => Some(Self::Name),
            ("value", _) => Some(Self::NamedValue),
            _ => None,
        }
    }
}

fn tell(query: &Query, table: &Table, out: &mut Families) {
    let columns: Vec<Option<Column<'_>>> =
        table.columns.iter().map(|name| Column::of(name)).collect();
    for row in &table.rows {
        let cells = columns.iter().zip(row);
        let mut labels = vec![];
        let mut called = None;
        for (column, value) in cells.clone() {
            let value = value.as_deref().unwrap_or_default();
            match column {
                Some(Column::Label(label)) => labels.push((*label, value)),
                Some(Column::Name) => called = Some(value),
                _ => {}
            }
        }
        for (column, value) in cells {
            let Some(value) = value.as_deref().and_then(figure) else {
                continue;
            };
            let (kind, metric) = match (column, called) {
                (Some(Column::Value(kind, metric)), _) => (*kind, *metric),
                (Some(Column::NamedValue), Some(name)) => (MetricKind::Gauge, name),
                _ => continue,
            };
            let name = format!("pg_{metric}");
            out.family(name, kind, format!("{metric}, of {}.", query.view))
                .add(&labels, value);
        }
    }
}

/// A number, or one of PostgreSQL's words for yes and no.
fn figure(text: &str) -> Option<f64> {
    match text {
        "t" | "on" => Some(1.0),
        "f" | "off" => Some(0.0),
        text => number(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_say_what_becomes_of_them() {
        let words =
            |words: &[&str]| -> Vec<String> { words.iter().map(|w| (*w).to_owned()).collect() };
        let row = |cells: &[Option<&str>]| -> Vec<Option<String>> {
            cells.iter().map(|cell| cell.map(str::to_owned)).collect()
        };
        let mut out = Families::new();
        let table = Table {
            columns: words(&["l:datname", "c:x_total", "g:y", "other", "g:z"]),
            rows: vec![
                row(&[Some("shop"), Some("7"), Some("t"), Some("1"), None]),
                row(&[None, Some("8"), Some("word"), Some("1"), Some("-0.5")]),
            ],
        };
        tell(&QUERIES[0], &table, &mut out);
        assert_eq!(out.value("pg_x_total", &[("datname", "shop")]), Some(7.0));
        assert_eq!(out.value("pg_y", &[("datname", "shop")]), Some(1.0));
        assert_eq!(out.value("pg_z", &[]), Some(-0.5));
        assert_eq!(out.samples(), 4);
        let table = Table {
            columns: words(&["name:", "value:"]),
            rows: vec![row(&[Some("settings_fsync"), Some("on")])],
        };
        tell(&QUERIES[0], &table, &mut out);
        assert_eq!(out.value("pg_settings_fsync", &[]), Some(1.0));
    }
}
