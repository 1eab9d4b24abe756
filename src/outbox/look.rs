//! A look at a CRM's schema, with the first aid that a refused token needs.

use super::Setup;
use super::breaker::Breaker;
use super::retry::{FirstAid, first_aid};
use super::transport::Metered;
use super::watch::Known;
use crate::clock::Clock;
use crate::config::Target;
use crate::config::target::Auth;
use std::sync::Mutex;
use wabridge_crms::{Desk, Schema};
use wabridge_model::Failure;

/// Reads the schema; once more with another token, where the CRM refused the one before and there is another.
pub(super) async fn schema(
    setup: &Setup,
    breaker: &Mutex<Breaker>,
    clock: &dyn Clock,
    known: Option<&Known>,
) -> Result<Schema, Failure> {
    let transport = Metered::new(&*setup.account, breaker, clock);
    let nothing = Schema::default();
    let desk = Desk {
        transport: &transport,
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
