//! `wabridge init`: a configuration that explains itself, and the secrets it refers to.
//!
//! In: a provider, a CRM, and the address under which this machine is reached. Out: files, each new and for its owner
//! alone. What the operator may choose is drawn; what the provider alone knows is stood in for by random
//! bytes, which prove nobody until the real secret is put in their place.

use super::connect::guide::guide;
use super::failure::{Failure, OrExit};
use crate::config::target::SIGNALS;
use crate::config::{Config, nearest, signing_key};
use crate::exit::Exit;
use data_encoding::{BASE64, BASE64URL_NOPAD};
use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use wabridge_crms::mapping::standard;
use wabridge_crms::registry::{self as crms, CRMS};
use wabridge_crms::{Crm, Limit};
use wabridge_providers::registry::{self, PROVIDERS};
use wabridge_providers::signature::Scheme;
use wabridge_providers::{About, Provider};

const TEMPLATE: &str = include_str!("template.toml");
const TARGET: &str = include_str!("target.toml");
const STORE: &str = "/var/lib/wabridge/wabridge.db";

/// Write a commented configuration and the secrets it refers to
///
/// The configuration goes where --config says, the secrets beside it, each of mode 0600. Nothing is overwritten:
/// exits 65 when one of the files is there already.
#[derive(Debug, clap::Args)]
pub(super) struct Init {
    /// The provider of the first channel
    #[arg(long, value_name = "PROVIDER", default_value = "meta", value_parser = provider)]
    provider: &'static str,
    /// The CRM to write to; without it, what to write is only shown
    #[arg(long, value_name = "CRM", value_parser = crm)]
    crm: Option<&'static str>,
    /// The https:// address under which the provider reaches this machine
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// Put configuration, secrets and store into this folder, whatever --config says; made if it is not there
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
}

fn provider(name: &str) -> Result<&'static str, String> {
    let slugs = || PROVIDERS.iter().map(|provider| provider.about().slug);
    registry::find(name).map(|provider| provider.about().slug).ok_or_else(|| match nearest(name, slugs()) {
        Some(near) => format!("did you mean '{near}'?"),
        None => format!("there are {}", slugs().collect::<Vec<_>>().join(", ")),
    })
}

fn crm(name: &str) -> Result<&'static str, String> {
    let slugs = || CRMS.iter().map(|crm| crm.about().slug);
    crms::find(name).map(|crm| crm.about().slug).ok_or_else(|| match nearest(name, slugs()) {
        Some(near) => format!("did you mean '{near}'?"),
        None => format!("there are {}", slugs().collect::<Vec<_>>().join(", ")),
    })
}

/// A secret's file, to be written.
struct NewSecret {
    path: PathBuf,
    value: String,
    /// Where the real one is found, if this only stands in for it.
    stands_in_for: Option<&'static str>,
}

impl Init {
    pub(super) fn run(self, config: &Path, out: &mut impl Write) -> Result<Exit, Failure> {
        let Some(provider) = registry::find(self.provider) else {
            return Err(Failure::new(Exit::Internal, "the provider is gone"));
        };
        let (path, store) = match &self.dir {
            Some(folder) => (folder.join("wabridge.toml"), None),
            None => (config.to_owned(), Some(PathBuf::from(STORE))),
        };
        let path = std::path::absolute(path)?;
        let folder = path.parent().unwrap_or(Path::new("/"));
        let store = store.unwrap_or_else(|| folder.join("wabridge.db"));
        let crm = self.crm.and_then(crms::find);
        let draft = Draft { provider, crm, folder, public_url: self.public_url.as_deref() };
        let (toml, secrets) = draft.write(&store)?;
        let parsed = Config::parse(&toml, &path);
        parsed.or_exit(Exit::Usage)?;
        for file in secrets.iter().map(|secret| &secret.path).chain([&path]) {
            if file.symlink_metadata().is_ok() {
                let text = format!("{} is there already and is not overwritten", file.display());
                return Err(Failure::new(Exit::Data, text));
            }
        }
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        for secret in &secrets {
            create(&secret.path, &format!("{}\n", secret.value))?;
        }
        create(&path, &toml)?;
        next(&path, &draft, &secrets, out)?;
        Ok(Exit::Success)
    }
}

fn create(path: &Path, text: &str) -> Result<(), Failure> {
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    made.and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all())).map_err(
        |error| Failure::new(Exit::of_io(&error), format!("{} cannot be written: {error}", path.display())),
    )
}

fn next(path: &Path, draft: &Draft<'_>, secrets: &[NewSecret], out: &mut impl Write) -> io::Result<()> {
    let shown = path.display();
    writeln!(out, "Written: {shown}")?;
    for secret in secrets {
        writeln!(out, "Written: {} (mode 0600)", secret.path.display())?;
    }
    writeln!(out, "\nNext:")?;
    let mut step = 0;
    let mut say = |text: String| {
        step += 1;
        writeln!(out, "  {step}. {text}")
    };
    for secret in secrets {
        if let Some(found) = secret.stands_in_for {
            let file = secret.path.display();
            say(format!("put the real secret into {file}: {found}. What is in it now fits nobody"))?;
        }
    }
    if draft.public_url.is_none() {
        say(format!("set public_url in {shown}"))?;
    }
    let name = draft.name();
    say(format!(
        "wabridge check --config '{shown}', as the user the daemon runs as, who must own these files"
    ))?;
    if let Some(crm) = draft.crm {
        let name = crm.about().slug;
        if logs_in(crm) {
            say(format!(
                "wabridge login {name} --config '{shown}', which says what to make a code with, and takes it"
            ))?;
        }
        say(format!(
            "wabridge target setup {name} --config '{shown}', which lists the fields that {} lacks; --apply makes them",
            crm.about().name
        ))?;
    }
    say(format!("wabridge serve --config '{shown}', or start the service"))?;
    say(format!(
        "wabridge connect {name} --config '{shown}', which says what to enter at {}",
        draft.about().name
    ))
}

/// A line for each of a CRM's limits.
fn quota(limits: &[Limit]) -> String {
    let line = |limit: &Limit| {
        let Limit { name, unit, size, window, .. } = limit;
        let window = match window.as_secs() {
            seconds @ 3600.. => format!("{} h", seconds / 3600),
            seconds => format!("{seconds} s"),
        };
        format!("# So many {unit} within {window}.\n# {name} = {size}\n")
    };
    limits.iter().map(line).chain(["\n".to_owned()]).collect()
}

/// What is written, and for whom.
struct Draft<'a> {
    provider: &'static dyn Provider,
    crm: Option<&'static dyn Crm>,
    folder: &'a Path,
    public_url: Option<&'a str>,
}

impl Draft<'_> {
    fn about(&self) -> &'static About {
        self.provider.about()
    }

    fn name(&self) -> &'static str {
        if self.about().scheme == Scheme::StandardWebhooks { "site" } else { "main" }
    }

    fn write(&self, store: &Path) -> Result<(String, Vec<NewSecret>), Failure> {
        let about = self.about();
        if about.scheme == Scheme::TwilioHmacSha1 && self.public_url.is_none() {
            let text = "Twilio signs the URL it posts to; say which: --public-url https://hooks.example.in";
            return Err(Failure::new(Exit::Usage, text));
        }
        let (proof, mut secrets) = self.proof()?;
        let (target, token) = self.target()?;
        secrets.extend(token);
        let slugs: Vec<&str> = PROVIDERS.iter().map(|provider| provider.about().slug).collect();
        let public_url = match self.public_url {
            Some(url) => format!("public_url = {}", quoted(url)),
            None => "# public_url = \"https://hooks.example.in\"".to_owned(),
        };
        let more = match about.scheme {
            Scheme::MetaHmacSha256 => {
                "# The ids in the dashboard's \"Test\", which prove the signature and make no lead.\n\
                 # sample_ids = [{ entry = \"0\", phone_number_id = \"123456123\" }]\n"
            }
            Scheme::SharedSecret => {
                "# A header that must be there as well, where the provider sends one.\n\
                 # header = { name = \"x-wabridge-token\", value = \"file:/path\" }\n"
            }
            _ => "",
        };
        let toml = TEMPLATE
            .replace("{public_url}", &public_url)
            .replace("\"sqlite:{store}\"", &quoted(&format!("sqlite:{}", store.display())))
            .replace("{name}", self.name())
            .replace("{providers}", &slugs.join(", "))
            .replace("{provider}", about.slug)
            .replace("{proof}\n", &proof)
            .replace("{more}\n", more)
            .replace("{target}\n", &target);
        Ok((toml, secrets))
    }

    /// The lines of a target, and the file of its token or its client's secret. Where no CRM is chosen they stand behind `#`.
    fn target(&self) -> Result<(String, Option<NewSecret>), Failure> {
        let Some(crm) = self.crm.or_else(|| CRMS.first().copied()) else {
            return Ok((String::new(), None));
        };
        let about = crm.about();
        let token = match self.crm {
            None => None,
            Some(_) => {
                let kind = if logs_in(crm) { "secret" } else { "token" };
                let path = self.folder.join(format!("{}.{kind}", about.slug));
                Some(NewSecret { path, value: token()?, stands_in_for: Some(issued(about.slug)) })
            }
        };
        let secret = token.as_ref().map_or_else(|| quoted("env:CRM_TOKEN"), reference);
        let auth = match self.crm {
            Some(crm) if logs_in(crm) => format!("{{ client_id = \"1000.ABC\", client_secret = {secret} }}"),
            _ => format!("{{ token = {secret} }}"),
        };
        let slugs: Vec<&str> = CRMS.iter().map(|crm| crm.about().slug).collect();
        let standard: Vec<String> =
            standard(about.slug, &[]).into_iter().map(|mapping| mapping.field).collect();
        let words = words(about.slug);
        let text = TARGET
            .replace("{auth}", &auth)
            .replace("{crms}", &slugs.join(", "))
            .replace("{crm}", about.slug)
            .replace("{person}", about.people.first().copied().unwrap_or("contact"))
            .replace("{channel}", self.name())
            .replace("{standard}", &standard.join(", "))
            .replace("{quota}\n", &quota(about.limits))
            .replace("{signals}", &SIGNALS.join(", "))
            .replace("{company}", words.company)
            .replace("{pipeline}", words.pipeline)
            .replace("{stage}", words.stage)
            .replace("{qualified}", words.qualified)
            .replace("{restricted}", words.restricted)
            .replace("{page}", if self.public_url.is_some() { "" } else { "# " });
        let hidden = |line: &str| match line {
            line if line.is_empty() || line.starts_with('#') => format!("{line}\n"),
            line => format!("# {line}\n"),
        };
        let text = if self.crm.is_some() { text } else { text.lines().map(hidden).collect() };
        Ok((text, token))
    }

    /// The lines that prove a sender, and the secrets they refer to.
    fn proof(&self) -> Result<(String, Vec<NewSecret>), Failure> {
        let about = self.about();
        let key = signing_key(about);
        let issued = guide(about.slug).map_or("the provider shows it", |guide| guide.secret);
        let signed = |value: String, stands_in_for| {
            let secret = self.secret(key, value, stands_in_for);
            let what =
                "Where the secrets are that prove the sender, the newest first; several during a rotation.";
            (format!("# {what}\n{key} = [{}]\n", reference(&secret)), vec![secret])
        };
        let (mut lines, mut secrets) = match about.scheme {
            Scheme::SharedSecret => (String::new(), Vec::new()),
            Scheme::StandardWebhooks => signed(format!("whsec_{}", BASE64.encode(&random()?)), None),
            Scheme::Dialog360HmacSha256 => {
                let secret = self.secret("header", token()?, None);
                let what = "A header that every webhook must carry. Partners sign instead: secrets = [\"file:/path\"]";
                let value = reference(&secret);
                let header = format!("header = {{ name = \"x-wabridge-token\", value = {value} }}");
                (format!("# {what}\n{header}\n"), vec![secret])
            }
            _ => signed(token()?, Some(issued)),
        };
        let mut also = |key, what: &str| -> Result<(), Failure> {
            let secret = self.secret(key, token()?, None);
            lines.push_str(&format!("# {what}\n{key} = {}\n", reference(&secret)));
            secrets.push(secret);
            Ok(())
        };
        match about.scheme {
            Scheme::MetaHmacSha256 => also("verify_token", "What Meta shows when it checks the URL.")?,
            Scheme::SharedSecret => {
                also(
                    "path_token",
                    "The last part of the URL, known to the provider alone: it signs nothing.",
                )?;
            }
            _ if !about.retries => {
                let what = "The last part of the URL. It sends once or twice: what has the right token and a wrong signature is kept aside.";
                also("path_token", what)?;
            }
            _ => {}
        }
        Ok((lines, secrets))
    }

    fn secret(&self, key: &str, value: String, stands_in_for: Option<&'static str>) -> NewSecret {
        let name = format!("{}.{}", self.name(), key.trim_end_matches('s'));
        NewSecret { path: self.folder.join(name), value, stands_in_for }
    }
}

/// What a new account of a CRM calls what the examples name.
struct Words {
    company: &'static str,
    pipeline: &'static str,
    stage: &'static str,
    qualified: &'static str,
    restricted: &'static str,
}

fn words(crm: &str) -> Words {
    match crm {
        "zoho" => Words {
            company: "Company",
            pipeline: "Standard (Standard)",
            stage: "Qualification",
            qualified: "Needs Analysis",
            restricted: "Negotiation/Review",
        },
        _ => Words {
            company: "company",
            pipeline: "default",
            stage: "appointmentscheduled",
            qualified: "qualifiedtobuy",
            restricted: "contractsent",
        },
    }
}

/// Whether its tokens expire, so that a person must log in once.
fn logs_in(crm: &dyn Crm) -> bool {
    crm.about().oauth.is_some_and(|oauth| !oauth.needs_redirect)
}

/// Where a CRM shows its token, and what it must be allowed to do.
fn issued(crm: &str) -> &'static str {
    match crm {
        "hubspot" => {
            "a service key or private app of HubSpot shows it; it may read and write contacts and deals \
             (crm.objects) and their properties (crm.schemas)"
        }
        "zoho" => "the secret of a self client of Zoho's API console; its id belongs into client_id",
        _ => "the CRM shows it to its administrators",
    }
}

fn reference(secret: &NewSecret) -> String {
    quoted(&format!("file:{}", secret.path.display()))
}

/// A text of TOML, whatever is in it: JSON escapes what TOML does.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn token() -> Result<String, Failure> {
    Ok(BASE64URL_NOPAD.encode(&random()?))
}

fn random() -> Result<[u8; 32], Failure> {
    let mut bytes = [0; 32];
    let nothing = |_| Failure::new(Exit::Unavailable, "the system gives no random bytes");
    getrandom::fill(&mut bytes).map_err(nothing)?;
    Ok(bytes)
}
