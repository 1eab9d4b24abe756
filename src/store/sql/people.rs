//! Everybody's state in short, to compare whole stores.

use super::encoding::{blob_of, to_json};
use super::rows::SqlRows;
use crate::store::sql::connection::{Connection, all, values};
use crate::store::{Rows, StoreError};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// A digest of every person's state and touches, by lead id.
pub(in crate::store) fn people(
    connection: &dyn Connection,
) -> Result<BTreeMap<String, [u8; 32]>, StoreError> {
    const TOUCHES: &str = "SELECT touch FROM touches WHERE lead_id = ? ORDER BY occurred_at, id";
    let doing = "read all leads";
    let mut people = BTreeMap::new();
    for cluster in all(connection, doing, "SELECT id FROM clusters ORDER BY id", &[], |row| row.get(0))? {
        let mut rows = SqlRows::at(connection, jiff::Timestamp::UNIX_EPOCH);
        for lead in &rows.state(cluster)?.leads {
            let Some(id) = rows.lead_id(lead)? else { continue };
            let mut digest = Sha256::new_with_prefix(to_json(lead)?);
            for touch in all(connection, doing, TOUCHES, values![blob_of(id.0)], |row| row.get::<String>(0))?
            {
                digest.update(touch);
            }
            people.insert(id.to_string(), digest.finalize().into());
        }
    }
    Ok(people)
}
