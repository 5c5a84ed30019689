//! What users wait for, in one table: `cargo bench --bench operations`.
//!
//! `-- --quick` to see that it runs, `-- --ten-million` for populations up to ten million (8
//! gigabytes of memory), `-- --plot` to draw `benches/operations.svg` anew.
#![expect(
    clippy::unwrap_used,
    reason = "a step that fails ends the run before anything is printed"
)]

#[expect(dead_code, reason = "the other benchmark has the rest of them")]
mod contenders;
mod glue;
mod growth;
mod interleaved;
mod machine;
mod plot;
mod server;

use core::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use allocation_counter::measure;
use softtoken::record;
use softtoken::totp::Algorithm;

use contenders::Question;
use growth::{By, Pace, Population, Sent};
use interleaved::{BATCH, Entry, Run, repeated};
use plot::Line;
use server::{Measured, OPERATIONS, WAYS};

fn main() {
    // Without `--bench` it is a test run that started this.
    let given = |flag| std::env::args().any(|argument| argument == flag);
    let is_thorough = given("--bench") && !given("--quick");
    let rounds = if is_thorough { 1_000 } else { 10 };
    let largest = match (is_thorough, given("--ten-million")) {
        (_, true) => 10_000_000,
        (true, false) => 1_000_000,
        (false, false) => 10_000,
    };

    let operations = Operations::taken(rounds);
    let growth = Growth::taken(rounds, largest);
    let (turns, calls) = if is_thorough {
        (20, 20_000)
    } else {
        (2, 5_000)
    };
    let threads = Threads::taken(turns, calls, growth.populations.last().unwrap());

    print_legend(rounds, operations.run.len());
    operations.print();
    growth.print();
    threads.print();
    if given("--plot") {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/operations.svg");
        plot::draw(
            &path,
            "A request, by how many subjects the store holds",
            &growth.lines(),
        )
        .unwrap();
    }
}

fn print_legend(rounds: usize, contenders: usize) {
    println!(
        "\
softtoken on {}

{contenders} contenders take turns, {BATCH:?} each, {rounds} times. x is the multiple of one verifier (raw secret, SHA-1, window 1,
wrong code) in the same round, the median of the rounds; then nanoseconds a call, the median. A call is a whole request
on a MemoryStore, each by another user; what is drawn comes from a counter. Allocations are counted, not measured.
",
        machine::description()
    );
}

/// Every operation in each way.
struct Operations {
    run: Run,
    verifier: Entry,
    rows: Vec<(&'static str, Vec<Counted>)>,
}

struct Counted {
    entry: Entry,
    allocations: u64,
}

impl Operations {
    fn taken(rounds: usize) -> Self {
        let mut run = Run::default();
        let verifier = Question::wrong(Algorithm::Sha1, 1).softtoken_from_the_secret();
        let verifier = run.enter(verifier);
        let mut enter = |Measured { batch, allocations }| Counted {
            entry: run.enter(batch),
            allocations,
        };
        let mut rows: Vec<_> = OPERATIONS
            .iter()
            .map(|(title, measured)| (*title, WAYS.map(|way| enter(measured(way))).into()))
            .collect();
        rows.push(("session opened", vec![enter(server::session_opened())]));
        for (title, measured) in records() {
            rows.push((title, vec![enter(measured)]));
        }
        run.take(rounds);
        Self {
            run,
            verifier,
            rows,
        }
    }

    fn print(&self) {
        let titles = format!("{:^17} │ {:^17}", "blocking", "async");
        println!(
            "{:25} │ {:^37} │ {:^37} │ allocations",
            "", "in the clear", "sealed"
        );
        println!("{:25} │ {titles} │ {titles} │ clear  sealed", "");
        println!("{}", "─".repeat(121));
        for (title, counted) in &self.rows {
            let mut cells: Vec<String> = counted.iter().map(|one| self.cell(one.entry)).collect();
            cells.resize(4, format!("{:17}", ""));
            let clear = counted[0].allocations;
            let sealed = counted
                .get(2)
                .map_or(String::new(), |one| one.allocations.to_string());
            println!(
                "{title:25} │ {} │ {clear:>5} {sealed:>7}",
                cells.join(" │ ")
            );
        }
        let sign_in_with = self.rows.iter().find(|(title, _)| *title == "sign_in_with");
        let counted: &[Counted; 4] = sign_in_with.unwrap().1.as_slice().try_into().unwrap();
        let [plain, asynchronous, sealed, _] = counted;
        println!(
            "\nsign_in_with: {:.2} verifiers, sealed {:.2}; async / blocking {:.2}x\n",
            self.run.ratio(plain.entry, self.verifier),
            self.run.ratio(sealed.entry, self.verifier),
            self.run.ratio(asynchronous.entry, plain.entry),
        );
    }

    fn cell(&self, entry: Entry) -> String {
        let ratio = self.run.ratio(entry, self.verifier);
        format!("{ratio:>6.2}x {:>6.0} ns", self.run.ns(entry))
    }
}

/// Writing and reading the record of a user with one token.
fn records() -> [(&'static str, Measured); 2] {
    let row = server::row();
    let decoded = record::decode(&row).unwrap();
    let encode = move || drop(black_box(record::encode(black_box(&decoded))));
    let decode = move || drop(black_box(record::decode(black_box(&row))));
    [
        ("record encoded", measured(encode)),
        ("record decoded", measured(decode)),
    ]
}

fn measured(call: impl Fn() + 'static) -> Measured {
    Measured {
        allocations: measure(&call).count_total,
        batch: repeated(call),
    }
}

/// The same request in stores of more and more subjects.
struct Growth {
    run: Run,
    populations: Vec<Arc<Population>>,
    /// In each population.
    entries: Vec<[Entry; 6]>,
}

const GROWN: [&str; 6] = [
    "softtoken: sign_in_with, right code",
    "softtoken: sign_in_with, wrong code",
    "softtoken: sign_in, one read",
    "MemoryStore: that read alone",
    "glue of totp-rs 6: right code",
    "glue of totp-rs 6: wrong code",
];

impl Growth {
    fn taken(rounds: usize, largest: u64) -> Self {
        let sizes = (3..).map(|zeros| 10_u64.pow(zeros));
        let sizes = sizes.take_while(|size| *size <= largest);
        let populations: Vec<_> = sizes.map(Population::new).collect();
        let mut run = Run::default();
        let entries = populations.iter().map(|population| {
            [
                population.batch(By::Softtoken, Sent::Right),
                population.batch(By::Softtoken, Sent::Wrong),
                population.asked(),
                population.loaded(),
                population.batch(By::Glue, Sent::Right),
                population.batch(By::Glue, Sent::Wrong),
            ]
            .map(|batch| run.enter(batch))
        });
        let entries = entries.collect();
        run.take(rounds);
        Self {
            run,
            populations,
            entries,
        }
    }

    fn print(&self) {
        println!("x is the multiple of the same call among the first thousand.");
        print!("{:37}", "subjects");
        for population in &self.populations {
            print!(" │ {:>18}", population.subjects);
        }
        println!("\n{}", "─".repeat(37 + 21 * self.populations.len()));
        for (which, title) in GROWN.iter().enumerate() {
            print!("{title:37}");
            for entries in &self.entries {
                let ratio = self.run.ratio(entries[which], self.entries[0][which]);
                print!(" │ {ratio:>6.2}x {:>7.0} ns", self.run.ns(entries[which]));
            }
            println!();
        }
        for (which, title) in ["softtoken", "glue of totp-rs 6"].iter().enumerate() {
            print!("{:37}", format!("{title}: bytes a subject"));
            for population in &self.populations {
                print!(" │ {:>18}", population.bytes[which]);
            }
            println!();
        }
        let last = self.entries[self.entries.len() - 1];
        println!(
            "\nsofttoken / glue, in the largest: right code {:.2}x, wrong code {:.2}x\n",
            self.run.ratio(last[0], last[4]),
            self.run.ratio(last[1], last[5]),
        );
    }

    #[expect(clippy::cast_precision_loss, reason = "a place on an axis")]
    fn lines(&self) -> Vec<Line> {
        let line = |which: usize| {
            let points = self.populations.iter().zip(&self.entries);
            let point = |(population, entries): (&Arc<Population>, &[Entry; 6])| {
                (population.subjects as f64, self.run.ns(entries[which]))
            };
            Line {
                name: GROWN[which],
                points: points.map(point).collect(),
            }
        };
        [0, 2, 3, 4].map(line).into()
    }
}

/// Two threads beside one, each with subjects of its own.
struct Threads(Vec<[[Pace; 2]; 3]>);

impl Threads {
    fn taken(rounds: usize, calls: u64, population: &Population) -> Self {
        let round = |_| {
            [By::Softtoken, By::Glue, By::Verifier]
                .map(|by| [1, 2].map(|threads| population.on_threads(by, threads, calls)))
        };
        Self((0..rounds).map(round).collect())
    }

    fn print(&self) {
        println!(
            "x is what two threads do beside one, in the same store, the median of {} rounds: by the clock, and by the time
that the threads were at work, which leaves out waiting, for a core that is shared and for a lock alike.",
            self.0.len()
        );
        let titles = [
            "softtoken: sign_in_with",
            "glue of totp-rs 6: one lock",
            "a verifier: what the machine allows",
        ];
        for (which, title) in titles.iter().enumerate() {
            let rounds = || self.0.iter().map(|round| &round[which]);
            let ratio = |pace: fn(&Pace) -> f64| {
                interleaved::median(rounds().map(|[one, two]| pace(two) / pace(one)))
            };
            println!(
                "{title:37} │ {:>5.2}x by the clock │ {:>5.2}x at work │ {:>9.0} a second by two",
                ratio(|pace| pace.clock),
                ratio(|pace| pace.work),
                interleaved::median(rounds().map(|[_, two]| two.clock)),
            );
        }
    }
}
