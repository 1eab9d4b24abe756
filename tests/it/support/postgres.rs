//! A PostgreSQL cluster of a test's own, in a folder that goes when the test does.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Runs the server until the test's process is gone, and begins it again when it dies, as a service manager does.
/// `$1` is that process, `$2` the folder, `$3` where it listens, if anywhere but on a socket there, `$4` the port.
const RUN: &str = r#"
    cd "$2" || exit 1
    initdb -D data -A trust -U wabridge --no-sync --no-locale -E UTF8 >log 2>&1 || exit 1
    (while [ -e data ]; do
        postgres -D data -k "$2" -c "listen_addresses=$3" -c "port=$4" -c shared_buffers=32MB -c max_connections=60 \
            -c autovacuum_naptime=5s >>log 2>&1
    done) &
    tail --pid="$1" -f /dev/null
    mv data gone
    kill -QUIT "$(head -n 1 gone/postmaster.pid)"
    while [ -e gone/postmaster.pid ] && kill -0 "$(head -n 1 gone/postmaster.pid)" 2>/dev/null; do sleep 0.05; done
    rm -rf "$2"
"#;

/// A cluster that runs.
pub(crate) struct Cluster {
    pub(crate) folder: PathBuf,
    port: u16,
    _process: Child,
}

impl Cluster {
    /// A new one.
    pub(crate) fn start() -> Cluster {
        Cluster::start_at("", 5432)
    }

    /// A new one that listens on this machine too, and its port.
    pub(crate) fn start_with_port() -> (Cluster, u16) {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        (Cluster::start_at("127.0.0.1", port), port)
    }

    fn start_at(address: &str, port: u16) -> Cluster {
        let made = command("mktemp").args(["-d", "-p", "/tmp", "wabridge-postgres.XXXXXX"]).output().unwrap();
        assert!(made.status.success(), "a folder for PostgreSQL: {}", String::from_utf8_lossy(&made.stderr));
        let folder = PathBuf::from(String::from_utf8(made.stdout).unwrap().trim_end());
        let process = command("sh")
            .args(["-c", RUN, "sh", &std::process::id().to_string(), folder.to_str().unwrap()])
            .args([address, &port.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let cluster = Cluster { folder, port, _process: process };
        cluster.wait();
        cluster
    }

    /// Waits until it takes connections.
    pub(crate) fn wait(&self) {
        let deadline = Instant::now() + Duration::from_secs(60);
        let socket = self.folder.join(format!(".s.PGSQL.{}", self.port));
        let answers = || {
            let ready = self.at("pg_isready").arg("-q").status();
            socket.exists() && ready.is_ok_and(|status| status.success())
        };
        while !answers() {
            assert!(Instant::now() < deadline, "PostgreSQL: {}", self.log());
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }

    /// A command of PostgreSQL's for this cluster.
    fn at(&self, program: &str) -> Command {
        let mut command = command(program);
        command.arg("-h").arg(&self.folder).args(["-p", &self.port.to_string()]);
        command
    }

    /// Kills the server as if the machine's power were cut; it is begun again.
    pub(crate) fn kill(&self) {
        let pid = std::fs::read_to_string(self.folder.join("data/postmaster.pid")).unwrap();
        let pid = pid.lines().next().unwrap();
        let killed = command("kill").args(["-9", pid]).status().unwrap();
        assert!(killed.success());
        // Nothing of it answers any more once its processes have noticed.
        let is_gone = || !Path::new("/proc").join(pid).exists();
        crate::support::process::until("the server is gone", || is_gone().then_some(()));
    }

    /// Runs a script as whom the server runs as, in its folder.
    pub(crate) fn script(&self, script: &str) {
        let done = command("sh").args(["-ec", script]).current_dir(&self.folder).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    /// What the server said.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// Makes a database. Its address.
    pub(crate) fn make(&self, name: &str) -> String {
        let made = self.at("createdb").args(["-U", "wabridge", name]).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        self.url(name)
    }

    /// The address of a database.
    pub(crate) fn url(&self, name: &str) -> String {
        let folder = self.folder.display().to_string().replace('/', "%2F");
        format!("postgres://wabridge@{folder}:{}/{name}", self.port)
    }
}

/// A command of PostgreSQL's, as somebody whom it lets: it refuses to run as root.
fn command(program: &str) -> Command {
    let is_root = rustix::process::geteuid().is_root();
    let mut command = match is_root {
        true => {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", program]);
            command
        }
        false => Command::new(program),
    };
    command.env("PATH", path()).current_dir("/tmp");
    command
}

/// Debian keeps the servers of every version in a folder of its own.
fn path() -> String {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    folders.sort();
    let found = folders.iter().rev().map(|folder| folder.display().to_string());
    found.chain(std::env::var("PATH")).collect::<Vec<_>>().join(":")
}

/// The database that stands for a path, in the process's one cluster: whoever opens the path again finds what was there.
pub(crate) fn of(path: &Path) -> String {
    static CLUSTER: LazyLock<Cluster> = LazyLock::new(Cluster::start);
    static DATABASES: Mutex<BTreeMap<PathBuf, String>> = Mutex::new(BTreeMap::new());
    let mut databases = DATABASES.lock().unwrap_or_else(PoisonError::into_inner);
    let name = format!("store_{}", databases.len());
    databases.entry(path.to_owned()).or_insert_with(|| CLUSTER.make(&name)).clone()
}

/// The rows that a query gives, each as a text.
pub(crate) fn rows(url: &str, sql: &str) -> Vec<String> {
    let said = command("psql").args(["-qAt", "-v", "ON_ERROR_STOP=1", "-c", sql, url]).output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    String::from_utf8(said.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// The one thing that a query gives.
pub(crate) fn ask(url: &str, sql: &str) -> String {
    rows(url, sql).join("\n")
}

/// Runs a statement beside whoever uses a database.
pub(crate) fn run(url: &str, sql: &str) {
    rows(url, sql);
}

/// Somebody who is connected beside whoever uses a database, and holds what a statement took. Dropping it ends that.
pub(crate) struct Held(Child);

impl Drop for Held {
    fn drop(&mut self) {
        // One that is gone needs no end.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a statement that gives a row, and stays connected.
pub(crate) fn hold(url: &str, sql: &str) -> Held {
    let mut psql = command("psql")
        .args(["-qAt", "-v", "ON_ERROR_STOP=1", url])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    psql.stdin.as_mut().unwrap().write_all(format!("{sql};\n").as_bytes()).unwrap();
    let mut row = String::new();
    BufReader::new(psql.stdout.as_mut().unwrap()).read_line(&mut row).unwrap();
    assert!(row.ends_with('\n'), "it was refused");
    Held(psql)
}
