//! TLS to a real server: whoever is connected to has proven who it is.

use crate::support::postgres::{self, Cluster};
use crate::support::process::until;
use tempfile::TempDir;
use wabridge::store::StoreErrorKind;
use wabridge::store::postgres::{Options, PostgresStore};

/// An authority, a certificate of its for this machine, and an authority that has nothing to do with either.
const AUTHORITIES: &str = "
    key='-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes'
    openssl req -x509 $key -days 2 -subj /CN=one -keyout one.key -out one.crt
    openssl req -x509 $key -days 2 -subj /CN=other -keyout other.key -out other.crt
    openssl req $key -subj /CN=server -keyout server.key -out server.csr
    echo 'subjectAltName=IP:127.0.0.1,DNS:db.example' >server.ext
    openssl x509 -req -in server.csr -CA one.crt -CAkey one.key -CAcreateserial -days 2 -extfile server.ext -out server.crt
    chmod 600 server.key; chmod 755 .; chmod 644 one.crt other.crt
";

/// How many connections of a store there are, and whether any of them speaks plainly.
const SPOKEN: &str = "SELECT count(*) > 0, bool_or(ssl), bool_and(ssl) FROM pg_stat_ssl
     JOIN pg_stat_activity USING (pid) WHERE application_name = 'wabridge' AND datname = current_database()";

#[test]
fn a_server_proves_who_it_is_by_the_authority_that_is_named() {
    let (cluster, port) = Cluster::start_with_port();
    cluster.script(AUTHORITIES);
    let socket = cluster.make("proven");
    let folder = TempDir::new().unwrap();
    let open = |host: &str, mode: &str, ca: Option<&str>| {
        let url = format!("{host} port={port} user=wabridge dbname=proven {mode}");
        let ca = ca.map(|ca| cluster.folder.join(ca));
        PostgresStore::open(&Options { ca, ..Options::new(&url, folder.path()) })
    };
    let refused = |host: &str, mode: &str, ca: Option<&str>| match open(host, mode, ca) {
        Ok(_) => panic!("{host} {mode} {ca:?} is connected"),
        Err(error) => assert_eq!(error.kind, StoreErrorKind::Untrusted, "{host} {mode} {ca:?}: {error:?}"),
    };
    let (here, require, one) = ("host=127.0.0.1", "sslmode=require", Some("one.crt"));
    refused(here, require, one);
    drop(open(here, "", None).unwrap());

    let files = format!(
        "ALTER SYSTEM SET ssl_cert_file = '{0}/server.crt'; ALTER SYSTEM SET ssl_key_file = '{0}/server.key'",
        cluster.folder.display()
    );
    for sql in files.split("; ").chain(["ALTER SYSTEM SET ssl = on", "SELECT pg_reload_conf()"]) {
        postgres::run(&socket, sql);
    }
    until("TLS is on", || (postgres::ask(&socket, "SHOW ssl") == "on").then_some(()));

    for mode in [require, "sslmode=verify-full"] {
        let store = open(here, mode, one).unwrap();
        let spoken = || (postgres::ask(&socket, SPOKEN) == "t|t|t").then_some(());
        until("everything is said by TLS", spoken);
        drop(store);
    }
    refused(here, require, Some("other.crt"));
    refused(here, require, None);
    refused("host=elsewhere.example hostaddr=127.0.0.1", "", one);
    drop(open("host=db.example hostaddr=127.0.0.1", "", one).unwrap());
    // Where nothing is asked for, this very machine need not prove itself.
    let _plain = open(here, "", None).unwrap();
    until("it is said plainly", || (postgres::ask(&socket, SPOKEN) == "t|f|f").then_some(()));
}
