// SPDX-License-Identifier: MIT OR Apache-2.0

//! The plugin of `tests/plugin`: a package outside the workspace, whose kinds every command must
//! know once they are registered, and the plain command must not.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use xshell::cmd;

use crate::workspace::Workspace;

/// Side of the slide that the plugin's reader reads, in tiles and in pixels of a tile.
const SLIDE: (usize, usize) = (4, 112);

/// Builds the plugin and runs its command on the demo's tiles and on a slide of its own format.
pub fn plugin(workspace: &Workspace) -> Result<()> {
    let command = build(workspace)?;
    let out = workspace.target.with_file_name("plugin-ci");
    let _ = std::fs::remove_dir_all(&out);
    let sh = &workspace.shell;
    let (demo_data, tiles) = (workspace.binary("demo-data", false), out.join("tiles"));
    cmd!(
        sh,
        "{demo_data} --config configs/demo/tiles-tiny.toml
            --slide tests/fixtures/cmu-1-small-region.svs --out {tiles}"
    )
    .run()?;
    let slide = out.join("slide.ppm");
    std::fs::write(&slide, ppm()).context("cannot write the slide")?;
    let (head, scores) = commands(workspace, &command, &out, &slide)?;
    check_scores(&scores)?;
    unknown_elsewhere(workspace, &out, &head, &slide)?;
    println!("plugin: run, train, predict, doctor, select and inspect know its kinds");
    Ok(())
}

/// The plugin's command, built with the versions and profiles of this workspace, so that what both
/// need is compiled once.
fn build(workspace: &Workspace) -> Result<PathBuf> {
    workspace.cargo("build --workspace --bins --locked").run()?;
    let folder = workspace.root.join("tests/plugin");
    std::fs::copy(workspace.root.join("Cargo.lock"), folder.join("Cargo.lock"))?;
    let manifest: toml::Table =
        std::fs::read_to_string(workspace.root.join("Cargo.toml"))?.parse()?;
    let profiles =
        manifest.into_iter().filter(|(key, _)| key == "profile").collect::<toml::Table>();
    let config = workspace.target.join("plugin-profiles.toml");
    std::fs::write(&config, toml::to_string(&profiles)?)?;
    let build = workspace.cargo("build --manifest-path").arg(folder.join("Cargo.toml"));
    build.arg("--config").arg(config).run()?;
    Ok(workspace.binary("eosin-example-plugin", false))
}

/// Runs every command that names a kind of the plugin's; gives a head and its predictions.
fn commands(
    workspace: &Workspace,
    command: &Path,
    out: &Path,
    slide: &Path,
) -> Result<(PathBuf, PathBuf)> {
    let sh = &workspace.shell;
    let configs = workspace.root.join("tests/plugin/configs");
    let (run, tiles) = (configs.join("run/plugin.toml"), out.join("tiles"));
    let at = |name: &str| out.join(name);

    // Shares of three colours are alike for many tiles, which is no leak here.
    let alike = ["--allow-leakage", "three colours make many tiles alike"];

    let made = at("run");
    cmd!(sh, "{command} --quiet run {run} --data {tiles} --out {made} {alike...}").run()?;
    let report = std::fs::read_to_string(made.join("report.json"))?;
    for part in ["palette", "gain {\\\"by\\\":0.05}"] {
        ensure!(report.contains(part), "the report of the plugin's run does not name {part}");
    }
    let made = at("select");
    cmd!(sh, "{command} --quiet select {run} --data {tiles} --out {made} {alike...}").run()?;
    let report = std::fs::read_to_string(made.join("select.json"))?;
    ensure!(report.contains("palette"), "select.json does not name the plugin's backbone");

    let made = at("train");
    cmd!(
        sh,
        "{command} --quiet train {run} --data {tiles} --out {made} --head prototype
            --no-augment {alike...}"
    )
    .run()?;
    let head = made.join("heads/microcalcification-prototype-palette.safetensors");
    let (scores, store) = (at("scores.csv"), at("store"));
    cmd!(
        sh,
        "{command} --quiet predict {slide} --head {head} --out {scores} --store {store}
            --configs {configs} --engine palette --reader ppm --tile-um 56 --tile-px 112
            --min-tissue 0 --accept mpp_policy --accept reader --accept tile_px --accept tile_um"
    )
    .run()?;

    let found = cmd!(sh, "{command} inspect {slide}").read()?;
    ensure!(found.contains("ppm 1"), "inspect does not name the plugin's reader: {found}");
    let found = cmd!(sh, "{command} doctor palette --configs {configs} --json").read()?;
    let found: serde_json::Value = serde_json::from_str(&found)?;
    let own = found.as_array().into_iter().flatten().find(|check| check["engine"] == "palette");
    ensure!(
        own.is_some_and(|check| check["agrees"] == true),
        "the doctor does not find the plugin's engine sound: {found}"
    );
    Ok((head, scores))
}

/// A row for each tile of the slide, with probabilities that follow the tiles.
fn check_scores(scores: &Path) -> Result<()> {
    let text = std::fs::read_to_string(scores)?;
    let column = |line: &str| line.split(',').nth(6).map(str::to_string);
    let all: Vec<Option<String>> = text.lines().skip(1).map(column).collect();
    ensure!(all.len() == SLIDE.0 * SLIDE.0, "not one row per tile of the slide: {text}");
    ensure!(all.iter().any(|value| *value != all[0]), "every tile has one probability: {text}");
    Ok(())
}

/// The plain command refuses what only the plugin has; otherwise nothing above shows anything.
fn unknown_elsewhere(workspace: &Workspace, out: &Path, head: &Path, slide: &Path) -> Result<()> {
    let (sh, eosin) = (&workspace.shell, workspace.binary("eosin", false));
    let configs = workspace.root.join("tests/plugin/configs");
    let (run, tiles, other) =
        (configs.join("run/plugin.toml"), out.join("tiles"), out.join("other"));
    let refused = |arguments: xshell::Cmd, code: i32, part: &str| -> Result<()> {
        let output = arguments.ignore_status().quiet().output()?;
        let text = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.code() == Some(code) && text.contains(part),
            "without the plugin: {:?} where {code} was expected, {text}",
            output.status.code()
        );
        Ok(())
    };
    refused(
        cmd!(sh, "{eosin} --quiet run {run} --data {tiles} --out {other} --dry-run"),
        5,
        "is not available",
    )?;
    let scores = out.join("other.csv");
    let predict =
        cmd!(sh, "{eosin} --quiet predict {tiles}/manifest.csv --head {head} --out {scores}");
    refused(predict.args(["--configs".into(), configs]), 5, "a head of kind prototype")?;
    refused(cmd!(sh, "{eosin} inspect {slide}"), 3, "slide.ppm")
}

/// A slide in the format of the plugin's reader: stroma with ever more nuclei from tile to tile.
fn ppm() -> Vec<u8> {
    let (n, px) = SLIDE;
    let side = n * px;
    let mut bytes = format!("P6\n# mpp 0.5\n{side} {side}\n255\n").into_bytes();
    for (y, x) in (0..side * side).map(|i| (i / side, i % side)) {
        let tile = y / px * n + x / px;
        let is_nucleus = (x % 28).pow(2) + (y % 28).pow(2) < (tile + 4) * 20;
        bytes.extend(if is_nucleus { [80, 50, 110] } else { [215, 125, 170] });
    }
    bytes
}
