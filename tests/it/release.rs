//! The release binary: it starts, and holds nothing of the planted faults.
//!
//! What is compiled into it does not depend on how well it is optimised, which takes longer than all other tests
//! together. `packaging/dist.sh` asks the same of the very binary that it hands out.

use crate::command::Place;
use crate::support::client::{META, META_SECRET};
use crate::support::process::Process;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Builds the release binary without optimising it.
fn built() -> PathBuf {
    let debug = Path::new(env!("CARGO_BIN_EXE_wabridge"));
    let target = debug.parent().and_then(Path::parent).unwrap();
    let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--profile", "unoptimised", "--locked", "--quiet"])
        .args(["--package", "wabridge", "--bin", "wabridge"])
        .arg("--manifest-path")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"))
        .arg("--target-dir")
        .arg(target)
        .status()
        .unwrap();
    assert!(status.success());
    target.join("unoptimised/wabridge")
}

fn contains(file: &Path, text: &str) -> bool {
    std::fs::read(file).unwrap().windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn release_binary_starts_and_does_not_know_of_planted_faults() {
    let release = built();
    assert!(!contains(&release, "WABRIDGE_FAULT"));
    assert!(
        contains(Path::new(env!("CARGO_BIN_EXE_wabridge")), "WABRIDGE_FAULT"),
        "the search finds nothing"
    );
    let place = Place::new(META);
    let mut command = Command::new(release);
    command.arg("serve").current_dir(place.path("")).env_clear().env("META", META_SECRET);
    let mut process = Process::launch_as(command, &place, "ack_before_commit");
    process.ready();
    assert_eq!(process.stop(), Some(0));
}
