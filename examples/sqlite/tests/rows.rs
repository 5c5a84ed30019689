//! The program that goes over whole tables: resealed under a new key though the process is killed,
//! and moved in from an old table with its backup codes.

use core::error::Error;
use core::time::Duration;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread;

use rusqlite::Connection;
use sha2::{Digest as _, Sha256};
use softtoken::association::ImportedToken;
use softtoken::record::Keyring;
use softtoken::totp::{Algorithm, Digits, Secret, Totp, Verifier};
use softtoken::{Administrator, Code, Mfa, Policy, Rejection, SignedIn, Vouched};
use softtoken_sqlite::SqliteStore;
use tempfile::TempDir;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

const KEYS: [[u8; 32]; 2] = [[1; 32], [2; 32]];

struct Files {
    folder: TempDir,
    old: PathBuf,
    new: PathBuf,
}

impl Files {
    fn new() -> Outcome<Self> {
        let folder = tempfile::tempdir()?;
        for (id, key) in (1..).zip(KEYS) {
            fs::write(folder.path().join(format!("key-{id}")), key)?;
        }
        Ok(Self {
            old: folder.path().join("old.sqlite3"),
            new: folder.path().join("records.sqlite3"),
            folder,
        })
    }

    /// The program with keys by their ids, of which the last seals.
    fn program(&self, command: &str, files: &[&Path], keys: &[u32]) -> Command {
        let mut program = Command::new(env!("CARGO_BIN_EXE_rows"));
        program.arg(command).args(files);
        for id in keys {
            let file = self.folder.path().join(format!("key-{id}"));
            program.args(["--key", &format!("{id}={}", file.display())]);
        }
        program
    }

    fn under_key(&self, id: u8) -> rusqlite::Result<u32> {
        Connection::open(&self.new)?.query_row(
            "SELECT count(*) FROM softtoken WHERE substr(record, 1, 5) = ?1",
            [[0x81, 0, 0, 0, id]],
            |row| row.get(0),
        )
    }
}

fn mfa(id: u32, key: [u8; 32]) -> Mfa {
    Mfa::system(Policy::STANDARD)
        .sealed(Keyring::from_bytes(id, &key))
        .seal_label("example/softtoken")
}

/// What is printed, and whether the report is clean.
fn said(output: Output) -> Outcome<(String, bool)> {
    Ok((String::from_utf8(output.stdout)?, output.status.success()))
}

/// The number at the end of the line that begins so.
fn counted(report: &str, kind: &str, name: &str) -> u64 {
    let lines = report.lines().map(|line| line.split_whitespace());
    lines
        .map(Iterator::collect::<Vec<_>>)
        .find_map(|words| match words[..] {
            [one, two, count] if one == kind && two == name => count.parse().ok(),
            _ => None,
        })
        .unwrap_or(0)
}

fn enrol(mfa: &Mfa, store: &SqliteStore, user: &str) -> Outcome<Secret> {
    let secret = Secret::generate(20, &softtoken::OsEntropy)?;
    let token = ImportedToken::proven(secret.clone(), Totp::STANDARD);
    let step = Totp::STANDARD.step(mfa.now()?).saturating_offset(-2);
    let import = mfa.import(&Administrator::named("test"), [token.last_step(step)]);
    import.run_blocking(store, user)?;
    Ok(secret)
}

fn code(mfa: &Mfa, secret: &Secret, totp: Totp) -> Outcome<Code> {
    Ok(Verifier::new(secret, totp).code(totp.step(mfa.now()?)))
}

#[test]
fn a_table_is_resealed_though_the_process_is_killed_and_rows_are_damaged() -> Outcome {
    const USERS: u32 = 1_500;
    let files = Files::new()?;
    let store = SqliteStore::open(&files.new)?;
    let [old, _] = KEYS;
    let before = mfa(1, old);
    let secret = enrol(&before, &store, "user-0000")?;
    enrol(&before, &store, "damaged")?;
    enrol(&before, &store, "newer")?;
    // The same record under every subject would not open: one after the other, without the disk.
    let copy = Connection::open(&files.new)?;
    copy.pragma_update(None, "synchronous", "off")?;
    copy.execute_batch("BEGIN IMMEDIATE")?;
    let token = || ImportedToken::proven(secret.clone(), Totp::STANDARD);
    for user in 1..USERS {
        let user = format!("user-{user:04}");
        let import = before.import(&Administrator::named("test"), [token()]);
        let decision = import.decide(&user, None)?;
        let write = decision.write().ok_or("it is new")?;
        let row = (&user, write.next().as_i64(), write.record());
        copy.execute("INSERT INTO softtoken VALUES (?1, ?2, ?3)", row)?;
    }
    copy.execute_batch("COMMIT")?;
    let damage = "UPDATE softtoken SET record = substr(record, 1, 60) WHERE subject = 'damaged'";
    copy.execute(damage, [])?;
    copy.execute(
        "UPDATE softtoken SET record = x'7e00' WHERE subject = 'newer'",
        [],
    )?;
    assert_eq!(files.under_key(1)?, USERS + 1);

    // Without writing.
    let reseal = |keys: &[u32]| files.program("reseal", &[&files.new], keys);
    let (dry, _) = said(reseal(&[1, 2]).arg("--dry-run").output()?)?;
    assert_eq!(
        counted(&dry, "changed", "resealed"),
        u64::from(USERS),
        "{dry}"
    );
    assert_eq!(files.under_key(2)?, 0);

    // Killed in the midst of it, while somebody signs in.
    let mut process = reseal(&[1, 2])
        .stdout(std::process::Stdio::null())
        .spawn()?;
    while files.under_key(2)? < 20 {
        assert!(process.try_wait()?.is_none(), "it goes on");
        thread::sleep(Duration::from_millis(1));
    }
    let mut rotating = Keyring::from_bytes(1, &old);
    rotating.also_open(2, &KEYS[1]);
    let serving = Mfa::system(Policy::STANDARD)
        .sealed(rotating)
        .seal_label("example/softtoken");
    let used = code(&serving, &secret, Totp::STANDARD)?;
    let sign_in = serving.sign_in_with(Some(used.clone().into()));
    let answer = sign_in.run_blocking(&store, "user-0000")?;
    assert!(matches!(answer, SignedIn::Proven(_)));
    process.kill()?;
    process.wait()?;
    let done = files.under_key(2)?;
    assert!(done < USERS, "it was killed in the midst of it: {done}");

    // Anew.
    let (report, is_clean) = said(reseal(&[1, 2]).output()?)?;
    let (resealed, current) = (
        counted(&report, "changed", "resealed"),
        counted(&report, "unchanged", "current"),
    );
    assert_eq!(resealed + current, u64::from(USERS), "{report}");
    assert!(current >= 19, "{report}");
    assert_eq!(counted(&report, "refused", "record_does_not_open"), 1);
    assert_eq!(counted(&report, "refused", "record_not_sealed"), 1);
    assert!(report.contains("\"damaged\": the record does not open"));
    assert!(!is_clean, "two rows were refused");
    assert_eq!(files.under_key(2)?, USERS);

    // And once more: nothing is left to do, so that the old key may go.
    let (again, _) = said(reseal(&[2]).output()?)?;
    assert_eq!(counted(&again, "unchanged", "current"), u64::from(USERS));
    assert_eq!(counted(&again, "changed", "resealed"), 0);
    let retired = mfa(2, KEYS[1]);
    let replay = retired.sign_in_with(Some(used.into()));
    let replay = replay.run_blocking(&store, "user-0000");
    let refused = replay.expect_err("it was used").rejection();
    assert_eq!(refused, Some(Rejection::Reused));

    let rest = reseal(&[2]).args(["--after", "user-1490"]).output()?;
    assert_eq!(counted(&said(rest)?.0, "unchanged", "current"), 9);
    Ok(())
}

/// Twenty users of every kind that such tables have; user 19 was never confirmed.
fn old_table(files: &Files, now: u64) -> Outcome<Vec<(String, Secret, Totp)>> {
    let old = Connection::open(&files.old)?;
    old.execute_batch(include_str!("../old_table.sql"))?;
    let minute = Duration::from_secs(60);
    let mut users = Vec::new();
    for number in 0..20_u8 {
        let user = format!("user-{number:02}");
        let secret = Secret::from_bytes(&[number + 1; 20])?;
        let totp = match number % 4 {
            0 => Totp::new(Algorithm::Sha256, Digits::Eight, minute)?,
            _ => Totp::STANDARD,
        };
        let base32 = secret.expose_base32();
        let last = now / totp.period().as_secs() - 3;
        let (text, digits, period, algorithm) = match number % 4 {
            0 => (base32.to_string(), Some(8), Some(60), Some("sha256")),
            1 => (base32.to_lowercase(), None, None, None),
            2 => {
                let uri = format!("otpauth://totp/Acme+Inc:{user}?secret={}", *base32);
                (uri, Some(6), None, None)
            }
            _ => (base32.to_string(), Some(6), Some(30), Some("SHA1")),
        };
        old.execute(
            "INSERT INTO old_totp VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, 'phone', ?7, ?8)",
            (
                &user,
                text,
                algorithm,
                digits,
                period,
                last.cast_signed(),
                number != 19,
                number != 18,
            ),
        )?;
        for backup in 0..3 {
            let hash = Sha256::digest(format!("{user}-backup-{backup}"));
            let row = (&user, hash.as_slice());
            old.execute("INSERT INTO old_backup_code VALUES (?1, ?2)", row)?;
        }
        users.push((user, secret, totp));
    }
    // What went wrong in a hand-made migration before: seconds for steps, a digit of no alphabet,
    // two phones where one is allowed.
    let wrong = "UPDATE old_totp SET last_counter = last_counter * 30 WHERE user_id = 'user-03'";
    old.execute(wrong, [])?;
    let wrong = "UPDATE old_totp SET secret = '0' || secret WHERE user_id = 'user-05'";
    old.execute(wrong, [])?;
    old.execute(
        "INSERT INTO old_totp (user_id, secret, confirmed) VALUES ('user-07', ?1, true)",
        [&*Secret::from_bytes(&[99; 20])?.expose_base32()],
    )?;
    Ok(users)
}

/// The application's own login: the code of before is burnt where it stands, and vouched for.
fn backup_code(
    files: &Files,
    mfa: &Mfa,
    store: &SqliteStore,
    user: &str,
    typed: &str,
) -> Outcome<SignedIn> {
    let hash = Sha256::digest(typed);
    let burnt = Connection::open(&files.old)?.execute(
        "DELETE FROM old_backup_code WHERE user_id = ?1 AND hash = ?2",
        (user, hash.as_slice()),
    )?;
    let vouched = Vouched::recovery_code(burnt == 1);
    let sign_in = mfa.sign_in_with(Some(vouched.into()));
    Ok(sign_in.run_blocking(store, user)?)
}

#[test]
fn twenty_users_of_an_old_table_move_in_with_their_backup_codes() -> Outcome {
    let files = Files::new()?;
    let mfa = mfa(2, KEYS[1]);
    let users = old_table(&files, mfa.now()?.as_secs())?;
    let move_in = || files.program("move-in", &[&files.old, &files.new], &[2]);

    // Tried first: what would be refused, and why.
    let (dry, is_clean) = said(move_in().arg("--dry-run").output()?)?;
    for refused in [
        "\"user-03\": the last step of the imported software token lies in the future",
        "\"user-05\": the secret is not base32",
        "\"user-07\": there are as many software tokens as allowed",
    ] {
        assert!(dry.contains(refused), "{refused}: {dry}");
    }
    assert!(!is_clean);
    assert_eq!(counted(&dry, "changed", "moved_in"), 16, "{dry}");
    assert_eq!(files.under_key(2)?, 0);

    // The same, done.
    let (report, _) = said(move_in().output()?)?;
    assert_eq!(report, dry);
    assert_eq!(files.under_key(2)?, 16);

    // The table is mended, and the migration run again.
    let old = Connection::open(&files.old)?;
    old.execute_batch(
        "UPDATE old_totp SET last_counter = last_counter / 30 WHERE user_id = 'user-03';
         UPDATE old_totp SET secret = substr(secret, 2) WHERE user_id = 'user-05';
         DELETE FROM old_totp WHERE user_id = 'user-07' AND name IS NULL;",
    )?;
    let (report, is_clean) = said(move_in().output()?)?;
    assert_eq!(counted(&report, "changed", "moved_in"), 3, "{report}");
    assert_eq!(counted(&report, "unchanged", "already_verified"), 16);
    assert!(is_clean);

    let store = SqliteStore::open(&files.new)?;
    for (user, secret, totp) in &users[..19] {
        let sign_in = |code: Code| {
            let sign_in = mfa.sign_in_with(Some(code.into()));
            sign_in.run_blocking(&store, user)
        };
        let typed = code(&mfa, secret, *totp)?;
        assert!(matches!(sign_in(typed), Ok(SignedIn::Proven(_))), "{user}");

        let backup = format!("{user}-backup-1");
        let login = backup_code(&files, &mfa, &store, user, &backup)?;
        assert!(matches!(login, SignedIn::Proven(_)), "{user}");
        assert!(backup_code(&files, &mfa, &store, user, &backup).is_err());
        let other = "user-00-backup-2";
        let of_another = backup_code(&files, &mfa, &store, user, other);
        assert_eq!(of_another.is_ok(), user == "user-00");
    }
    let status = |user: &str| mfa.status().run_blocking(&store, user);
    assert!(!status("user-18")?.is_enabled());
    assert!(!status("user-19")?.is_verified(), "never confirmed");

    // A user who has removed the phone since is not brought back.
    let admin = Administrator::named("support");
    mfa.disassociate(&admin).run_blocking(&store, "user-00")?;
    let (report, _) = said(move_in().output()?)?;
    assert_eq!(counted(&report, "unchanged", "verified_before"), 1);
    assert_eq!(counted(&report, "unchanged", "already_verified"), 18);
    assert!(!status("user-00")?.is_verified());
    Ok(())
}

#[test]
fn without_arguments_the_program_says_how_it_is_called() -> Outcome {
    let output = Command::new(env!("CARGO_BIN_EXE_rows")).output()?;
    assert!(!output.status.success());
    assert!(String::from_utf8(output.stderr)?.contains("rows reseal FILE"));
    Ok(())
}
