//! What the project is made of: licences and bans of its dependencies, and the habits of its own files.
//!
//! `deny.toml` is the one list; `cargo deny check bans licenses sources` reads it too, where it is installed.

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package, PackageId};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Allowed for what is never shipped: tests and benches.
const DEVELOPMENT_ONLY: &[&str] = &["MPL-2.0"];

/// Lines of a file without its tests: a reader keeps no more in mind.
const LONGEST_FILE: usize = 500;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The dependency graph of the platform that is served; others' crates need not be on this disk.
fn metadata() -> Metadata {
    let options = ["--locked", "--offline", "--filter-platform", "x86_64-unknown-linux-gnu"];
    let mut command = MetadataCommand::new();
    command.manifest_path(root().join("Cargo.toml")).other_options(options.map(String::from));
    command.exec().unwrap()
}

/// The texts at `section.key` of `deny.toml`, or their `crate` where they are tables.
fn listed(section: &str, key: &str) -> BTreeSet<String> {
    let deny: toml::Table = fs::read_to_string(root().join("deny.toml")).unwrap().parse().unwrap();
    let items = deny[section][key].as_array().unwrap().clone();
    let name = |item: &toml::Value| item.get("crate").unwrap_or(item).as_str().unwrap().to_owned();
    items.iter().map(name).collect()
}

/// What the binary is built from: everything that is reached without a development dependency.
fn shipped(metadata: &Metadata) -> BTreeSet<PackageId> {
    let nodes = &metadata.resolve.as_ref().unwrap().nodes;
    let nodes: BTreeMap<_, _> = nodes.iter().map(|node| (&node.id, node)).collect();
    let mut waiting: Vec<_> = metadata.workspace_members.iter().collect();
    let mut reached = BTreeSet::new();
    while let Some(id) = waiting.pop() {
        if reached.insert(id.clone()) {
            let used = nodes[id].deps.iter().filter(|dependency| {
                dependency.dep_kinds.iter().any(|kind| kind.kind != DependencyKind::Development)
            });
            waiting.extend(used.map(|dependency| &dependency.pkg));
        }
    }
    reached
}

/// Whether an SPDX expression can be met with these licences. `/` is the old spelling of `OR`.
fn allows(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let (met, rest) = any(&words, allowed);
    assert!(rest.is_empty(), "not an SPDX expression: {expression}");
    met
}

fn any<'w>(words: &'w [&'w str], allowed: &BTreeSet<String>) -> (bool, &'w [&'w str]) {
    let (mut met, mut rest) = all(words, allowed);
    while let ["OR", more @ ..] = rest {
        let (also, after) = all(more, allowed);
        (met, rest) = (met || also, after);
    }
    (met, rest)
}

fn all<'w>(words: &'w [&'w str], allowed: &BTreeSet<String>) -> (bool, &'w [&'w str]) {
    let (mut met, mut rest) = one(words, allowed);
    while let ["AND", more @ ..] = rest {
        let (also, after) = one(more, allowed);
        (met, rest) = (met && also, after);
    }
    (met, rest)
}

fn one<'w>(words: &'w [&'w str], allowed: &BTreeSet<String>) -> (bool, &'w [&'w str]) {
    match words {
        ["(", inner @ ..] => match any(inner, allowed) {
            (met, [")", rest @ ..]) => (met, rest),
            (_, rest) => (false, rest),
        },
        [licence, "WITH", exception, rest @ ..] => {
            (allowed.contains(*licence) || allowed.contains(&format!("{licence} WITH {exception}")), rest)
        }
        [licence, rest @ ..] => (allowed.contains(*licence), rest),
        [] => (false, words),
    }
}

#[test]
fn an_spdx_expression_is_met_by_one_side_of_or_and_both_sides_of_and() {
    let allowed: BTreeSet<String> = ["MIT", "Unicode-3.0", "Zlib WITH Kindness"].map(String::from).into();
    for met in [
        "MIT",
        "Apache-2.0 OR MIT",
        "Apache-2.0/MIT",
        "(MIT OR GPL-3.0) AND Unicode-3.0",
        "Zlib WITH Kindness",
        "MIT WITH LLVM-exception",
    ] {
        assert!(allows(met, &allowed), "{met}");
    }
    for refused in ["GPL-3.0", "MIT AND GPL-3.0", "Zlib", "(MIT OR Zlib) AND GPL-3.0", "Zlib WITH Malice"] {
        assert!(!allows(refused, &allowed), "{refused}");
    }
}

#[test]
fn every_dependency_has_a_licence_that_we_may_pass_on() {
    let metadata = metadata();
    let for_all = listed("licenses", "allow");
    let mut for_development = for_all.clone();
    for_development.extend(DEVELOPMENT_ONLY.iter().map(|licence| (*licence).to_owned()));
    let shipped = shipped(&metadata);
    let refused = |package: &&Package| {
        let allowed = if shipped.contains(&package.id) { &for_all } else { &for_development };
        !package.license.as_deref().is_some_and(|licence| allows(licence, allowed))
    };
    let refused: Vec<_> =
        metadata.packages.iter().filter(refused).map(|it| (&it.name, &it.license)).collect();
    assert!(refused.is_empty(), "not among the licences of deny.toml: {refused:?}");
}

#[test]
fn no_banned_crate_came_in_through_another() {
    let banned = listed("bans", "deny");
    assert!(!banned.is_empty());
    let metadata = metadata();
    let found: Vec<_> = metadata.packages.iter().filter(|it| banned.contains(it.name.as_str())).collect();
    assert!(
        found.is_empty(),
        "banned in deny.toml: {:?}",
        found.iter().map(|it| &it.name).collect::<Vec<_>>()
    );
}

#[test]
fn every_crate_comes_from_crates_io_or_this_repository() {
    let known = |package: &&Package| package.source.as_ref().is_none_or(cargo_metadata::Source::is_crates_io);
    let metadata = metadata();
    let strangers: Vec<_> = metadata.packages.iter().filter(|it| !known(it)).map(|it| &it.name).collect();
    assert!(strangers.is_empty(), "{strangers:?}");
}

/// Every Rust file of the project, by its path from the root.
fn sources() -> Vec<(PathBuf, String)> {
    let mut folders: Vec<PathBuf> =
        ["src", "model", "providers", "crms", "simulators", "tests", "benches", "fuzz"]
            .iter()
            .map(|name| root().join(name))
            .collect();
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.is_dir() && !path.ends_with("target") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                files.push((path.strip_prefix(root()).unwrap().to_owned(), text));
            }
        }
    }
    assert!(files.len() > 20, "the sources were not found");
    files.sort();
    files
}

#[test]
fn every_file_opens_by_saying_what_it_is_for() {
    let silent: Vec<_> = sources().into_iter().filter(|(_, text)| !text.starts_with("//! ")).collect();
    assert!(silent.is_empty(), "{:?}", silent.iter().map(|(path, _)| path).collect::<Vec<_>>());
}

#[test]
fn nothing_is_left_to_be_done_later_and_no_test_is_switched_off() {
    // In two halves, or this file would find itself.
    let unfinished =
        [("to", "do!("), ("unimple", "mented!("), ("#[ig", "nore")].map(|(a, b)| format!("{a}{b}"));
    for (path, text) in sources() {
        for word in &unfinished {
            assert!(!text.contains(word.as_str()), "{} in {}", word, path.display());
        }
    }
}

#[test]
fn no_file_is_longer_than_a_reader_can_hold() {
    for (path, text) in sources() {
        // A test file is a list of cases, and is read by the case.
        if path.components().any(|part| part.as_os_str() == "tests") || path.ends_with("tests.rs") {
            continue;
        }
        let code = text.lines().take_while(|line| *line != "#[cfg(test)]").count();
        assert!(code <= LONGEST_FILE, "{} has {code} lines; split it", path.display());
    }
}
