//! Verified requests, as they are stored.

use super::counters::count;
use super::encoding::{millis, to_json};
use crate::store::sql::connection::{Connection, Dialect, run, values};
use crate::store::{Request, StoreError};
use wabridge_model::evidence::Proof;

const DOING: &str = "store a request";

/// Adds requests within a transaction.
pub(in crate::store) fn insert_all(
    connection: &dyn Connection,
    requests: &[Request],
) -> Result<(), StoreError> {
    const ADD: &str = "INSERT INTO requests (received_at, channel, proof, secret_index, query, headers, body)
                       VALUES (?, ?, ?, ?, ?, ?, ?)";
    for request in requests {
        let headers = to_json(&request.headers)?;
        let values = values![
            millis(request.received_at),
            request.channel,
            proof_name(request.proof),
            request.secret_index,
            request.query,
            headers,
            request.body
        ];
        match connection.dialect() {
            Dialect::Sqlite => drop(run(connection, DOING, ADD, values)?),
            Dialect::Postgres => {
                let id = connection.insert(DOING, ADD, values)?;
                run(connection, DOING, "INSERT INTO waiting (request) VALUES (?)", values![id])?;
                count(connection, "requests.stored", 1)?;
            }
        }
    }
    Ok(())
}

pub(in crate::store) fn proof_name(proof: Proof) -> &'static str {
    match proof {
        Proof::SecretPath => "secret_path",
        Proof::SharedSecret => "shared_secret",
        Proof::Signed => "signed",
    }
}

/// The proof behind a stored name; an unknown one counts as the weakest.
pub(super) fn proof_of(name: &str) -> Proof {
    match name {
        "signed" => Proof::Signed,
        "shared_secret" => Proof::SharedSecret,
        _ => Proof::SecretPath,
    }
}
