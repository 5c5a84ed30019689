//! Looks for secrets in freed memory, and in all the memory of a process once they were dropped.
//!
//! `wiping [--without-stack] CHILD [ACT..]` rehearses every act, and has it performed by `CHILD`,
//! which is this program in any build. The child's allocator looks at what is freed; when the act
//! is over, and everything of it dropped, the child waits, and its memory is scanned from here.
//! `.ci/wiping` does that.

use core::fmt::Write as _;
use std::collections::HashMap;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, ExitCode, Stdio};

use softtoken_wiping::acts::{self, Act, Leak};
use softtoken_wiping::allocator::{self, Inspecting};
use softtoken_wiping::pieces::pieces;
use softtoken_wiping::scan::{self, Region};
use softtoken_wiping::stage::{Stage, deep};

#[global_allocator]
static ALLOCATOR: Inspecting = Inspecting;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["perform", act] => perform(act),
        ["--without-stack", child, wanted @ ..] => return all(child, false, wanted),
        [child, wanted @ ..] => return all(child, true, wanted),
        [] => eprintln!("wiping: the program to look into is missing"),
    }
    ExitCode::SUCCESS
}

/// Plays the act of this name, and waits until the memory was scanned.
fn perform(name: &str) {
    let mut lines = io::stdin().lines();
    let mut line = || {
        lines
            .next()
            .and_then(Result::ok)
            .filter(|line| !line.is_empty())
    };
    while let Some(line) = line() {
        let piece = line.split_once(' ').and_then(|(secret, masked)| {
            let masked = u64::from_str_radix(masked, 16).ok()?;
            Some((masked, secret.parse().ok()?))
        });
        let (masked, secret) = piece.expect("a number, and a piece");
        allocator::look_for(masked, secret);
    }
    if std::env::var_os("WIPING_TRACE").is_some() {
        allocator::trace();
    }
    let act = acts::find(name).expect("an act of this name");
    let before = allocator::inspected();
    // What is told afterwards overwrites nothing of it.
    deep(|| (act.play)(&Stage::performance(act.name)));
    let inspected = allocator::inspected() - before;
    for (secret, blocks) in allocator::take_found() {
        println!("{secret} {blocks}");
    }
    println!("done {inspected}");
    // Until this process is stopped.
    let _ = line();
}

/// What was found of an act.
struct Findings {
    freed: Vec<(String, u32)>,
    left: Vec<(String, Region, usize)>,
    inspected: u64,
    scanned: usize,
}

fn all(child: &str, with_stack: bool, wanted: &[&str]) -> ExitCode {
    let (mut secrets, mut inspected, mut scanned, mut controls, mut failed) = (0, 0, 0, 0, 0);
    let acts = acts::all();
    let is_wanted = |act: &&Act| wanted.is_empty() || wanted.contains(&act.name);
    let mut played = 0;
    for act in acts.iter().filter(is_wanted) {
        let notes = Stage::rehearse(act.name, act.play);
        let mut found = look_into(child, act.name, &notes);
        found
            .left
            .retain(|(_, region, _)| with_stack || *region != Region::Stack);
        secrets += notes.len();
        inspected += found.inspected;
        scanned += found.scanned;
        let holds = match act.leak {
            None => found.freed.is_empty() && found.left.is_empty(),
            Some(Leak::Freed) => !found.freed.is_empty(),
            Some(Leak::Left) => found.freed.is_empty() && !found.left.is_empty(),
        };
        played += 1;
        controls += usize::from(act.leak.is_some());
        if !holds {
            failed += 1;
            println!(
                "{}: {}",
                act.name,
                if act.leak.is_some() {
                    "NOT FOUND"
                } else {
                    "found"
                }
            );
            for (secret, blocks) in &found.freed {
                println!("  freed, {blocks} blocks: {secret}");
            }
            for (secret, region, count) in &found.left {
                println!("  left in {region}, {count} pieces: {secret}");
            }
        }
    }
    if failed > 0 || played == 0 {
        println!("{failed} of {played} acts failed");
        return ExitCode::FAILURE;
    }
    println!(
        "{} acts with {secrets} forms of secrets: {inspected} freed blocks and {} MiB of memory \
         hold none; {controls} that leak are found out",
        played - controls,
        scanned >> 20,
    );
    ExitCode::SUCCESS
}

fn look_into(program: &str, act: &str, notes: &[(String, Vec<u8>)]) -> Findings {
    let mut names: Vec<&str> = notes.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let mut sought: HashMap<u64, usize> = HashMap::new();
    for (name, secret) in notes {
        let number = names.binary_search(&name.as_str()).expect("one of them");
        for piece in pieces(secret) {
            sought.insert(piece, number);
        }
    }
    let mut child = Command::new(program)
        .args(["perform", act])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program to look into");
    let mut to = child.stdin.take().expect("a pipe");
    let mut asked = String::new();
    for (piece, number) in &sought {
        let _ = writeln!(asked, "{number} {piece:016x}");
    }
    asked.push('\n');
    to.write_all(asked.as_bytes())
        .expect("a child that listens");
    to.flush().expect("a child that listens");

    let mut found = Findings {
        freed: Vec::new(),
        left: Vec::new(),
        inspected: 0,
        scanned: 0,
    };
    let mut told = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    loop {
        let line = told
            .next()
            .and_then(Result::ok)
            .unwrap_or_else(|| ended(&mut child, act));
        let (first, second) = line.split_once(' ').expect("two words");
        if first == "done" {
            found.inspected = second.parse().expect("a number");
            break;
        }
        let secret: usize = first.parse().expect("a number");
        let blocks = second.parse().expect("a number");
        found.freed.push((names[secret].to_owned(), blocks));
    }
    let (left, scanned) = scan::scan(child.id(), &sought).expect("the memory of a child");
    found.scanned = scanned;
    for ((number, region), count) in left {
        found.left.push((names[number].to_owned(), region, count));
    }
    drop(to);
    let _ = child.kill();
    let _ = child.wait();
    found
}

fn ended(child: &mut Child, act: &str) -> String {
    let _ = child.kill();
    let status = child.wait();
    panic!("{act} ended: {status:?}")
}
