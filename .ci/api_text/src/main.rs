//! Prints the public API of a package, an item a line, from the JSON that rustdoc wrote: the path of that file is the
//! argument. What every type gets without being asked, blanket and automatic implementations, is left out.

use std::{env, error::Error};

fn main() -> Result<(), Box<dyn Error>> {
    let json = env::args_os()
        .nth(1)
        .ok_or("wants the path of rustdoc's JSON")?;
    let api = public_api::Builder::from_rustdoc_json(json)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .build()?;
    print!("{api}");
    Ok(())
}
