//! How a store behaves that is large in every direction: a terabyte mapped in random order, many
//! images, many snapshots, long chains. `bench/scale` runs it and says what it prints.
//!
//! ```text
//! scale make FOLDER GIB        # a store of one image, all of it mapped, without the data
//! scale open FOLDER            # how long it takes to open it
//! scale lookups FOLDER COUNT
//! scale overwrite FOLDER SECONDS
//! scale points FOLDER          # snapshot, clone, rollback
//! scale images FOLDER COUNT
//! scale snapshots FOLDER COUNT
//! scale chain FOLDER DEPTH
//! ```

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a program that measures prints, and ends where it cannot go on"
)]

mod large;
mod locked;
mod make;
mod many;
mod support;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let texts: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let number = |text: &str| text.parse::<u64>().expect("a number");
    locked::listen();
    match *texts {
        ["make", folder, gib] => make::make(folder, number(gib)),
        ["open", folder] => large::open(folder),
        ["lookups", folder, count] => large::lookups(folder, number(count)),
        ["overwrite", folder, seconds] => large::overwrite(folder, number(seconds)),
        ["points", folder] => large::points(folder),
        ["images", folder, count] => many::images(folder, number(count)),
        ["snapshots", folder, count] => many::snapshots(folder, number(count)),
        ["chain", folder, depth] => many::chain(folder, number(depth)),
        _ => {
            println!("see the top of crates/engine/examples/scale/main.rs");
            std::process::exit(2);
        }
    }
}
