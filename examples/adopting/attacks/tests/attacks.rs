//! Plays the attacks against the servers, and holds the README to the outcome.

use std::fs;
use std::path::{Path, PathBuf};

use softtoken_adopting_attacks::{ATTACKS, Which};

fn file(name: &str) -> String {
    let folder: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    fs::read_to_string(folder.join(name)).expect("a file of the example")
}

#[test]
fn no_attack_succeeds_after() {
    for (name, attack) in ATTACKS {
        assert!(!attack(Which::After), "{name}");
    }
}

#[test]
fn no_attack_succeeds_on_actix_and_diesel() {
    for (name, attack) in ATTACKS {
        assert!(!attack(Which::Actix), "{name}");
    }
}

/// Shows that the attacks are some, and that the README tells what they do.
#[test]
fn the_readme_says_which_attacks_succeed_before() {
    let readme = file("README.md");
    let mut succeeded = 0;
    for (name, attack) in ATTACKS {
        let outcome = attack(Which::Before);
        succeeded += u32::from(outcome);
        let word = if outcome { "succeeds" } else { "fails" };
        let row = format!("| {name} | {word} | fails |");
        assert!(readme.lines().any(|line| line == row), "{row}");
    }
    let total = format!("{succeeded} of {}", ATTACKS.len());
    assert!(readme.contains(&total), "{total}");
}

#[test]
fn the_readme_says_how_many_lines_the_change_has() {
    let readme = file("README.md");
    for server in ["before", "after"] {
        let source = file(&format!("{server}/src/lib.rs"));
        let code = source.lines().map(str::trim);
        let lines = code
            .filter(|line| !line.is_empty() && !line.starts_with("//"))
            .count();
        let said = format!("{lines} lines {server}");
        assert!(readme.contains(&said), "{said}");
    }
}
