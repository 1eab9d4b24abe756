//! `[target.quota]`: how much an account has of its CRM's limits, or how much of it is ours.

use super::Target;
use crate::config::document::Table;
use std::collections::BTreeMap;
use wabridge_crms::About;

/// Sizes by the names of limits. Which there are, the CRM says.
pub(super) fn read(table: &mut Table<'_, '_>, about: Option<&'static About>) -> BTreeMap<&'static str, u64> {
    let label = format!("[target.quota] of {}", table.label);
    let Some((mut table, about)) = table.section("quota").zip(about) else { return BTreeMap::new() };
    table.label = label;
    let size = |limit: &'static wabridge_crms::Limit| {
        Some((limit.name, u64::from(table.integer(limit.name, 1..=u32::MAX)?)))
    };
    let sizes = about.limits.iter().filter_map(size).collect();
    table.finish(&[]);
    sizes
}

/// Targets that write to one account have one share of it: the least of what is said.
pub(in crate::config) fn share_quotas(targets: &mut [Target]) {
    let mut shares: BTreeMap<String, BTreeMap<&'static str, u64>> = BTreeMap::new();
    for target in targets.iter() {
        let share = shares.entry(target.account()).or_default();
        for (name, size) in &target.quota {
            let least = share.entry(name).or_insert(*size);
            *least = (*least).min(*size);
        }
    }
    for target in targets {
        target.quota = shares.get(&target.account()).cloned().unwrap_or_default();
    }
}
