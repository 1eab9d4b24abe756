//! What `check` says of targets: by the configuration alone, and, where it is asked to, by their CRMs.

use super::{Finding, failed, warning, well};
use crate::cli::target::{account, exit_of, wait, wire};
use crate::cli::told::{by_config, crm_name};
use crate::config::{Config, Target};
use crate::delivery::online::{Wire, refusal};
use crate::exit::Exit;
use crate::store;
use crate::store::login::LoginRow;
use wabridge_crms::schema::{Fault, Holds};

/// One line for each target, and one for its login, where it has one.
pub(super) fn offline(config: &Config) -> Vec<Finding> {
    let each = |target| std::iter::once(configured(target)).chain(login(config, target));
    config.targets.iter().flat_map(each).collect()
}

/// Whether somebody has logged in. Only whether there is a login can be said without asking the CRM.
fn login(config: &Config, target: &Target) -> Option<Finding> {
    target.auth.login()?;
    let name = &target.name;
    let store = store::open_to_read(&config.store);
    Some(match store.and_then(|store| store.login(name)) {
        Ok(Some(LoginRow { fault: None, .. })) => well("target", format!("'{name}': logged in")),
        Ok(Some(LoginRow { fault: Some(fault), .. })) => {
            let text =
                format!("'{name}': the CRM renews its login no more ({fault}); run: wabridge login {name}");
            failed("target", text, Exit::Config)
        }
        // A store that is not there yet has no login either.
        Ok(None) | Err(_) => {
            let text = format!("'{name}': nobody has logged in yet; run: wabridge login {name}");
            warning("target", text)
        }
    })
}

fn configured(target: &Target) -> Finding {
    let (name, crm) = (&target.name, crm_name(target));
    if let Err(fault) = target.auth.reference().1.resolve() {
        let what = if target.auth.login().is_some() { "client's secret" } else { "token" };
        return failed("target", format!("'{name}' ({crm}): its {what} {fault}"), Exit::Config);
    }
    let mode = by_config(target).unwrap_or("live");
    let (person, key, fields) = (target.person, &target.key_field, target.fields.len());
    let deals = match &target.deal {
        Some(deal) => format!(", deals in {} / {}", deal.pipeline, deal.stage),
        None => String::new(),
    };
    let text =
        format!("'{name}' ({crm}, {mode}): people as {person}, key {key}, {fields} fields mapped{deals}");
    well("target", text)
}

/// What the CRM of each target says. Reads only.
pub(super) fn online(config: &Config) -> Vec<Finding> {
    config.targets.iter().flat_map(|target| asked(config, target)).collect()
}

fn asked(config: &Config, target: &Target) -> Vec<Finding> {
    let account = match account(config, target) {
        Ok(account) => account,
        // The line before has said why.
        Err(_) => return Vec::new(),
    };
    let wire: Wire<'_> = wire(config, target, &account);
    let schema = match wait(wire.schema()) {
        Ok(Ok(schema)) => schema,
        Ok(Err(failure)) => {
            let text = format!("'{}': {}", target.name, refusal(&failure, target));
            return vec![failed("target", text, exit_of(&failure))];
        }
        Err(error) => return vec![failed("target", format!("'{}': {error}", target.name), Exit::Internal)],
    };
    let faults = target.faults(&schema);
    let crm = crm_name(target);
    let end = if faults.is_empty() { "; it has every field that is mapped" } else { "" };
    let text = format!("'{}': {crm} answers, takes the token and shows its fields{end}", target.name);
    let mut findings = vec![well("target", text)];
    findings.extend(faults.iter().map(|fault| finding(target, fault)));
    findings
}

/// A fault fails, whatever it holds: what is mapped is meant to arrive.
fn finding(target: &Target, fault: &Fault) -> Finding {
    let waits = match fault.holds {
        Holds::Person => " (until then its people wait)",
        Holds::Deals => " (until then its deals wait)",
        Holds::Nothing => " (until then the field is left out)",
    };
    failed("target", format!("'{}': {fault}{waits}", target.name), Exit::Config)
}
