//! n8n: two tables and a workflow, put into its own database by its own commands.
//!
//! In: its folder. Out: a folder of data in which the workflow is published, made once and copied for each
//! start. It is measured as it ships; what `N8N_...` variables say in the environment holds here too.

use crate::install::{Installed, npm, run};
use crate::load::bodies::SECRET;
use crate::peer::{PATIENCE, free_address, status_of, told};
use crate::tree::Tree;
use rusqlite::{Connection, OpenFlags};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// n8n's program, from its folder.
const PROGRAM: &str = "node_modules/n8n/bin/n8n";
/// What has to be compiled here. The others' scripts are not run: n8n does without what they build.
const COMPILED: [&str; 2] = ["sqlite3", "isolated-vm"];
/// What runs the workflow that makes the tables.
const MAKE_TABLES: &[u8] = b"POST /hooks/tables HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n";
/// The workflows' ids, as their files have them.
const TABLES: &str = "peerstables00001";
const WEBHOOKS: &str = "peerswebhook0001";

/// Where its database is, below its data.
pub(crate) fn store(data: &Path) -> PathBuf {
    data.join(".n8n/database.sqlite")
}

/// Installs it, and makes the data that every start begins with.
pub(crate) fn install(installed: &Installed) -> Result<(), String> {
    // Its own dependencies are exact versions; a lock of them all is a megabyte.
    npm(installed, &["install", "--ignore-scripts", "--no-package-lock"])?;
    let mut compile = installed.command("npm");
    compile.arg("rebuild").args(COMPILED);
    if let Some(node) = installed.interpreter.ancestors().nth(2).filter(|it| it.join("include").is_dir()) {
        // The headers are beside the program: nothing has to be fetched.
        compile.env("npm_config_nodedir", node);
    }
    run(&mut compile, "compile its modules", &installed.folder)?;
    let data = template(installed);
    // One that was begun and not ended would be in the way.
    let _ = fs::remove_dir_all(&data);
    fs::create_dir_all(&data).map_err(told("make its data"))?;
    make_tables(installed, &data)?;
    let workflow =
        fs::read_to_string(installed.folder.join("webhooks.json")).map_err(told("read its workflow"))?;
    let mut workflow = workflow.replace("BENCH_SECRET", SECRET);
    let store = Connection::open_with_flags(store(&data), OpenFlags::SQLITE_OPEN_READ_ONLY)
        .map_err(told("open its database"))?;
    for table in ["events", "leads"] {
        workflow = workflow.replace(&format!("TABLE:{table}"), &table_id(&store, table)?);
    }
    drop(store);
    fs::write(data.join("webhooks.json"), workflow).map_err(told("write its workflow"))?;
    let input = format!("--input={}", data.join("webhooks.json").display());
    command(installed, &data, &["import:workflow", &input])?;
    command(installed, &data, &["publish:workflow", &format!("--id={WEBHOOKS}")])
}

/// Makes the tables by a workflow of their own: they can be made only while n8n serves.
fn make_tables(installed: &Installed, data: &Path) -> Result<(), String> {
    command(installed, data, &["import:workflow", "--input=tables.json"])?;
    command(installed, data, &["publish:workflow", &format!("--id={TABLES}")])?;
    let address = free_address();
    let mut serving = installed.command(&installed.interpreter);
    serve(&mut serving, installed, data, address.port())?;
    serving.stdout(Stdio::null()).stderr(Stdio::null());
    let serving = Tree::of(serving.spawn().map_err(told("start it"))?);
    let began = Instant::now();
    while status_of(address, MAKE_TABLES) != Some(200) {
        if began.elapsed() > PATIENCE {
            return Err("its tables cannot be made".to_owned());
        }
        std::thread::park_timeout(Duration::from_millis(200));
    }
    drop(serving);
    command(installed, data, &["unpublish:workflow", &format!("--id={TABLES}")])
}

/// Completes a command that serves the workflow over this data.
pub(crate) fn serve(
    command: &mut Command,
    installed: &Installed,
    data: &Path,
    port: u16,
) -> Result<(), String> {
    if !store(data).exists() {
        copy(&template(installed).join(".n8n"), &data.join(".n8n"))?;
    }
    environment(command, data);
    command.args([PROGRAM, "start"]).env("N8N_PORT", port.to_string()).env("N8N_ENDPOINT_WEBHOOK", "hooks");
    Ok(())
}

/// The statement that reads the ids of its events.
pub(crate) fn events(store: &Connection) -> Result<String, String> {
    Ok(format!("SELECT messageId FROM \"data_table_user_{}\"", table_id(store, "events")?))
}

fn table_id(store: &Connection, name: &str) -> Result<String, String> {
    let read = |row: &rusqlite::Row<'_>| row.get(0);
    store.query_row("SELECT id FROM data_table WHERE name = ?", [name], read).map_err(told("find its table"))
}

fn template(installed: &Installed) -> PathBuf {
    installed.folder.join("template")
}

fn command(installed: &Installed, data: &Path, arguments: &[&str]) -> Result<(), String> {
    let mut command = installed.command(&installed.interpreter);
    command.arg(PROGRAM).args(arguments);
    environment(&mut command, data);
    run(&mut command, &format!("n8n {}", arguments.join(" ")), &installed.folder)
}

/// Where its data is, that it calls nobody, and a port for its task runners that is free.
fn environment(command: &mut Command, data: &Path) {
    command.env("N8N_USER_FOLDER", data).env("N8N_RUNNERS_BROKER_PORT", free_address().port().to_string());
    command.env("N8N_LISTEN_ADDRESS", "127.0.0.1").env("N8N_DISABLE_UI", "true");
    for calls_home in ["DIAGNOSTICS", "VERSION_NOTIFICATIONS", "TEMPLATES", "PERSONALIZATION"] {
        command.env(format!("N8N_{calls_home}_ENABLED"), "false");
    }
}

fn copy(from: &Path, to: &Path) -> Result<(), String> {
    fs::create_dir_all(to).map_err(told("make its data"))?;
    for entry in fs::read_dir(from).map_err(told("read its data"))?.flatten() {
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            copy(&source, &target)?;
        } else {
            fs::copy(&source, &target).map_err(told("copy its data"))?;
        }
    }
    Ok(())
}
