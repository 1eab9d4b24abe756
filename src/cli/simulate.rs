//! `wabridge simulate`: a CRM to try things on, that behaves like the real one and is empty.
//!
//! Its token goes into a file that only its owner can read, because a configuration takes a secret by
//! reference alone: the `target` that is printed can be pasted as it is.

use super::failure::{Failure, OrExit};
use crate::config::nearest;
use crate::exit::Exit;
use serde_json::json;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};
use wabridge_simulators::{CRMS, Simulator, serve};

/// Run a simulated CRM on this machine, until it is interrupted
///
/// The first line it prints is JSON: where it answers and the keys of a `[[target]]` that fits, also the token
/// itself, the secret of its change notices and, where it has a token endpoint, what that is asked with. What it holds is at GET /_ledger; POST /_set, /_fate and
/// /_change make it slow, faulty, or edited by a human.
#[derive(Debug, clap::Args)]
pub(super) struct Simulate {
    /// Which CRM
    crm: String,
    /// The port on 127.0.0.1; 0 takes any that is free
    #[arg(long, value_name = "N", default_value_t = 0)]
    port: u16,
    /// Where its change notices are posted
    #[arg(long, value_name = "URL")]
    notify: Option<String>,
}

impl Simulate {
    pub(super) fn run(&self, out: &mut impl Write) -> Result<Exit, Failure> {
        let simulator = find(&self.crm)?;
        if let Some(url) = &self.notify {
            let web = url::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
            if !web {
                let text =
                    format!("--notify '{url}' is no URL; give one that begins with http:// or https://");
                return Err(Failure::new(Exit::Usage, text));
            }
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, self.port)).map_err(|error| {
            let text = format!("port {} cannot be had: {error}; give another with --port", self.port);
            Failure::new(Exit::Unavailable, text)
        })?;
        let waiting = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        // Listened for before anything is promised, so that an early signal ends it in order.
        let (mut terminate, mut interrupt) = {
            let _inside = waiting.enter();
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?)
        };
        let simulator = Arc::new(simulator);
        let mut target = simulator.target();
        let token = target["auth"]["token"].take();
        let token = token.as_str().unwrap_or_default();
        let kept = Kept::write(token)?;
        let serving =
            serve(Arc::clone(&simulator), listener, self.notify.clone()).or_exit(Exit::Unavailable)?;
        target["base_url"] = json!(serving.base_url());
        target["auth"]["token"] = json!(format!("file:{}", kept.0.join("token").display()));
        let mut line = json!({
            "base_url": serving.base_url(), "target": target, "token": token,
            "notice_secret": simulator.notice_secret(),
        });
        if let Some(oauth) = simulator.oauth() {
            line["oauth"] = oauth;
        }
        writeln!(out, "{line}")?;
        out.flush()?;
        waiting.block_on(async {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        });
        Ok(Exit::Success)
    }
}

/// The simulator of that name.
fn find(name: &str) -> Result<Simulator, Failure> {
    if let Some((_, make)) = CRMS.iter().find(|(slug, _)| *slug == name) {
        return Ok(make());
    }
    let known: Vec<&str> = CRMS.iter().map(|(slug, _)| *slug).collect();
    let meant = nearest(name, known.iter().copied()).map(|near| format!(" did you mean '{near}'?"));
    let text =
        format!("no CRM '{name}' to simulate;{} known: {}", meant.unwrap_or_default(), known.join(", "));
    Err(Failure::new(Exit::Usage, text))
}

/// A folder with the token, gone when the simulator is.
struct Kept(PathBuf);

impl Kept {
    fn write(token: &str) -> Result<Kept, Failure> {
        let mut name = [0; 8];
        getrandom::fill(&mut name).map_err(|error| Failure::new(Exit::Internal, error.to_string()))?;
        let name = format!("wabridge-simulate-{:016x}", u64::from_ne_bytes(name));
        let kept = Kept(std::env::temp_dir().join(name));
        fs::DirBuilder::new().mode(0o700).create(&kept.0)?;
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(kept.0.join("token"))?;
        file.write_all(token.as_bytes())?;
        Ok(kept)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        // Left behind, it is a token that opens nothing.
        drop(fs::remove_dir_all(&self.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_crm_is_refused_with_those_there_are() {
        let failure = find("hubspott").unwrap_err();
        assert_eq!(failure.exit(), Exit::Usage);
        let text = failure.to_string();
        assert!(text.contains("'hubspott'") && text.contains("did you mean 'hubspot'"), "{text}");
        let text = find("carrierpigeon").unwrap_err().to_string();
        assert!(text.contains("known: hubspot, zoho"), "{text}");
    }

    #[test]
    fn the_token_is_kept_from_others_and_goes_with_the_simulator() {
        use std::os::unix::fs::PermissionsExt;
        let kept = Kept::write("secret").unwrap();
        let path = kept.0.join("token");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_to_string(&path).unwrap(), "secret");
        drop(kept);
        assert!(!path.exists());
    }
}
