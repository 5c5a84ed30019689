//! Goes over whole tables of SQLite, with a progress bar:
//!
//! ```text
//! rows reseal FILE --key 1=OLD --key 2=NEW [--dry-run] [--after SUBJECT]
//! rows move-in OLD_FILE FILE --key 2=NEW [--dry-run] [--after SUBJECT]
//! ```
//!
//! A key is a file of 32 bytes; all of them open records, the last one seals. `reseal` brings every
//! record under that key. `move-in` imports the users of the table `old_totp`
//! ([`old_table.sql`](../old_table.sql)), whose backup codes stay there. Refused rows are told one
//! by one, the report follows at the end; the exit status says whether it is clean. Either command
//! may be run again, and goes on from where it stopped by `--after`.

use core::error::Error;
use std::collections::VecDeque;
use std::path::Path;
use std::process::ExitCode;
use std::{env, fs};

use indicatif::{ProgressBar, ProgressStyle};
use rusqlite::{Connection, OpenFlags, Row};
use softtoken::record::Keyring;
use softtoken::rows::{OldRow, OldToken, Report, Rows, Stopped, Verdict, Work};
use softtoken::{Administrator, Mfa, Policy};
use softtoken_sqlite::SqliteStore;

type Outcome<T> = Result<T, Box<dyn Error>>;

const USAGE: &str = "rows reseal FILE --key ID=KEY_FILE.. [--dry-run] [--after SUBJECT]
rows move-in OLD_FILE FILE --key ID=KEY_FILE.. [--dry-run] [--after SUBJECT]";
/// How many rows are asked for at once.
const PAGE: u32 = 500;

fn main() -> ExitCode {
    match run() {
        Ok(report) => {
            println!("{report}");
            ExitCode::from(u8::from(!report.is_clean()))
        }
        Err(error) => {
            let mut cause: Option<&dyn Error> = Some(&*error);
            while let Some(error) = cause {
                eprintln!("{error}");
                cause = error.source();
            }
            ExitCode::FAILURE
        }
    }
}

fn run() -> Outcome<Report> {
    let mut files = VecDeque::new();
    let (mut keyring, mut after, mut is_dry) = (None, None, false);
    let mut arguments = env::args().skip(1);
    let command = arguments.next().ok_or(USAGE)?;
    while let Some(argument) = arguments.next() {
        match &*argument {
            "--dry-run" => is_dry = true,
            "--after" => after = Some(arguments.next().ok_or(USAGE)?),
            "--key" => {
                let key = arguments.next().ok_or(USAGE)?;
                keyring = Some(with_key(keyring, &key)?);
            }
            _ => files.push_back(argument),
        }
    }
    let mfa = Mfa::system(Policy::STANDARD)
        .sealed(keyring.ok_or(USAGE)?)
        .seal_label("example/softtoken");
    let mut file = || files.pop_front().ok_or(USAGE);
    match &*command {
        "reseal" => {
            let file = file()?;
            let store = SqliteStore::open(&file)?;
            let table = reader(&file)?;
            // Nobody seals rows of before there was a seal by this program: it would say
            // `adopting_plain_records` here.
            let rows = Rows::reseal(&mfa);
            let total = "SELECT count(*) FROM softtoken";
            go_over(
                rows,
                &store,
                &table,
                total,
                after.as_deref(),
                is_dry,
                subjects,
            )
        }
        "move-in" => {
            let table = reader(&file()?)?;
            let store = SqliteStore::open(file()?)?;
            let rows = Rows::move_in(&mfa, &Administrator::named("migration"));
            let total = "SELECT count(DISTINCT user_id) FROM old_totp WHERE confirmed";
            go_over(
                rows,
                &store,
                &table,
                total,
                after.as_deref(),
                is_dry,
                old_rows,
            )
        }
        _ => Err(USAGE.into()),
    }
}

/// All keys open, the last one seals.
fn with_key(keyring: Option<Keyring>, key: &str) -> Outcome<Keyring> {
    let (id, file) = key.split_once('=').ok_or(USAGE)?;
    let id = id.parse()?;
    let bytes = fs::read(file)?;
    let bytes = <&[u8; 32]>::try_from(&*bytes).map_err(|_| "a key has 32 bytes")?;
    Ok(match keyring {
        None => Keyring::from_bytes(id, bytes),
        Some(mut keyring) => {
            keyring.rotate(id, bytes);
            keyring
        }
    })
}

/// A connection for the pages, beside the store's own.
fn reader(file: impl AsRef<Path>) -> rusqlite::Result<Connection> {
    Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY)
}

fn go_over<W: Work>(
    mut rows: Rows<W>,
    store: &SqliteStore,
    table: &Connection,
    total: &str,
    after: Option<&str>,
    is_dry: bool,
    page: impl Fn(&Connection, &str) -> rusqlite::Result<Vec<W::Row>>,
) -> Outcome<Report> {
    let total: i64 = table.query_row(total, [], |row| row.get(0))?;
    let bar = ProgressBar::new(total.unsigned_abs());
    bar.set_style(ProgressStyle::with_template(
        "{bar:40} {pos}/{len} {per_sec} {eta} left",
    )?);
    rows = rows.after(after);
    if is_dry {
        rows = rows.dry_run();
    }
    let pages = |after: Option<&str>| page(table, after.unwrap_or_default());
    let answer = rows.run_blocking(store, pages, |subject, verdict| {
        bar.inc(1);
        match verdict {
            Verdict::Refused(refusal) => bar.suspend(|| println!("{subject:?}: {refusal}")),
            Verdict::Store(error) => bar.suspend(|| println!("{subject:?}: {error}")),
            Verdict::Changed(_) | Verdict::Unchanged(_) => {}
        }
    });
    bar.finish_and_clear();
    answer.map_err(|stopped: Stopped<_, _>| {
        println!("{}", stopped.report);
        if let Some(after) = &stopped.after {
            println!("go on with --after {after:?}");
        }
        stopped.into()
    })
}

fn subjects(table: &Connection, after: &str) -> rusqlite::Result<Vec<String>> {
    let select = "SELECT subject FROM softtoken WHERE subject > ?1 ORDER BY subject LIMIT ?2";
    let mut select = table.prepare_cached(select)?;
    let subjects = select.query_map((after, PAGE), |row| row.get(0))?;
    subjects.collect()
}

/// All phones of a user in one row; those that were never confirmed are set up anew.
fn old_rows(table: &Connection, after: &str) -> rusqlite::Result<Vec<OldRow>> {
    let mut select = table.prepare_cached(
        "SELECT * FROM old_totp WHERE confirmed AND user_id IN (
             SELECT DISTINCT user_id FROM old_totp WHERE confirmed AND user_id > ?1
             ORDER BY user_id LIMIT ?2
         ) ORDER BY user_id, rowid",
    )?;
    let mut found = select.query((after, PAGE))?;
    let mut rows: Vec<OldRow> = Vec::new();
    while let Some(row) = found.next()? {
        let user: String = row.get("user_id")?;
        let phone = old_token(row)?;
        let begun = match rows.pop_if(|begun| begun.subject() == user) {
            Some(begun) => begun,
            None => OldRow::new(user).enabled(row.get("enabled")?),
        };
        rows.push(begun.token(phone));
    }
    Ok(rows)
}

fn old_token(row: &Row<'_>) -> rusqlite::Result<OldToken> {
    let secret: String = row.get("secret")?;
    let mut token = if secret.starts_with("otpauth:") {
        OldToken::key_uri(secret)
    } else {
        OldToken::legacy_base32(secret)
    };
    token = token.last_step(row.get("last_counter")?);
    token = token.drift(row.get("drift")?);
    if let Some(name) = row.get::<_, Option<String>>("name")? {
        token = token.named(name);
    }
    if let Some(algorithm) = row.get::<_, Option<String>>("algorithm")? {
        token = token.algorithm(algorithm);
    }
    if let Some(digits) = row.get("digits")? {
        token = token.digits(digits);
    }
    if let Some(period) = row.get("period")? {
        token = token.period(period);
    }
    Ok(token)
}
