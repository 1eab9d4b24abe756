//! The two ends of a migration: a file or a server's database, each opened for what is done with it.

use crate::config;
use crate::store::open::options;
use crate::store::postgres::copying::{self as server, Copying};
use crate::store::sql::connection::{Connection, Transaction, run, values};
use crate::store::sql::marks;
use crate::store::sqlite::copying as file;
use crate::store::{StoreError, sqlite};
use std::fs::File;
use std::path::{Path, PathBuf};

/// A store that is copied, or copied into.
pub(super) enum End {
    /// A file, and its lock where others are kept from it.
    File { connection: Box<sqlite::Connected>, path: PathBuf, held: Option<File> },
    /// A server's database.
    Server(Box<Copying>),
}

impl End {
    /// Opens a store to copy it, beside its daemons.
    pub(super) fn source(place: &config::Store) -> Result<End, StoreError> {
        Ok(match place {
            config::Store::Sqlite(path) => {
                let connection = Box::new(file::source(path)?);
                End::File { connection, path: path.clone(), held: None }
            }
            config::Store::Postgres(postgres) => End::Server(Box::new(server::source(&options(postgres)?)?)),
        })
    }

    /// Opens a store to copy into it.
    pub(super) fn target(place: &config::Store) -> Result<End, StoreError> {
        Ok(match place {
            config::Store::Sqlite(path) => {
                let (connection, held) = file::target(path)?;
                End::File { connection: Box::new(connection), path: path.clone(), held: Some(held) }
            }
            config::Store::Postgres(postgres) => End::Server(Box::new(server::target(&options(postgres)?)?)),
        })
    }

    /// A file of this process's own.
    pub(super) fn scratch(path: &Path) -> Result<End, StoreError> {
        let connection = Box::new(file::scratch(path)?);
        Ok(End::File { connection, path: path.to_owned(), held: None })
    }

    /// Its connection.
    pub(super) fn connection(&self) -> &dyn Connection {
        match self {
            End::File { connection, .. } => connection.as_ref(),
            End::Server(copying) => copying.connection(),
        }
    }

    /// Keeps the daemons of a source from writing.
    pub(super) fn hold(&mut self, tables: &[&str]) -> Result<(), StoreError> {
        match self {
            End::File { path, held, .. } => {
                if held.is_none() {
                    *held = Some(file::hold(path)?);
                }
                Ok(())
            }
            End::Server(copying) => copying.fence(tables),
        }
    }

    /// Marks a source as moved, and gives its daemons nothing but that to see.
    pub(super) fn move_on(&self, at: i64) -> Result<(), StoreError> {
        match self {
            End::File { connection, .. } => {
                together(connection.as_ref(), "mark the store as moved", |transaction| {
                    set_mark(transaction, marks::MOVED, at)
                })
            }
            End::Server(copying) => copying.move_on(at),
        }
    }

    /// The id that a table's next row is given. A file goes by the rows that are there.
    pub(super) fn number_from(&self, table: &str, next: i64) -> Result<(), StoreError> {
        match self {
            End::File { .. } => Ok(()),
            End::Server(copying) => copying.number_from(table, next),
        }
    }

    /// Whether a daemon may acknowledge into a copy that is not finished.
    pub(super) fn may_grow(&self) -> bool {
        matches!(self, End::Server(_))
    }

    /// Leaves a target as a daemon wants to find it.
    pub(super) fn settle(&self) -> Result<(), StoreError> {
        match self {
            End::File { connection, .. } => file::settle(connection),
            End::Server(_) => Ok(()),
        }
    }
}

/// Sets a mark.
pub(super) fn set_mark(
    connection: &dyn Connection,
    name: &'static str,
    value: i64,
) -> Result<(), StoreError> {
    const SET: &str = "INSERT INTO meta (name, value) VALUES (?, ?)
                       ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    run(connection, "mark the store", SET, values![name, value]).map(drop)
}

/// Changes a store in one transaction.
pub(super) fn together<T>(
    connection: &dyn Connection,
    doing: &'static str,
    work: impl FnOnce(&dyn Connection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let transaction = Transaction::begin(connection, doing)?;
    let result = work(&*transaction)?;
    transaction.commit(doing)?;
    Ok(result)
}
