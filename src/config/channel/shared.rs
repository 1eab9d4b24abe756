//! What a channel may have whatever its provider: secrets that are no signing keys, who may post, and its role.

use super::read::reference;
use crate::config::document::{Found, Table};
use crate::config::secret::SecretReference;
use std::net::IpAddr;
use wabridge_providers::About;

/// `path_token`: the last part of the URL, or several during a rotation.
pub(super) fn path_tokens(table: &mut Table<'_, '_>) -> Vec<SecretReference> {
    let found = table.one_or_more("path_token");
    found.into_iter().filter_map(|found| reference(table, "path_token", found)).collect()
}

/// `header = { name, value }`: only a provider that signs nothing is proven by one.
pub(super) fn header(
    table: &mut Table<'_, '_>,
    about: Option<&About>,
) -> Option<(String, Vec<SecretReference>)> {
    let example = "{ name = \"X-Our-Token\", value = \"env:NAME\" }";
    let mut header = table.inline("header", example)?;
    if let Some(about) = about.filter(|about| !about.scheme.takes_shared_secret()) {
        header.problem(format!(
            "'header' in {} is not a word of {}, which signs its requests; remove it",
            table.label, about.slug
        ));
    }
    let name = header.required("name", "X-Our-Token");
    let values = header.one_or_more("value");
    let values: Vec<_> = values.into_iter().filter_map(|found| reference(&header, "value", found)).collect();
    if values.is_empty() {
        header.problem(format!("{} has no 'value'; write {example}", header.label));
    }
    header.finish(&[]);
    let Found { value: name, at } = name?;
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if name.is_empty() || !name.chars().all(is_token) {
        table.problem_at(at, format!("'name' in {} is no header's name; write {example}", header.label));
        return None;
    }
    Some((name.to_ascii_lowercase(), values)).filter(|(_, values)| !values.is_empty())
}

/// `allowed_ips`: the addresses that may post.
pub(super) fn allowed_ips(table: &mut Table<'_, '_>) -> Vec<IpAddr> {
    let found = table.strings("allowed_ips").unwrap_or_default();
    let address = |Found { value, at }: Found<&str>| {
        let address = value.parse().ok();
        if address.is_none() {
            let message = format!(
                "'allowed_ips' in {} holds no address: '{value}'; write \"203.0.113.7\"",
                table.label
            );
            table.problem_at(at, message);
        }
        address
    };
    found.into_iter().filter_map(address).collect()
}

/// `role`: whether the channel only fills the gaps of others.
pub(super) fn is_secondary(table: &mut Table<'_, '_>) -> bool {
    let Some(Found { value, at }) = table.string("role") else { return false };
    if !matches!(value, "primary" | "secondary") {
        let message =
            format!("'role' in {} cannot be '{value}'; write \"primary\" or \"secondary\"", table.label);
        table.problem_at(at, message);
    }
    value == "secondary"
}
