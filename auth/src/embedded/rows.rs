//! Between columns and values.

use std::net::IpAddr;

use passerelle_desktop::{Permission, Permissions};
use rusqlite::types::Type;
use rusqlite::{Error, Result, Row, Transaction};

use crate::{Fence, TicketContext, Timestamp};

/// The number for the next claim or lease.
pub(super) fn next_fence(tx: &Transaction<'_>) -> Result<Fence> {
    tx.prepare_cached("UPDATE fence SET last = last + 1 RETURNING last")?
        .query_row([], |row| fence(row, "last"))
}

pub(super) fn fence(row: &Row<'_>, column: &'static str) -> Result<Fence> {
    row.get(column).map(Fence)
}

pub(super) fn time(row: &Row<'_>, column: &'static str) -> Result<Timestamp> {
    row.get(column).map(Timestamp::from_millis)
}

pub(super) fn address(row: &Row<'_>, column: &'static str) -> Result<IpAddr> {
    read_address(&row.get::<_, String>(column)?)
}

pub(super) fn optional_address(row: &Row<'_>, column: &'static str) -> Result<Option<IpAddr>> {
    row.get::<_, Option<String>>(column)?.map(|text| read_address(&text)).transpose()
}

fn read_address(text: &str) -> Result<IpAddr> {
    text.parse().map_err(|error| Error::FromSqlConversionFailure(0, Type::Text, Box::new(error)))
}

pub(super) fn permissions(row: &Row<'_>) -> Result<Option<Permissions>> {
    let names = row.get::<_, Option<String>>("permissions")?;
    // A permission that this version does not know is one that it does not give.
    Ok(names.map(|names| names.split(',').filter_map(|name| name.parse::<Permission>().ok()).collect()))
}

pub(super) fn write_permissions(permissions: Permissions) -> String {
    permissions.iter().map(Permission::name).collect::<Vec<_>>().join(",")
}

pub(super) fn context(row: &Row<'_>) -> Result<TicketContext> {
    let text = row.get::<_, Option<String>>("context")?;
    text.map_or_else(
        || Ok(TicketContext::default()),
        |text| {
            serde_json::from_str(&text)
                .map_err(|error| Error::FromSqlConversionFailure(0, Type::Text, Box::new(error)))
        },
    )
}

pub(super) fn write_context(context: &TicketContext) -> Result<Option<String>> {
    if *context == TicketContext::default() {
        return Ok(None);
    }
    serde_json::to_string(context).map(Some).map_err(|error| Error::ToSqlConversionFailure(Box::new(error)))
}
