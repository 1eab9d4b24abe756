//! `wabridge simulate`, and the official client libraries of the CRMs against it: pinned by hash, installed
//! into the target folder. Without a way to fetch them the test fails: skipping would say that it was done.

use crate::command::wabridge;
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where the client scripts are.
fn scripts(crm: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("simulators/clients").join(crm)
}

/// Runs a step that needs the network or a package of Debian's.
fn step(what: &str, command: &mut Command) {
    let way_out = "it needs Debian's python3-venv (`make test` installs it) and the package index";
    let output = command.output().unwrap_or_else(|error| panic!("{what}: {error}; {way_out}"));
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (said(&output.stdout), said(&output.stderr));
    assert!(output.status.success(), "{what} failed; {way_out}\n{out}{err}");
}

/// The Python that has what `requirements.txt` pins; installed again when that changes.
fn python(crm: &str) -> PathBuf {
    let wanted = scripts(crm).join("requirements.txt");
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("client-{crm}"));
    let (python, installed) = (home.join("bin/python3"), home.join("installed.txt"));
    let pins = fs::read(&wanted).unwrap();
    if fs::read(&installed).is_ok_and(|before| before == pins) {
        return python;
    }
    step("making a virtual environment", Command::new("python3").args(["-m", "venv", "--clear"]).arg(&home));
    let mut install = Command::new(&python);
    install.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-input",
        "--require-hashes",
        "--only-binary",
        ":all:",
    ]);
    step("installing the official client library", install.arg("-r").arg(&wanted));
    fs::write(&installed, pins).unwrap();
    python
}

#[test]
fn hubspots_own_client_library_works_against_the_simulator() {
    let mut check = Command::new(python("hubspot"));
    check.arg(scripts("hubspot").join("check.py")).arg(env!("CARGO_BIN_EXE_wabridge"));
    let output = check.env_remove("WABRIDGE_CONFIG").output().unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (said(&output.stdout), said(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    assert!(out.ends_with("the simulator's end: 0\n"), "it did not come to its end: {out}");
}

#[test]
fn a_simulator_prints_a_target_to_paste_and_keeps_its_token_to_its_owner() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = wabridge(folder.path());
    command.args(["simulate", "hubspot"]).env("TMPDIR", folder.path());
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let said: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(said["target"]["base_url"], said["base_url"]);
    assert_eq!(said["target"]["crm"], "hubspot");
    let reference = said["target"]["auth"]["token"].as_str().unwrap();
    let file = PathBuf::from(reference.strip_prefix("file:").unwrap());
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_to_string(&file).unwrap(), said["token"].as_str().unwrap());
    let stopped = Command::new("kill").arg(child.id().to_string()).status().unwrap();
    assert!(stopped.success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(!file.exists(), "the token goes with the simulator");
}

#[test]
fn a_simulator_that_cannot_be_had_is_refused_with_the_way_out() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let table: [(&[&str], i32, &str); 3] = [
        (&["hubspt"], 64, "did you mean 'hubspot'? known: hubspot"),
        (&["hubspot", "--notify", "nowhere"], 64, "http://"),
        (&["hubspot", "--port", &port], 69, "--port"),
    ];
    for (words, code, way_out) in table {
        let output = wabridge(Path::new("/")).arg("simulate").args(words).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(code), 0), "{words:?}: {error}");
        assert!(error.contains(way_out), "{words:?}: {error}");
    }
}
