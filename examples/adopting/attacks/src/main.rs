//! Prints which attacks succeed against which server: `cargo run -p softtoken-adopting-attacks`.

use softtoken_adopting_attacks::{ATTACKS, Which};

fn main() {
    let mut succeeded = [0, 0];
    println!("| attack | before | after |\n|---|---|---|");
    for (name, attack) in ATTACKS {
        let outcomes = [attack(Which::Before), attack(Which::After)];
        let [before, after] = outcomes.map(|outcome| if outcome { "succeeds" } else { "fails" });
        println!("| {name} | {before} | {after} |");
        for (count, outcome) in succeeded.iter_mut().zip(outcomes) {
            *count += u32::from(outcome);
        }
    }
    let [before, after] = succeeded;
    println!(
        "\nbefore: {before} of {0} succeed; after: {after} of {0}",
        ATTACKS.len()
    );
}
