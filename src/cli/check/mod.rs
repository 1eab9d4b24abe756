//! `wabridge check`: whether the daemon would start and be reached, one line each, with the way out.
//!
//! Nothing is kept: the only write is a probe file in the store's folder, removed at once. A store that is there is read
//! for what providers send. Nothing is contacted but the store's server, where it is on one, and, with `--online`, the CRMs, which are only read; a login whose token
//! has expired is renewed then, and kept.

mod targets;

use super::advice::{Advice, advice};
use super::failure::Failure;
use super::serve::exit_of;
use crate::config::{Channel, Config, SecretErrors, SecretReference, Server, Store, Target};
use crate::exit::Exit;
use crate::store::server_version;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use wabridge_providers::signature::Scheme;

/// The oldest SQLite without a known way to lose or corrupt a write-ahead log.
const OLDEST_SQLITE: (i32, &str) = (3_051_003, "3.51.3");

/// Check the configuration, the secrets, file modes, the store and the public URL
///
/// Prints one line each, with what to do. Exits 0 when all is well or only warnings are left, 78 when the
/// configuration is at fault, 77 when the store's folder may not be written. With --online it asks each CRM: whether it
/// is there and takes the token (else 69 or 78), and has every field, pipeline and stage that is mapped (else 78).
#[derive(Debug, clap::Args)]
pub(super) struct Check {
    /// Ask the CRMs too; they are only read
    #[arg(long)]
    online: bool,
}

/// One line of the answer.
struct Finding {
    verdict: Verdict,
    subject: &'static str,
    text: String,
}

enum Verdict {
    Well,
    Note,
    Warning,
    Failed(Exit),
}

impl Check {
    pub(super) fn run(&self, path: &Path, out: &mut impl Write) -> Result<Exit, Failure> {
        let findings = examine(path, self.online);
        for Finding { verdict, subject, text } in &findings {
            let word = match verdict {
                Verdict::Well => "ok",
                Verdict::Note => "note",
                Verdict::Warning => "warning",
                Verdict::Failed(_) => "FAILED",
            };
            writeln!(out, "{word:<8} {subject:<8} {text}")?;
        }
        let failed = findings.iter().filter(|finding| matches!(finding.verdict, Verdict::Failed(_))).count();
        let warnings = findings.iter().filter(|finding| matches!(finding.verdict, Verdict::Warning)).count();
        writeln!(out, "{failed} failed, {warnings} to look at")?;
        Ok(exit(&findings))
    }
}

/// The first failure decides: a wrong configuration makes the rest doubtful.
fn exit(findings: &[Finding]) -> Exit {
    let failures = findings.iter().filter_map(|finding| match finding.verdict {
        Verdict::Failed(exit) => Some(exit),
        Verdict::Well | Verdict::Note | Verdict::Warning => None,
    });
    failures.into_iter().next().unwrap_or(Exit::Success)
}

fn examine(path: &Path, online: bool) -> Vec<Finding> {
    match Config::load(path) {
        Err(errors) => {
            let mut findings: Vec<_> =
                errors.lines().map(|line| failed("config", line, Exit::Config)).collect();
            findings.push(sqlite());
            findings
        }
        Ok(config) => {
            let mut findings = configuration(path, &config);
            findings.extend(config.channels.iter().flat_map(secrets));
            findings.extend(config.targets.iter().map(token));
            findings.extend(side_secrets(&config));
            findings.extend(providers(&config));
            findings.extend(modes(path, &config.store));
            findings.push(sqlite());
            findings.push(folder(&config.store));
            findings.extend(server(&config.store));
            findings.push(public_url(&config.server));
            findings.extend(listeners(&config.server));
            findings.extend(targets::offline(&config));
            if online {
                findings.extend(targets::online(&config));
            }
            findings
        }
    }
}

fn configuration(path: &Path, config: &Config) -> Vec<Finding> {
    let channels: Vec<String> =
        config.channels.iter().map(|it| format!("{} ({})", it.name, it.provider.about().slug)).collect();
    let channels = if channels.is_empty() { "none".to_owned() } else { channels.join(", ") };
    let targets: Vec<String> = config.targets.iter().map(target).collect();
    let targets = if targets.is_empty() { "none".to_owned() } else { targets.join(", ") };
    let text = format!("{} is valid; channels: {channels}; targets: {targets}", path.display());
    let mut findings = vec![well("config", text)];
    findings.extend(config.warnings().into_iter().map(|text| warning("config", text)));
    findings
}

fn target(target: &Target) -> String {
    format!("{} ({}, {})", target.name, target.crm.about().slug, target.mode.as_str())
}

fn token(target: &Target) -> Finding {
    let what = if target.auth.login().is_some() { "a client's secret" } else { "a token" };
    match target.resolve_secret() {
        Ok(_) => well("secrets", format!("target '{}': {what}", target.name)),
        Err(error) => failed("secrets", error.to_string(), Exit::Config),
    }
}

/// What is shown to the endpoints that are asked before a write, where they need anything.
fn side_secrets(config: &Config) -> Vec<Finding> {
    let summary = config.summary.as_ref().and_then(|it| it.api_key.as_ref());
    let enrichment = config.enrichment.as_ref().and_then(|it| it.token.as_ref());
    let all = [("summary", "api_key", summary), ("enrichment", "token", enrichment)];
    let finding = |(table, key, reference): (&str, &str, Option<&SecretReference>)| {
        let reference = reference?;
        Some(match reference.resolve() {
            Ok(_) => well("secrets", format!("[{table}]: {key}")),
            Err(fault) => failed("secrets", format!("[{table}]: {key} ({reference}) {fault}"), Exit::Config),
        })
    };
    all.into_iter().filter_map(finding).collect()
}

fn secrets(channel: &Channel) -> Vec<Finding> {
    match channel.resolve_secrets() {
        Ok(secrets) => {
            let token = if secrets.verify_token.is_some() { ", with a verify token" } else { "" };
            let mut count =
                secrets.signing.len() + secrets.header.as_ref().map_or(0, |(_, values)| values.len());
            if channel.provider.about().scheme == Scheme::SharedSecret {
                count += secrets.path_tokens.len();
            }
            vec![well("secrets", format!("channel '{}': {count} to prove senders{token}", channel.name))]
        }
        Err(SecretErrors(errors)) => {
            errors.iter().map(|error| failed("secrets", error.to_string(), Exit::Config)).collect()
        }
    }
}

/// What could work better at the providers: a warning where requests show it, else a note.
fn providers(config: &Config) -> Vec<Finding> {
    let advice = match advice(config) {
        Ok(advice) => advice,
        Err(error) => {
            let text =
                format!("the store cannot be read for what providers send ({error}); start the daemon once");
            return vec![warning("provider", text)];
        }
    };
    let finding = |Advice { is_seen, text }| match is_seen {
        true => warning("provider", text),
        false => Finding { verdict: Verdict::Note, subject: "provider", text },
    };
    advice.into_iter().map(finding).collect()
}

fn modes(path: &Path, store: &Store) -> Vec<Finding> {
    let mut findings = Vec::new();
    // Whoever can write the configuration can name other secrets; it holds none to read.
    if mode(path).is_some_and(|mode| mode & 0o022 != 0) {
        let text = format!("{0} can be changed by others; run chmod go-w '{0}'", path.display());
        findings.push(failed("modes", text, Exit::Config));
    }
    let files = ["", "-wal", "-shm", ".key"].map(|suffix| store.beside(suffix));
    for file in files.iter().filter(|file| mode(file).is_some_and(|mode| mode & 0o077 != 0)) {
        let text = format!(
            "{0} holds conversations or what opens logins, and others can read it; run chmod 600 '{0}'",
            file.display()
        );
        findings.push(warning("modes", text));
    }
    if findings.is_empty() {
        findings.push(well("modes", "configuration and store are closed to others".to_owned()));
    }
    findings
}

fn mode(path: &Path) -> Option<u32> {
    std::fs::metadata(path).ok().map(|metadata| metadata.permissions().mode())
}

fn sqlite() -> Finding {
    let (number, oldest) = OLDEST_SQLITE;
    let version = rusqlite::version();
    if rusqlite::version_number() >= number {
        return well("sqlite", format!("version {version}"));
    }
    let text =
        format!("version {version} is older than {oldest}; install a wabridge built with its own SQLite");
    failed("sqlite", text, Exit::Config)
}

fn folder(store: &Store) -> Finding {
    let folder = store.folder();
    let shown = folder.display();
    if !folder.is_dir() {
        let text = format!(
            "{shown} is not there; make it with mkdir -m 700 '{shown}' and let the daemon's user own it"
        );
        return failed("store", text, Exit::Config);
    }
    // Tried rather than read off the mode: read-only mounts and ACLs do not show in it.
    let probe = folder.join(format!(".wabridge-check-{}", std::process::id()));
    let tried = std::fs::OpenOptions::new().write(true).create_new(true).open(&probe);
    match tried.and_then(|_| std::fs::remove_file(&probe)) {
        Ok(()) => well("store", format!("{shown} can be written")),
        Err(error) => {
            let text = format!("{shown} cannot be written ({error}); let the daemon's user own it");
            failed("store", text, Exit::of_io(&error))
        }
    }
}

/// Whether the server that the store is on answers, and keeps what it acknowledges.
fn server(store: &Store) -> Option<Finding> {
    Some(match server_version(store) {
        Ok(version) => well("store", format!("{store} answers: PostgreSQL {}", version?)),
        Err(error) => failed("store", format!("{store}: {error}"), exit_of(&error)),
    })
}

fn public_url(server: &Server) -> Finding {
    let Some(url) = &server.public_url else {
        let text =
            "no public_url in [server]; add the https:// address under which providers reach this machine";
        return warning("url", text.to_owned());
    };
    let parsed = url::Url::parse(url).ok();
    let host = parsed.as_ref().and_then(url::Url::host);
    let private = match host {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback() || ip.is_unique_local(),
        Some(url::Host::Domain(name)) => !name.contains('.'),
        None => true,
    };
    if !url.starts_with("https://") {
        return warning(
            "url",
            format!("{url} is not https: providers refuse it, except in a rehearsal; use https://"),
        );
    }
    if private {
        return warning("url", format!("{url} cannot be reached from outside; use a public host name"));
    }
    well("url", format!("providers post to {url}/hooks/<channel>"))
}

fn listeners(server: &Server) -> Vec<Finding> {
    let mut findings = vec![listener(server.listen)];
    if let Some(admin) = server.admin_listen.filter(|admin| !admin.ip().is_loopback()) {
        let text = format!(
            "admin_listen {admin} shows metrics to the network; bind it to 127.0.0.1 or fence it off"
        );
        findings.push(warning("listen", text));
    }
    findings
}

fn listener(listen: SocketAddr) -> Finding {
    if listen.ip().is_loopback() {
        return well(
            "listen",
            format!("{listen} is reached from this machine only: a proxy with TLS goes before it"),
        );
    }
    let text = format!(
        "{listen} is plain HTTP, open to the network; bind 127.0.0.1 behind a proxy, or fence it off"
    );
    warning("listen", text)
}

fn well(subject: &'static str, text: String) -> Finding {
    Finding { verdict: Verdict::Well, subject, text }
}

fn warning(subject: &'static str, text: String) -> Finding {
    Finding { verdict: Verdict::Warning, subject, text }
}

fn failed(subject: &'static str, text: String, exit: Exit) -> Finding {
    Finding { verdict: Verdict::Failed(exit), subject, text }
}
