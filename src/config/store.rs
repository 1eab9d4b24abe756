//! `[store]`: where everything is kept.

use super::channel::reference;
use super::document::{Found, Table};
use super::secret::{SecretError, SecretReference};
use secrecy::SecretString;
use std::fmt;
use std::path::{Path, PathBuf};

const SQLITE: &str = "sqlite:/var/lib/wabridge/wabridge.db";
const POSTGRES: &str = "postgres://wabridge@db.internal/wabridge?sslmode=require";
const FOLDER: &str = "/var/lib/wabridge";

/// Where everything is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Store {
    /// One SQLite file, in a folder of ours.
    Sqlite(PathBuf),
    /// A PostgreSQL database, which any number of replicas share.
    Postgres(Box<Postgres>),
}

/// A PostgreSQL database.
#[derive(Debug, Clone)]
pub struct Postgres {
    /// Where it is: `postgres://user@host/database`, without a password.
    pub url: String,
    /// Where the password is; a server may ask for none.
    pub password: Option<SecretReference>,
    /// The certificate that the server's is signed with, where it is not one that the system knows.
    pub ca: Option<PathBuf>,
    /// The schema that the tables are in, where it is not the user's own.
    pub schema: Option<String>,
    /// The folder of what concerns this machine alone.
    pub folder: PathBuf,
}

impl PartialEq for Postgres {
    fn eq(&self, other: &Postgres) -> bool {
        let reference = |it: &Postgres| it.password.as_ref().map(ToString::to_string);
        let rest = |it: &Postgres| (it.url.clone(), it.ca.clone(), it.schema.clone(), it.folder.clone());
        rest(self) == rest(other) && reference(self) == reference(other)
    }
}

impl Eq for Postgres {}

impl Postgres {
    /// The password, where there is one.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn resolve_password(&self) -> Result<Option<SecretString>, SecretError> {
        let Some(reference) = &self.password else { return Ok(None) };
        let wrong = |fault| SecretError {
            owner: "[store]".to_owned(),
            key: "password".to_owned(),
            reference: reference.to_string(),
            fault,
        };
        reference.resolve().map(Some).map_err(wrong)
    }
}

impl Default for Store {
    fn default() -> Store {
        Store::new(format!("{FOLDER}/wabridge.db"))
    }
}

/// Where it is, as errors and the start line say it.
impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Store::Sqlite(path) => write!(f, "{}", path.display()),
            Store::Postgres(postgres) => {
                // What follows the question mark says how to connect, not where.
                write!(f, "{}", postgres.url.split('?').next().unwrap_or_default())?;
                postgres.schema.iter().try_for_each(|schema| write!(f, " (schema {schema})"))
            }
        }
    }
}

impl Store {
    /// The store in this SQLite file.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Store {
        Store::Sqlite(path.into())
    }

    /// Whether a URL is that of a server.
    #[must_use]
    pub fn is_server(url: &str) -> bool {
        url.starts_with("postgres:") || url.starts_with("postgresql:")
    }

    /// The SQLite file, where it is one.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match self {
            Store::Sqlite(path) => Some(path),
            Store::Postgres(_) => None,
        }
    }

    /// The folder it lies in, which SQLite must be able to write as well: the log lies beside the file. With PostgreSQL,
    /// that of what concerns this machine alone.
    #[must_use]
    pub fn folder(&self) -> &Path {
        match self {
            Store::Sqlite(path) => path.parent().unwrap_or(Path::new("/")),
            Store::Postgres(postgres) => &postgres.folder,
        }
    }

    /// A file that belongs to the store and lies on this machine: `wabridge.db.key`, `wabridge.key`.
    #[must_use]
    pub fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = match self {
            Store::Sqlite(path) => path.clone(),
            Store::Postgres(postgres) => postgres.folder.join("wabridge"),
        }
        .into_os_string();
        name.push(suffix);
        PathBuf::from(name)
    }

    /// The store at a URL, where it is not read from the configuration: as `url` in `[store]`, with what stands beside it
    /// there. `reach` is for a server alone.
    ///
    /// # Errors
    /// What is wrong, without the URL.
    pub fn at(url: &str, reach: Reach) -> Result<Store, &'static str> {
        if !Store::is_server(url) {
            return sqlite_path(url).map(Store::Sqlite);
        }
        let Reach { password, ca, schema } = reach;
        if schema.as_deref().is_some_and(|name| !is_schema(name)) {
            return Err("a schema is a name of small letters, digits and _, at most 63");
        }
        let folder = PathBuf::from(FOLDER);
        postgres_url(url).map(|url| Store::Postgres(Box::new(Postgres { url, password, ca, schema, folder })))
    }

    pub(super) fn read(mut table: Table<'_, '_>) -> Store {
        let url = table.string("url");
        let server = Server::read(&mut table);
        let store = url.and_then(|Found { value, at }| {
            let wrong = |fault: &str| {
                let way_out = format!("write url = \"{SQLITE}\", or url = \"{POSTGRES}\"");
                table.problem_at(at, format!("'url' in [store]: {fault}; {way_out}"));
            };
            if Store::is_server(value) {
                return postgres_url(value).map_err(wrong).ok().map(|url| server.at(url));
            }
            server.refuse(&table);
            sqlite_path(value).map_err(wrong).ok().map(Store::Sqlite)
        });
        table.finish(&[]);
        store.unwrap_or_default()
    }
}

/// What is needed to reach a server beside its URL; see [`Postgres`].
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "the keys of the configuration")]
pub struct Reach {
    pub password: Option<SecretReference>,
    pub ca: Option<PathBuf>,
    pub schema: Option<String>,
}

/// What is said of a server beside its address.
struct Server {
    password: Option<SecretReference>,
    ca: Option<PathBuf>,
    schema: Option<String>,
    folder: Option<PathBuf>,
    /// The first of these keys, if there is any.
    first: Option<&'static str>,
}

impl Server {
    fn read(table: &mut Table<'_, '_>) -> Server {
        let first = ["password", "ca", "schema", "folder"].into_iter().find(|key| table.has(key));
        let password = table.string("password").and_then(|found| reference(table, "password", found));
        let ca = path(table, "ca", "/etc/wabridge/ca.pem");
        let folder = path(table, "folder", FOLDER);
        let schema = table.string("schema").filter(|Found { value, at }| {
            if !is_schema(value) {
                let form = "is a name of small letters, digits and _, at most 63";
                table.problem_at(*at, format!("'schema' in [store] {form}; write schema = \"brand_a\""));
            }
            is_schema(value)
        });
        let schema = schema.map(|found| found.value.to_owned());
        Server { password, ca, schema, folder, first }
    }

    fn at(self, url: String) -> Store {
        let Server { password, ca, schema, folder, first: _ } = self;
        let folder = folder.unwrap_or_else(|| PathBuf::from(FOLDER));
        Store::Postgres(Box::new(Postgres { url, password, ca, schema, folder }))
    }

    /// A file has none of this.
    fn refuse(&self, table: &Table<'_, '_>) {
        if let Some(key) = self.first {
            let text = format!("'{key}' in [store] is for a postgres:// url alone; leave it out");
            table.problem(text);
        }
    }
}

fn path(table: &mut Table<'_, '_>, key: &'static str, example: &str) -> Option<PathBuf> {
    let Found { value, at } = table.string(key)?;
    if !value.starts_with('/') {
        table.problem_at(
            at,
            format!("'{key}' in [store] must be an absolute path; write {key} = \"{example}\""),
        );
        return None;
    }
    Some(PathBuf::from(value))
}

/// Whether this may be a schema's name without quotes.
fn is_schema(name: &str) -> bool {
    let is_letter = |character: char| character.is_ascii_lowercase() || character == '_';
    name.starts_with(is_letter)
        && name.len() <= 63
        && name.chars().all(|character| is_letter(character) || character.is_ascii_digit())
}

/// How a PostgreSQL server is reached, as its address says.
///
/// # Errors
/// When it is none. What is wrong would quote it, and with it a password.
pub fn address(url: &str) -> Result<tokio_postgres::Config, tokio_postgres::Error> {
    // In words that the client knows: it verifies the certificate and its name wherever it speaks TLS.
    let mut url = url.to_owned();
    for before in ["?", "&", " "] {
        for mode in ["verify-full", "verify-ca"] {
            url = url.replace(&format!("{before}sslmode={mode}"), &format!("{before}sslmode=require"));
        }
    }
    url.parse()
}

/// A `postgres:` URL with nothing in it that is to be kept from anybody. The URL itself is never repeated.
fn postgres_url(url: &str) -> Result<String, &'static str> {
    let config = address(url).map_err(|_| "it is no address of a PostgreSQL database")?;
    if config.get_password().is_some() {
        return Err(
            "a password is never in the configuration: name where it is, password = \"credential:postgres\"",
        );
    }
    if config.get_dbname().is_none() {
        return Err("it names no database");
    }
    Ok(url.to_owned())
}

/// The path of a `sqlite:` URL.
fn sqlite_path(url: &str) -> Result<PathBuf, &'static str> {
    let path = url.strip_prefix("sqlite:").ok_or("it must begin with sqlite:/ or postgres://")?;
    // `sqlite:///path` is the same file with an empty host; `sqlite://path` would make a host of a folder.
    let path = path.strip_prefix("//").filter(|rest| rest.starts_with('/')).unwrap_or(path);
    if !path.starts_with('/') || path.starts_with("//") {
        return Err("the path must be absolute, since a daemon has no folder of its own to start from");
    }
    if path.ends_with('/') {
        return Err("it names a folder, not a file");
    }
    Ok(PathBuf::from(path))
}
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_usual_spellings_name_the_same_file() {
        assert_eq!(sqlite_path("sqlite:/a/b.db"), Ok(PathBuf::from("/a/b.db")));
        assert_eq!(sqlite_path("sqlite:///a/b.db"), Ok(PathBuf::from("/a/b.db")));
    }

    #[test]
    fn a_server_is_named_without_what_is_nobodys_business() {
        let url = "postgres://wabridge@db.internal/wabridge?sslmode=require".to_owned();
        let password = Some(SecretReference::Environment("PASSWORD".to_owned()));
        let server =
            Server { password, ca: None, schema: Some("brand_a".to_owned()), folder: None, first: None };
        let store = server.at(url);
        assert_eq!(store.to_string(), "postgres://wabridge@db.internal/wabridge (schema brand_a)");
        assert_eq!(store.beside(".key"), Path::new("/var/lib/wabridge/wabridge.key"));
        assert_eq!(Store::new("/a/b.db").beside(".key"), Path::new("/a/b.db.key"));
    }

    #[test]
    fn a_path_that_depends_on_where_the_daemon_starts_is_refused() {
        for url in ["sqlite:b.db", "sqlite://a/b.db", "sqlite:", "sqlite:/a/", "sqlite:////a", "/a/b.db"] {
            assert!(sqlite_path(url).is_err(), "{url}");
        }
    }
}
