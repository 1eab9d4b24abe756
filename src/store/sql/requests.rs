//! Verified requests, as they are stored.

use super::encoding::{millis, to_json};
use crate::store::sql::connection::{Connection, run, values};
use crate::store::{Request, StoreError};
use wabridge_model::evidence::Proof;

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
        run(connection, "store a request", ADD, values)?;
    }
    Ok(())
}

fn proof_name(proof: Proof) -> &'static str {
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
