// SPDX-License-Identifier: MIT OR Apache-2.0

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use xshell::cmd;

use crate::python;
use crate::readme_table;
use crate::workspace::Workspace;

/// What can be measured; each but `speed` and `truth` has a Python peer of the same name in
/// `benches/peers`.
const BENCHES: &[&str] =
    &["embed", "heads", "pipeline", "select", "speed", "store", "tiles", "truth"];

/// Tests that simulate how often what is said is true: test binary (of two crates, the first), and
/// filter.
const TRUTH: &[[&str; 2]] = &[["truth", ""], ["proxy", "truth::"]];
/// What begins a line of such a test; the rest is JSON.
const TRUTH_LINE: &str = "truth: ";

const PEERS: &str = "benches/peers/requirements.txt";
const PEERS_ON_TORCH: &str = "benches/peers/requirements-torch.txt";

#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  cargo xtask bench heads --quick\n  cargo xtask bench embed -- --models vit-s --batches 8 --merge\n  \
    cargo xtask bench speed -- --data DIR --label label --group group\n  \
    cargo xtask bench truth\n  cargo xtask bench --readme"
)]
pub struct Options {
    /// What to measure; without it and without --readme, everything.
    #[arg(value_parser = clap::builder::PossibleValuesParser::new(BENCHES))]
    name: Option<String>,
    /// A smaller size of the same work.
    #[arg(long)]
    quick: bool,
    /// Rewrite the README's table, and all cases in benches/RESULTS.md, from the files of the last
    /// benches.
    #[arg(long)]
    readme: bool,
    /// Repeats of every case.
    #[arg(long, default_value_t = 5)]
    repeats: usize,
    /// What follows goes to the bench: --large, --models, --batches, --threads, --merge,
    /// or those of `speed`: --data, --label, --group, --tiles, --epochs, --slow-repeats, …
    #[arg(last = true)]
    rest: Vec<String>,
}

/// Builds the bench binary, makes its peers' environment, and runs every contender interleaved.
pub fn bench(workspace: &Workspace, options: &Options) -> Result<()> {
    let folder = workspace.target.join("bench");
    std::fs::create_dir_all(&folder)?;
    if options.readme {
        return readme_table::rewrite(workspace, &folder);
    }
    if options.name.as_deref() == Some("truth") {
        return truth(workspace, &folder, options.quick);
    }
    let mut build = workspace.cargo("build --release --package eosin-bench");
    if std::env::var_os("LIBTORCH").is_some() {
        build = build.args(["--features", "tch"]);
    } else {
        println!("burn on libtorch is left out: LIBTORCH names no folder");
    }
    build.run()?;
    let binary = workspace.binary("eosin-bench", true);
    let names: Vec<&str> = match &options.name {
        Some(name) => vec![name.as_str()],
        None => BENCHES.iter().copied().filter(|name| *name != "truth").collect(),
    };
    for name in names {
        let python = match name {
            // Its arms are all Eosin's.
            "speed" => PathBuf::from("python3"),
            // PyTorch, some gigabytes, has a list of its own.
            "embed" | "pipeline" => {
                python::environment(workspace, "bench/venv", &[PEERS, PEERS_ON_TORCH])?
            }
            _ => python::environment(workspace, "bench/venv", &[PEERS])?,
        };
        let out = folder.join(format!("{name}.json"));
        let repeats = options.repeats.to_string();
        // `select.py` would stand before Python's own module of that name.
        let script = if name == "select" { "selection" } else { name };
        let peer = workspace.root.join("benches/peers").join(format!("{script}.py"));
        let mut command = cmd!(
            workspace.shell,
            "{binary} {name} --python {python} --peer {peer} --out {out} --repeats {repeats}"
        );
        if options.quick {
            command = command.arg("--quick");
        }
        command.args(&options.rest).run()?;
        println!("written: {}", out.display());
    }
    Ok(())
}

/// Runs the simulations that tests run at a small size at their full one, and prints each rate
/// beside its bar.
fn truth(workspace: &Workspace, folder: &Path, quick: bool) -> Result<()> {
    let mut cases: Vec<serde_json::Value> = Vec::new();
    for [test, filter] in TRUTH {
        // The full sizes are ignored tests, so that the suite stays short.
        let size = if quick { None } else { Some("--ignored") };
        // As CI builds them: other selections compile shared crates again.
        let said = workspace
            .cargo(&format!("test --workspace --locked --test {test} -- {filter}"))
            .args(size)
            .args(["--nocapture", "--test-threads", "1"])
            .read()?;
        // The harness may leave its own words before a line.
        let lines = said.lines().filter_map(|l| l.split_once(TRUTH_LINE)).map(|l| l.1);
        let known = cases.len();
        for line in lines {
            cases.push(serde_json::from_str(line)?);
        }
        // The harness is content with no test at all.
        ensure!(cases.len() > known, "--test {test} simulated nothing");
    }
    println!("| case | rate | bar | | draws |\n|---|---|---|---|---|");
    let mut missed = 0;
    for case in &cases {
        let text = |key: &str| case[key].as_str().unwrap_or_default().to_string();
        let (value, bar) = (case["value"].as_f64().unwrap_or(f64::NAN), text("bar"));
        let word = match is_within(value, &bar) {
            Some(true) => "met",
            Some(false) => "missed",
            None => "",
        };
        missed += usize::from(word == "missed");
        println!("| {} | {value:.4} | {bar} | {word} | {} |", text("case"), case["draws"]);
    }
    println!("{missed} of {} bars missed", cases.iter().filter(|c| c["bar"] != "beside").count());
    let out = folder.join("truth.json");
    std::fs::write(&out, serde_json::to_string_pretty(&cases)? + "\n")?;
    println!("written: {}", out.display());
    Ok(())
}

/// Whether a rate keeps its bar: `at most R`, `at least R` or `R to R`; none where there is no bar.
fn is_within(value: f64, bar: &str) -> Option<bool> {
    let number = |text: &str| text.trim().parse::<f64>().ok();
    if let Some(most) = bar.strip_prefix("at most ").and_then(number) {
        return Some(value <= most);
    }
    if let Some(least) = bar.strip_prefix("at least ").and_then(number) {
        return Some(value >= least);
    }
    let (low, high) = bar.split_once(" to ")?;
    Some((number(low)?..=number(high)?).contains(&value))
}

#[cfg(test)]
mod tests {
    use super::is_within;

    #[test]
    fn a_bar_has_one_side_or_two() {
        assert_eq!(is_within(0.05, "at most 0.06"), Some(true));
        assert_eq!(is_within(0.07, "at most 0.06"), Some(false));
        assert_eq!(is_within(0.94, "at least 0.95"), Some(false));
        assert_eq!(is_within(0.95, "0.91 to 0.98"), Some(true));
        assert_eq!(is_within(0.99, "0.91 to 0.98"), Some(false));
        assert_eq!(is_within(0.9, "0.91 to 0.98"), Some(false));
        assert_eq!(is_within(0.5, "beside"), None);
    }
}
