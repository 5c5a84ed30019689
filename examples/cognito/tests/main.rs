//! What the stand-in answers, asked over HTTP as a client would. One program, so that it is linked
//! once.

mod faults;
mod first_factor;
mod flows;
mod limits;
mod meanwhile;
mod operator;
mod people;
mod process;
mod protocol;
mod races;
mod srp;
mod tokens;
mod world;
