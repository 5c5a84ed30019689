//! Runs the library under valgrind: `ct watch` under memcheck, `ct count PLACE` under callgrind,
//! by the place of a case among those that `ct cases` lists. `.ci/constant_time` does both.

use std::process::ExitCode;

use softtoken_ct::arena::Arena;
use softtoken_ct::{counted, valgrind, watched};

#[global_allocator]
static ALLOCATOR: Arena = Arena;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let holds = match arguments.as_slice() {
        ["watch"] if valgrind::is_there() => watched::all(),
        ["cases"] => {
            for name in counted::names() {
                println!("{name}");
            }
            true
        }
        ["count", place] => {
            Arena::turn_on();
            place.parse().is_ok_and(counted::run)
        }
        _ => {
            eprintln!("ct: watch (under valgrind), cases, or count PLACE");
            false
        }
    };
    if holds {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
