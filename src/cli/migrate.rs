//! `wabridge migrate-store`: a store from one database to another, either way, while requests are acknowledged.

use super::failure::Failure;
use super::reading::{exists, failed, now};
use crate::config::{Reach, SecretReference, Store};
use crate::exit::Exit;
use crate::store::migrate::{Finished, MigrateError, Migration, Report, Side, Step};
use std::io::Write;
use std::path::PathBuf;

/// Move a store to another database, SQLite or PostgreSQL, while requests are acknowledged
///
/// Without --finish it copies beside the running daemon, as often as you like; killed, it is run again and goes on. A daemon
/// that is started on the unfinished copy in PostgreSQL acknowledges, and does nothing else. With --finish, once the old
/// daemon is stopped, it copies the rest, compares both sides, marks the old store as moved and makes a whole store of the
/// copy. Exits 1 on a difference, and the copy stays unfinished; 65 where the target holds data of its own; 75 while a daemon
/// has the old store.
#[derive(Debug, clap::Args)]
pub(super) struct MigrateStore {
    /// The store as it is: sqlite:/path/wabridge.db or postgres://user@host/database
    #[arg(long, value_name = "URL")]
    from: String,
    /// Where it is to be: a file that is not there, or an empty database
    #[arg(long, value_name = "URL")]
    to: String,
    /// Copy what is left, compare, and move: the daemon of the old store must be stopped
    #[arg(long)]
    finish: bool,
    /// Where the password of the server is: env:NAME, file:/path or credential:name; otherwise that in PGPASSWORD
    #[arg(long, value_name = "REFERENCE", value_parser = SecretReference::parse)]
    password: Option<SecretReference>,
    /// The schema in that database, where it is not the user's own
    #[arg(long, value_name = "NAME")]
    schema: Option<String>,
    /// The certificate that the server's is signed with, where it is not one that the system knows
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
}

impl MigrateStore {
    pub(super) fn run(self, out: &mut impl Write) -> Result<Exit, Failure> {
        let (from, to) = self.places()?;
        exists(&from)?;
        let refused = |error| refused(error, &from, &to);
        let mut migration = Migration::open(&from, &to).map_err(refused)?;
        let mut told = Told { out, table: "", rows: 0 };
        let done = match self.finish {
            true => migration.finish(now().as_millisecond(), &mut |step| told.tell(step)).map(Some),
            false => match migration.copy(now().as_millisecond(), &mut |step| told.tell(step)) {
                Ok(true) => Ok(None),
                Ok(false) => Ok(Some(Finished::Before)),
                Err(error) => Err(error),
            },
        };
        told.end();
        match done.map_err(refused)? {
            None => next(&from, &to, out),
            Some(Finished::Before) => {
                writeln!(out, "{from} was moved to {to} before; there is nothing left to do.")?;
                Ok(Exit::Success)
            }
            Some(Finished::Now(report)) => finished(&report, &from, &to, out),
        }
    }

    /// Both stores. What is said of a server is said of the target, where both are on one.
    fn places(&self) -> Result<(Store, Store), Failure> {
        let given =
            Reach { password: self.password.clone(), ca: self.ca.clone(), schema: self.schema.clone() };
        let is_server = Store::is_server;
        let said = given.password.is_some() || given.ca.is_some() || given.schema.is_some();
        if said && !is_server(&self.to) && !is_server(&self.from) {
            let text = "--password, --schema and --ca are for a postgres:// URL; leave them out";
            return Err(Failure::new(Exit::Usage, text));
        }
        let (of_from, of_to) = match is_server(&self.to) {
            true => (Reach::default(), given),
            false => (given, Reach::default()),
        };
        Ok((place("--from", &self.from, of_from)?, place("--to", &self.to, of_to)?))
    }
}

fn place(argument: &str, url: &str, reach: Reach) -> Result<Store, Failure> {
    const PASSWORD: &str = "PGPASSWORD";
    let in_environment =
        || std::env::var_os(PASSWORD).map(|_| SecretReference::Environment(PASSWORD.to_owned()));
    let password = reach.password.or_else(in_environment);
    // The URL is not repeated: there may be a password in it after all.
    Store::at(url, Reach { password, ..reach })
        .map_err(|fault| Failure::new(Exit::Usage, format!("{argument}: {}", without_key(fault))))
}

/// What is wrong, in the words of a command line.
fn without_key(fault: &'static str) -> &'static str {
    match fault.starts_with("a password is never") {
        true => {
            "a password is never in a URL: name where it is, --password file:/path, or put it into PGPASSWORD"
        }
        false => fault,
    }
}

fn refused(error: MigrateError, from: &Store, to: &Store) -> Failure {
    let exit = match error {
        MigrateError::Store { side: Side::From, error } => return failed(from, error),
        MigrateError::Store { side: Side::To, error } => return failed(to, error),
        MigrateError::Same | MigrateError::NotBegun => Exit::Usage,
        MigrateError::OtherVersion => Exit::Config,
        MigrateError::Taken | MigrateError::OfAnother | MigrateError::Overtaken => Exit::Data,
        MigrateError::Stopped => Exit::Temporary,
    };
    let place = if matches!(error, MigrateError::OtherVersion) { from } else { to };
    let context = format!("the store {place}");
    Failure::of(exit, anyhow::Error::from(error).context(context))
}

/// A line for each table that was worked on.
struct Told<'o, W> {
    out: &'o mut W,
    table: &'static str,
    rows: usize,
}

impl<W: Write> Told<'_, W> {
    fn tell(&mut self, step: Step) -> bool {
        let (table, rows) = match step {
            Step::Copied(table, rows) | Step::Levelled(table, rows) => (table, rows),
            Step::Comparing | Step::Ending => ("", 0),
        };
        if table != self.table {
            self.end();
            self.table = table;
        }
        self.rows += rows;
        if step == Step::Comparing {
            // Nobody to tell it to is no reason to stop.
            let _ = writeln!(self.out, "Comparing.");
        }
        true
    }

    fn end(&mut self) {
        if self.rows > 0 {
            let _ = writeln!(self.out, "  {:<16} {:>12} rows written", self.table, self.rows);
        }
        (self.table, self.rows) = ("", 0);
    }
}

fn next(from: &Store, to: &Store, out: &mut impl Write) -> Result<Exit, Failure> {
    writeln!(out, "{from} is copied to {to}, as far as it goes beside a daemon. Nothing was changed there.")?;
    match to {
        Store::Sqlite(_) => writeln!(out, "Next: stop its daemon, and run this again with --finish.")?,
        Store::Postgres(_) => {
            writeln!(
                out,
                "Next: have the daemon restart with the new url in [store]; it only acknowledges there."
            )?;
            writeln!(
                out,
                "Then run this again with --finish, upon which it projects and delivers. See docs/migrate.md."
            )?;
        }
    }
    Ok(Exit::Success)
}

fn finished(report: &Report, from: &Store, to: &Store, out: &mut impl Write) -> Result<Exit, Failure> {
    let Report { tables, people, differs } = report;
    for (table, here, there) in tables {
        let mark = if here == there { "=" } else { "DIFFERS FROM" };
        writeln!(out, "  {table:<16} {here:>12} {mark} {there}")?;
    }
    if !differs.is_empty() {
        let differs = differs.join(", ");
        writeln!(
            out,
            "{to} differs from {from}: {differs}. It stays an unfinished copy, and {from} the store."
        )?;
        writeln!(
            out,
            "Run this again; where it says the same, begin anew with an empty database and report it."
        )?;
        return Ok(Exit::Difference);
    }
    writeln!(out, "  {people} people, attribution, the books and what waits: no difference.")?;
    writeln!(
        out,
        "{from} is moved to {to}. A daemon there goes on with what waits; the old store is marked and refused."
    )?;
    let has_logins = tables.iter().any(|(table, rows, _)| *table == "logins" && *rows > 0);
    if has_logins {
        let (old, new) = (from.beside(".key"), to.beside(".key"));
        writeln!(
            out,
            "Logins are sealed with a key that is in no database; copy {} to {},",
            old.display(),
            new.display()
        )?;
        writeln!(
            out,
            "or to `folder` of [store], with its owner and mode 0600, unless it is there already."
        )?;
    }
    Ok(Exit::Success)
}
