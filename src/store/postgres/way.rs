//! The way to the server: what a connection is made with, who the server must prove to be, and how long is waited for one
//! that is not there.
//!
//! In: an address, and perhaps the file of an authority. Out: a client, and what does the work of its socket.
//!
//! `sslmode` is that of the address: `disable`, `prefer` (where it says nothing) or `require`. Wherever TLS is spoken the
//! certificate is verified, with its name, unlike by libpq: `verify-ca` and `verify-full` are `require`. A socket in the file
//! system needs none, nor does this very machine under `prefer`: there, Debian's own certificate proves nothing to anybody.

use super::Options;
use super::connection::failed;
use crate::config::address;
use crate::store::{StoreError, StoreErrorKind};
use futures_util::stream::{Stream, StreamExt, poll_fn};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use secrecy::ExposeSecret;
use std::net::IpAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{AsyncMessage, Client, Config, Connection, Error, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

/// To be connected.
const CONNECT: Duration = Duration::from_secs(5);
/// To be connected and let in.
const LET_IN: Duration = Duration::from_secs(10);
/// A server that is gone without a word: what was sent and is not received for so long is lost, and the connection with it.
const LOST: Duration = Duration::from_secs(20);
/// Where nothing is sent, it is asked this often whether it is there.
const ALIVE: Duration = Duration::from_secs(15);

const DOING: &str = "connect to the store";

/// What does the work of a connection's socket, for as long as it is polled.
pub(super) type Driver = Pin<Box<dyn Stream<Item = Result<AsyncMessage, Error>> + Send>>;

/// The way to a server.
#[derive(Clone)]
pub(super) struct Way {
    config: Config,
    /// Where the address is not of this machine.
    tls: Option<MakeRustlsConnect>,
}

impl Way {
    /// # Errors
    /// When the address or the file of the authority cannot be read.
    pub(super) fn to(options: &Options) -> Result<Way, StoreError> {
        // The source is dropped: it may quote the address, and with it the password.
        let mut config: Config = address(&options.url)
            .map_err(|_| StoreError::new(StoreErrorKind::Other, "read the store's address"))?;
        if let Some(password) = &options.password {
            config.password(password.expose_secret());
        }
        if let Some(schema) = &options.schema {
            let before = config.get_options().unwrap_or_default();
            let all = format!("{before} -c search_path={schema}");
            config.options(all.trim_start());
        }
        config
            .connect_timeout(CONNECT)
            .tcp_user_timeout(LOST)
            .keepalives_idle(ALIVE)
            .application_name("wabridge");
        if !speaks_tls(&config) {
            config.ssl_mode(SslMode::Disable);
            return Ok(Way { config, tls: None });
        }
        Ok(Way { config, tls: Some(MakeRustlsConnect::new(client(roots(options.ca.as_deref())?)?)) })
    }

    /// Connects. Within the runtime that does the work of the sockets.
    ///
    /// # Errors
    /// [`StoreErrorKind::Busy`] when the server is away, [`StoreErrorKind::Untrusted`] when it does not prove who it is, or
    /// whatever it says.
    pub(super) async fn connect(&self) -> Result<(Client, Driver), StoreError> {
        let connect = async {
            match &self.tls {
                Some(tls) => self.config.connect(tls.clone()).await.map(|(it, its)| (it, driver(its))),
                None => self.config.connect(NoTls).await.map(|(it, its)| (it, driver(its))),
            }
        };
        match timeout(LET_IN, connect).await {
            Ok(Err(error)) if is_untrusted(&error) => Err(StoreError::new(StoreErrorKind::Untrusted, DOING)),
            Ok(connected) => connected.map_err(failed(DOING)),
            Err(_) => Err(StoreError::new(StoreErrorKind::Busy, DOING)),
        }
    }
}

/// Whether TLS is spoken, if the server can.
fn speaks_tls(config: &Config) -> bool {
    let hosts = config.get_hosts();
    let is_socket = |host: &Host| matches!(host, Host::Unix(_));
    let is_here = |host: &Host| match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => name == "localhost" || name.parse().is_ok_and(|ip: IpAddr| ip.is_loopback()),
    };
    match config.get_ssl_mode() {
        SslMode::Disable => false,
        SslMode::Prefer => !hosts.iter().all(is_here),
        _ => !hosts.iter().all(is_socket),
    }
}

/// The authorities that are trusted.
fn roots(ca: Option<&Path>) -> Result<RootCertStore, StoreError> {
    let doing = "read whom to trust";
    let mut roots = RootCertStore::empty();
    match ca {
        Some(file) => {
            let unreadable = |error| StoreError::with(StoreErrorKind::Other, doing, error);
            for certificate in CertificateDer::pem_file_iter(file).map_err(unreadable)? {
                let added = roots.add(certificate.map_err(unreadable)?);
                added.map_err(|error| StoreError::with(StoreErrorKind::Other, doing, error))?;
            }
        }
        None => {
            // What the system has and cannot be read is not trusted.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    if roots.is_empty() { Err(StoreError::new(StoreErrorKind::Untrusted, doing)) } else { Ok(roots) }
}

fn client(roots: RootCertStore) -> Result<ClientConfig, StoreError> {
    let mut client = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| StoreError::with(StoreErrorKind::Other, "set TLS up", error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    // Where TLS is spoken from the first byte on (`sslnegotiation=direct`), the server asks for it.
    client.alpn_protocols = vec![b"postgresql".to_vec()];
    Ok(client)
}

/// Whether the server speaks no TLS, or does not prove who it is. A connection that is lost meanwhile says neither.
fn is_untrusted(error: &Error) -> bool {
    let mut causes = std::iter::successors(std::error::Error::source(error), |error| error.source());
    let of_io = causes.find_map(|cause| cause.downcast_ref::<std::io::Error>());
    match of_io {
        Some(io) => io.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()),
        None => error.code().is_none() && error.to_string().contains("TLS"),
    }
}

fn driver<S, T>(mut connection: Connection<S, T>) -> Driver
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    Box::pin(poll_fn(move |context| connection.poll_message(context)))
}

/// Does the work of a socket until it is closed. How it ended is told to whoever waits for an answer.
pub(super) async fn drive(mut driver: Driver) {
    while let Some(Ok(_)) = driver.next().await {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_is_spoken_with_whoever_is_elsewhere_and_wherever_it_is_asked_for() {
        let speaks = |url: &str| speaks_tls(&address(url).unwrap());
        for url in ["postgres:///d?host=/run", "host=/run sslmode=require", "host=db sslmode=disable"] {
            assert!(!speaks(url), "{url}");
        }
        for here in ["localhost", "127.0.0.1", "[::1]"] {
            assert!(!speaks(&format!("postgres://u@{here}/d")), "{here}");
            assert!(speaks(&format!("postgres://u@{here}/d?sslmode=require")), "{here}");
        }
        for url in [
            "postgres://u@db/d",
            "host=db,localhost",
            "postgres://db/d?connect_timeout=1&sslmode=verify-full",
        ] {
            assert!(speaks(url), "{url}");
        }
        assert!(speaks("host=localhost sslmode=verify-ca"));
    }

    #[test]
    fn an_address_that_cannot_be_read_is_not_quoted() {
        let Err(error) = Way::to(&Options::new("postgres://u:s3cret@h/d?what=ever", Path::new(""))) else {
            panic!("it was read")
        };
        let told = format!("{error} {error:?} {:?}", std::error::Error::source(&error));
        assert!(!told.contains("s3cret"), "{told}");
    }

    #[test]
    fn an_authority_that_is_none_is_refused() {
        let folder = tempfile::TempDir::new().unwrap();
        let file = folder.path().join("ca.pem");
        let options = Options { ca: Some(file.clone()), ..Options::new("host=db", folder.path()) };
        assert!(Way::to(&options).is_err(), "there is none");
        std::fs::write(&file, "nothing").unwrap();
        let empty = Way::to(&options).map(drop).unwrap_err();
        assert_eq!(empty.kind, StoreErrorKind::Untrusted);
    }
}
