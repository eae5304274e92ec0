// SPDX-License-Identifier: MIT OR Apache-2.0

//! Lists the files of `cards/` for `src/builtin.rs`, so that a card is added without touching Rust.

use std::fmt::Write as _;
use std::path::Path;

fn main() -> std::io::Result<()> {
    println!("cargo::rerun-if-changed=cards");
    let mut cards = std::fs::read_dir("cards")?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<std::io::Result<Vec<String>>>()?;
    cards.retain(|file| Path::new(file).extension().is_some_and(|ending| ending == "toml"));
    cards.sort();
    let mut list = String::from("&[\n");
    for file in cards {
        let path = format!("concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/cards/{file}\")");
        let _ = writeln!(list, "    include_str!({path}),");
    }
    list.push(']');
    let folder = std::env::var_os("OUT_DIR").expect("cargo names the folder of what is generated");
    std::fs::write(Path::new(&folder).join("cards.rs"), list)
}
