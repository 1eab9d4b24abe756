//! A look at a CRM's schema, with the first aid that a refused token needs.

use super::Setup;
use super::retry::{FirstAid, first_aid};
use super::watch::Known;
use crate::config::Target;
use crate::config::target::Auth;
use wabridge_crms::{Desk, Schema, Transport};
use wabridge_model::Failure;

/// Reads the schema; once more with another token, where the CRM refused the one before and there is another.
pub(super) async fn schema(
    setup: &Setup,
    transport: &dyn Transport,
    known: Option<&Known>,
) -> Result<Schema, Failure> {
    let nothing = Schema::default();
    let desk = Desk {
        transport,
        person: setup.target.person,
        key_field: &setup.target.key_field,
        schema: known.map_or(&nothing, |known| &known.schema),
        country: setup.config.region.default_country,
    };
    match setup.target.crm.schema(&desk).await {
        Err(failure) if first_aid(failure.kind) == FirstAid::RenewToken && setup.account.renew().await => {
            setup.target.crm.schema(&desk).await
        }
        read => read,
    }
}

/// What an operator does about a target whose CRM refuses what it is shown.
#[must_use]
pub fn way_out(target: &Target) -> String {
    let name = &target.name;
    match target.auth {
        Auth::Token(_) => format!(
            "put a good token where the configuration says, then reload, or: wabridge target resume {name}"
        ),
        Auth::Login(_) => format!("wabridge login {name}"),
    }
}
