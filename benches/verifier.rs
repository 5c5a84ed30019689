//! What a judgement costs, in one table: `cargo bench`, or `cargo bench -- --quick` to see that it
//! runs.
#![expect(
    clippy::unwrap_used,
    reason = "a step that fails ends the run before anything is printed"
)]

mod contenders;
mod interleaved;
mod machine;
mod requests;

use softtoken::totp::Algorithm;

use contenders::Question;
use interleaved::{BATCH, Entry, Run};
use requests::Attempt;

fn main() {
    // Without `--bench` it is a test run that started this.
    let given = |flag| std::env::args().any(|argument| argument == flag);
    let thorough = given("--bench") && !given("--quick");
    let rounds = if thorough { 3_000 } else { 20 };

    let mut run = Run::default();
    let groups = [
        (Algorithm::Sha1, 0),
        (Algorithm::Sha1, 1),
        (Algorithm::Sha1, 10),
        (Algorithm::Sha256, 1),
        (Algorithm::Sha512, 1),
    ]
    .map(|(algorithm, window)| Group::enter(&mut run, algorithm, window));
    let [_, standard, widest, ..] = &groups;
    let side_by_side = run.enter(Question::wrong(Algorithm::Sha1, 1).side_by_side());
    let requests = [
        ("right code, stored", Attempt::Right, 1),
        ("wrong code, counted", Attempt::Wrong, 1),
        ("too early, not judged", Attempt::TooEarly, 1),
        ("right code, five tokens", Attempt::Right, 5),
        ("wrong code, five tokens", Attempt::Wrong, 5),
        ("too early, five tokens", Attempt::TooEarly, 5),
    ]
    .map(|(title, attempt, tokens)| {
        let batches = [attempt.blocking(tokens), attempt.asynchronous(tokens)];
        (title, batches.map(|batch| run.enter(batch)))
    });
    run.take(rounds);

    print_legend(rounds, run.len());
    line("", "from the raw secret", "from a prepared key");
    let titles = |other| format!("{:>6} {:>14} {other:>14}", "limit", "softtoken");
    line(
        "hash, window, code",
        &titles("totp-rs 6"),
        &titles("hmac 0.13"),
    );
    for group in &groups {
        rule();
        group.print(&run);
    }
    rule();
    let titles = |colour| format!("{colour:>21} {:>14}", "a second");
    line(
        "sign_in_with, MemoryStore",
        &titles("blocking"),
        &titles("async"),
    );
    for (title, entries) in requests {
        let [blocking, asynchronous] = entries.map(|entry| {
            let times = cell(&run, entry, standard.limits[0]);
            format!("{:6} {times} {:>14.0}", "", 1e9 / run.ns(entry))
        });
        line(title, &blocking, &asynchronous);
    }

    println!();
    for (title, side, contender) in [
        ("verifier from the raw secret", 0, 0),
        ("verifier from a prepared key", 1, 0),
        ("totp-rs 6", 0, 1),
    ] {
        let all = widest.rows.iter().map(|row| row[side][contender]);
        let [fastest, slowest] = extremes(&run, all).map(|entry| run.ns(entry));
        let spread = slowest / fastest;
        println!("{title}, window 10, slowest / fastest code: {spread:.2}x");
    }
    let ratio = run.ratio(side_by_side, standard.limits[0]);
    println!(
        "SHA-1 compressions side by side / one after another: {ratio:.2}x \
         (more where the core is shared, and softtoken's figures with it)"
    );
    let [[softtoken, totp_rs], _] = standard.rows[0];
    let ratio = run.ratio(softtoken, totp_rs);
    println!("verifier from the raw secret / totp-rs 6, window 1, wrong code: {ratio:.2}x");
}

fn print_legend(rounds: usize, contenders: usize) {
    println!(
        "\
softtoken on {}

{contenders} contenders take turns, {BATCH:?} each, {rounds} times. Figures are nanoseconds a call, the median of the rounds;
x is the multiple of the limit in the same round, the median. (For sign_in_with: of 8 compressions.)

limit      bare compressions, each waiting for the one before: two a step, and two for a key that is raw
softtoken  judges every step, three side by side: so it can be below 1x; its code has been read before, a few nanoseconds
totp-rs 6  hashes the key for each step, compares text, ends at the first match
hmac 0.13  clones its keyed state for each step, compares by ==, judges every step
",
        machine::description()
    );
}

/// The judgements of one window.
struct Group {
    title: String,
    /// From the raw secret, from a prepared key.
    limits: [Entry; 2],
    /// A wrong code, then the right one of each position: from the raw secret softtoken and
    /// totp-rs, from a prepared key softtoken and hmac.
    rows: Vec<[[Entry; 2]; 2]>,
}

impl Group {
    fn enter(run: &mut Run, algorithm: Algorithm, window: u8) -> Self {
        let wrong = Question::wrong(algorithm, window);
        let limits = [
            wrong.limit_from_the_secret(),
            wrong.limit_from_a_prepared_key(),
        ];
        let limits = limits.map(|batch| run.enter(batch));
        let mut questions = vec![wrong];
        if algorithm == Algorithm::Sha1 {
            questions.extend(wrong.right());
        }
        let rows = questions.into_iter().map(|question| {
            [
                [question.softtoken_from_the_secret(), question.totp_rs()],
                [question.softtoken_from_a_prepared_key(), question.hmac()],
            ]
            .map(|side| side.map(|batch| run.enter(batch)))
        });
        Self {
            title: format!("{algorithm:7} {:>3}", format!("±{window}")),
            limits,
            rows: rows.collect(),
        }
    }

    fn print(&self, run: &Run) {
        let row = |title: &str, row: [[Entry; 2]; 2]| {
            let [left, right] = [0, 1].map(|side| {
                let limit = self.limits[side];
                let [ours, theirs] = row[side].map(|entry| cell(run, entry, limit));
                format!("{:>6.0} {ours} {theirs}", run.ns(limit))
            });
            line(title, &left, &right);
        };
        let (wrong, right) = self.rows.split_first().unwrap();
        row(&format!("{} wrong", self.title), *wrong);
        if right.len() > 3 {
            for (which, title) in ["right, fastest", "right, slowest"].into_iter().enumerate() {
                let pick = |side: usize, contender: usize| {
                    extremes(run, right.iter().map(|row| row[side][contender]))[which]
                };
                let picked = [[pick(0, 0), pick(0, 1)], [pick(1, 0), pick(1, 1)]];
                row(&format!("{:11} {title}", ""), picked);
            }
        } else {
            let reach = i64::try_from(right.len() / 2).unwrap();
            for (position, entries) in (-reach..).zip(right) {
                row(&format!("{:11} right at {position:>2}", ""), *entries);
            }
        }
    }
}

/// The fastest and the slowest.
fn extremes(run: &Run, entries: impl Iterator<Item = Entry>) -> [Entry; 2] {
    let mut entries: Vec<Entry> = entries.collect();
    entries.sort_by(|one, other| run.ns(*one).total_cmp(&run.ns(*other)));
    [entries[0], entries[entries.len() - 1]]
}

fn line(title: &str, left: &str, right: &str) {
    let line = format!("{title:27} │ {left:^36} │ {right:^36}");
    println!("{}", line.trim_end());
}

fn rule() {
    println!("{0:─<27}─┼─{0:─<36}─┼─{0:─<36}", "");
}

fn cell(run: &Run, entry: Entry, limit: Entry) -> String {
    format!("{:>7.0} {:>5.2}x", run.ns(entry), run.ratio(entry, limit))
}
