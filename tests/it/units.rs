//! The units and the Debian package: what systemd thinks of them, and what they agree on with the daemon.

use crate::command::{Ended, ended};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;
use wabridge::config::Server;
use wabridge::exit::Exit;

fn project(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn unit(name: &str) -> String {
    fs::read_to_string(project("systemd").join(name)).unwrap()
}

/// The values of a key of a unit, in their order.
fn values<'u>(unit: &'u str, key: &str) -> Vec<&'u str> {
    unit.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('=')).collect()
}

fn run(program: &str, arguments: &[&str], folder: &Path) -> Ended {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder);
    ended(command, b"")
}

/// The units in a folder of their own, where the daemon's binary is one that this machine has.
fn installed() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["wabridge.service", "wabridge.socket", "wabridge@.service", "wabridge@.socket"] {
        fs::write(folder.path().join(name), unit(name).replace("/usr/bin/wabridge ", "/bin/true ")).unwrap();
    }
    folder
}

#[test]
fn systemd_finds_no_mistake_in_the_units() {
    let folder = installed();
    for name in ["wabridge.service", "wabridge.socket", "wabridge@acme.service", "wabridge@acme.socket"] {
        let name = format!("./{name}");
        let verified = run("systemd-analyze", &["verify", &name], folder.path());
        assert_eq!((verified.code, verified.err.as_str()), (0, ""), "{name}: {}", verified.out);
    }
    let broken = unit("wabridge.service").replace("Type=notify", "Typ=notify");
    fs::write(folder.path().join("wabridge.service"), broken.replace("/usr/bin/wabridge", "/bin/none"))
        .unwrap();
    let verified = run("systemd-analyze", &["verify", "./wabridge.service"], folder.path());
    assert!(verified.code != 0 && verified.err.contains("Typ"), "the check finds nothing: {}", verified.err);
}

#[test]
fn the_services_are_exposed_to_little() {
    let folder = installed();
    for name in ["wabridge.service", "wabridge@.service"] {
        let arguments = ["security", "--offline=yes", "--threshold=15", &format!("./{name}")];
        let judged = run("systemd-analyze", &arguments, folder.path());
        assert_eq!(judged.code, 0, "{name}: {}{}", judged.out, judged.err);
    }
}

#[test]
fn a_brand_runs_as_fenced_in_as_a_lone_daemon() {
    let fence = |name: &str| unit(name).split_once("UMask").unwrap().1.replace("@%i", "");
    assert_eq!(fence("wabridge.service"), fence("wabridge@.service"));
    assert!(fence("wabridge.service").contains("ProtectSystem=strict"));
    for key in ["ExecStart", "ConditionPathExists", "StateDirectory", "RuntimeDirectory", "WorkingDirectory"]
    {
        let values = values(&unit("wabridge@.service"), key).join(" ");
        assert!(values.contains("%i"), "{key}={values} is shared by all brands");
    }
}

#[test]
fn the_units_know_what_the_daemon_needs() {
    let service = unit("wabridge.service");
    let codes = values(&service, "RestartPreventExitStatus")[0].split(' ').map(|code| code.parse().unwrap());
    let hopeless = [Exit::Usage, Exit::Permission, Exit::Config].map(Exit::code);
    assert_eq!(codes.collect::<BTreeSet<u8>>(), hopeless.into(), "restarting does not mend these");
    let files: usize = values(&service, "LimitNOFILE")[0].parse().unwrap();
    let server = Server::default();
    assert!(files >= 2 * server.max_connections, "each connection costs two descriptors");
    assert_eq!(values(&service, "Type"), ["notify"]);
    assert!(values(&service, "ExecReload")[0].contains("-HUP"));
    assert_eq!(values(&unit("wabridge.socket"), "ListenStream"), [server.listen.to_string()]);
    for unit in [service, unit("wabridge.socket")] {
        let condition = values(&unit, "ConditionPathExists").join("");
        assert_eq!(
            condition, "/etc/wabridge/wabridge.toml",
            "nothing starts before there is a configuration"
        );
    }
}

#[test]
fn the_user_and_the_folders_are_made_closed_to_others() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("etc")).unwrap();
    let at = format!("--root={}", root.path().display());
    let made = |program: &str, arguments: &[&str]| {
        let made = run(program, arguments, root.path());
        assert_eq!(made.code, 0, "{program}: {}", made.err);
    };
    made("systemd-sysusers", &[&at, &project("systemd/wabridge.sysusers").display().to_string()]);
    let users = fs::read_to_string(root.path().join("etc/passwd")).unwrap();
    assert!(users.contains("wabridge:") && users.contains("/usr/sbin/nologin"), "{users}");
    let folders = unit("wabridge.tmpfiles");
    let folders: Vec<_> = folders.lines().filter(|line| !line.starts_with('#')).collect();
    for line in &folders {
        let [kind, path, mode, ..] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        assert_eq!(kind, "d", "{line}");
        assert!(path.contains("/wabridge") && mode.ends_with('0'), "open to others: {line}");
    }
    assert_eq!(folders.len(), 2);
}

#[test]
fn the_package_holds_binary_units_and_pages_and_starts_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().display().to_string();
    let script = project("packaging/deb.sh").display().to_string();
    // Any binary will do: what is packed is not run.
    let built = run(&script, &["/bin/true", "9.8.7", &out], folder.path());
    assert_eq!(built.code, 0, "{}", built.err);
    let package = built.out.trim();
    let list = run("dpkg-deb", &["-c", package], folder.path()).out;
    for (mode, path) in [
        ("-rwxr-xr-x root/root", "./usr/bin/wabridge"),
        ("-rw-r--r-- root/root", "./usr/lib/systemd/system/wabridge.service"),
        ("-rw-r--r-- root/root", "./usr/lib/systemd/system/wabridge.socket"),
        ("-rw-r--r-- root/root", "./usr/lib/systemd/system/wabridge@.service"),
        ("-rw-r--r-- root/root", "./usr/lib/systemd/system/wabridge@.socket"),
        ("-rw-r--r-- root/root", "./usr/lib/sysusers.d/wabridge.conf"),
        ("-rw-r--r-- root/root", "./usr/lib/tmpfiles.d/wabridge.conf"),
        ("-rw-r--r-- root/root", "./usr/share/doc/wabridge/copyright"),
        ("-rw-r--r-- root/root", "./usr/share/doc/wabridge/install.md"),
    ] {
        let found = list.lines().any(|line| line.starts_with(mode) && line.ends_with(&format!(" {path}")));
        assert!(found, "{path} is not there as {mode}:\n{list}");
    }
    assert!(!list.contains("./etc"), "what the operator writes is never overwritten:\n{list}");
    let control = run("dpkg-deb", &["-f", package], folder.path()).out;
    assert!(control.contains("Version: 9.8.7") && control.contains("Depends: libc6 (>= 2."), "{control}");
    let script = run("dpkg-deb", &["-I", package, "postinst"], folder.path()).out;
    assert!(script.contains("systemd-sysusers") && script.contains("systemd-tmpfiles --create"), "{script}");
    assert!(script.contains("daemon-reload") && script.contains("try-restart"), "{script}");
    for word in ["systemctl start", "systemctl restart", "enable"] {
        assert!(!script.contains(word), "it starts by itself: {script}");
    }
}
