// SPDX-License-Identifier: MIT OR Apache-2.0

//! The binary, the demo's tiles, and configurations that tests change.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use eosin_testkit::demo;
use tempfile::TempDir;

/// The workspace's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The text of a card that is part of the program.
pub fn card_of_the_program(name: &str) -> String {
    let path = root().join(format!("crates/eosin-backbone/cards/{name}.toml"));
    std::fs::read_to_string(path).unwrap()
}

/// The built `eosin` binary, which lies beside the tests.
pub fn eosin() -> Command {
    let mut command = Command::new(binary());
    command.env_remove("EOSIN_LOG").arg("--quiet");
    command
}

/// Where the binary lies. Cargo builds binaries only for the tests of their own package, so that
/// it is built here where nobody has: on a fresh clone `cargo test` then does without another
/// command. One that is there is taken as it is; CI builds it first.
fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let tests = std::env::current_exe().unwrap();
        let profile = tests.parent().unwrap().parent().unwrap();
        let binary = profile.join(format!("eosin{}", std::env::consts::EXE_SUFFIX));
        if !binary.is_file() {
            build(profile);
        }
        assert!(binary.is_file(), "no {} though it was built", binary.display());
        binary
    })
}

/// Builds the binary for the profile in whose folder the tests lie. Tests that come here at once
/// wait for each other at cargo's own lock.
fn build(folder: &Path) {
    let name = folder.file_name().unwrap().to_str().unwrap();
    let mut cargo = Command::new(env!("CARGO"));
    // As CI builds it: another selection of packages would compile shared crates again.
    cargo.args(["build", "--workspace", "--bins", "--locked"]).current_dir(root());
    cargo.args(["--profile", if name == "debug" { "dev" } else { name }]);
    cargo.env("CARGO_TARGET_DIR", folder.parent().unwrap());
    let status = cargo.status().unwrap();
    assert!(status.success(), "cargo build failed: {status}");
}

/// An arm of a study.
pub const NOISE: &str =
    "[[arms]]\nname = \"noise\"\ntransforms = [{ kind = \"gaussian-noise\" }]\n";

/// A folder with the tiny demo's tiles, a copy of the configurations, and room for output.
pub struct Bench {
    pub folder: TempDir,
}

impl Bench {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = demo::DemoConfig::read(&root().join("configs/demo/tiles-tiny.toml")).unwrap();
        let slide = root().join("tests/fixtures/cmu-1-small-region.svs");
        let source =
            eosin::crates::tile::SlideSource::open(slide, &config.tiling().unwrap()).unwrap();
        let plan = demo::plan(&source, &config).unwrap();
        demo::write(&plan, &config, &folder.path().join("tiles")).unwrap();
        copy(&root().join("configs"), &folder.path().join("configs"));
        Self { folder }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes `configs/run/test.toml`: two backbones, noise, few folds, then `extra`.
    pub fn write_run(&self, extra: &str) -> PathBuf {
        let run = format!(
            r#"title = "Test"
seed = 3
backbones = ["efficientnet-lite0", "colour-statistics"]
default_backbone = "efficientnet-lite0"
task = "demo-microcalcification"
proxies = ["demo-density"]
augment = "noise"
head = "logistic"
tiles = {{ kind = "manifest" }}
engine = {{ batch_size = 4 }}
selection = {{ folds = 2, repeats = 1, probes = [{{ kind = "knn" }}], controls = false, pca = 0, training_free = false }}
training = {{ folds = 2 }}
evaluation = {{ replicates = 100 }}
{extra}"#
        );
        let path = self.path("configs/run/test.toml");
        std::fs::write(&path, run).unwrap();
        path
    }

    /// The test configuration with other text in place of some of its own.
    pub fn write_run_with(&self, changes: &[(&str, &str)]) {
        let path = self.write_run("");
        for (from, to) in changes {
            change(&path, from, to);
        }
    }

    /// Writes `configs/study/test.toml`: a study of the test configuration on its default backbone, of
    /// arms `threshold` and what `arms` says, the arm `on` among them.
    pub fn write_study(&self, on: &str, arms: &str) -> PathBuf {
        let study = format!(
            r#"title = "Test"
run = "test"
backbones = ["efficientnet-lite0"]
[design]
folds = 2
repeats = 1
inner_folds = 2
budget = 2
choose = false
reference = "threshold"
on = "{on}"
[design.evaluation]
replicates = 100
[[arms]]
name = "threshold"
{arms}"#
        );
        let path = self.path("configs/study/test.toml");
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, study).unwrap();
        path
    }

    /// `eosin study` of the test study.
    pub fn study(&self, arguments: &[&str]) -> Output {
        self.configured("study", "configs/study/test.toml", arguments)
    }

    /// `eosin evaluate` of a head, into `judged`.
    pub fn evaluate(&self, head: &Path, data: &Path, arguments: &[&str]) -> Output {
        let mut command = eosin();
        command.arg("evaluate").arg("--head").arg(head).arg("--data").arg(data);
        command.arg("--store").arg(self.path("out/store")).arg("--out").arg(self.path("judged"));
        command.arg("--configs").arg(self.path("configs")).args(arguments).output().unwrap()
    }

    /// `eosin predict` with a head, into `scores.csv`.
    pub fn predict(&self, head: &Path, input: &Path, arguments: &[&str]) -> Output {
        let mut command = eosin();
        command.arg("predict").arg(input).arg("--head").arg(head);
        command
            .arg("--store")
            .arg(self.path("out/store"))
            .arg("--out")
            .arg(self.path("scores.csv"));
        command.arg("--configs").arg(self.path("configs")).args(arguments).output().unwrap()
    }

    /// A head that `eosin train` saved for the target task.
    pub fn head(&self, head: &str, backbone: &str) -> PathBuf {
        let name = format!("demo-microcalcification-{head}-{backbone}.safetensors");
        self.path("out/heads").join(name)
    }

    /// A report that a command wrote.
    pub fn json(&self, path: &str) -> serde_json::Value {
        serde_json::from_str(&std::fs::read_to_string(self.path(path)).unwrap()).unwrap()
    }

    /// `eosin run` of the test configuration.
    pub fn run(&self, out: &str, arguments: &[&str]) -> Output {
        self.run_command(out).args(arguments).output().unwrap()
    }

    pub fn run_command(&self, out: &str) -> Command {
        let mut command = eosin();
        command
            .arg("run")
            .arg(self.path("configs/run/test.toml"))
            .arg("--data")
            .arg(self.path("tiles"))
            .arg("--out")
            .arg(self.path(out));
        command
    }

    /// `eosin train` of the test configuration.
    pub fn train(&self, arguments: &[&str]) -> Output {
        self.configured("train", "configs/run/test.toml", arguments)
    }

    /// `eosin select` of the test configuration.
    pub fn select(&self, arguments: &[&str]) -> Output {
        self.configured("select", "configs/run/test.toml", arguments)
    }

    fn configured(&self, command: &str, config: &str, arguments: &[&str]) -> Output {
        let mut process = eosin();
        process.arg(command).arg(self.path(config)).arg("--data").arg(self.path("tiles"));
        process.arg("--out").arg(self.path("out")).args(arguments).output().unwrap()
    }

    /// Changes the cells of every row of the manifest: path, label, group, split, slide and others.
    pub fn edit_rows(&self, mut edit: impl FnMut(&mut Vec<String>)) {
        let mut mend = |(i, line): (usize, String)| {
            if i == 0 {
                return line;
            }
            let mut cells = line.split(',').map(str::to_string).collect();
            edit(&mut cells);
            cells.join(",")
        };
        self.edit_manifest(|lines| lines.into_iter().enumerate().map(&mut mend).collect());
    }

    /// Adds the column `centre`, which a row's split and group tell.
    pub fn add_centres(&self, of: impl Fn(&str, &str) -> String) {
        self.edit_rows(|cells| cells.push(of(&cells[3], &cells[2])));
        self.edit_manifest(|mut lines| {
            lines[0].push_str(",centre");
            lines
        });
    }

    /// Changes the manifest's lines.
    pub fn edit_manifest(&self, edit: impl FnOnce(Vec<String>) -> Vec<String>) {
        let path = self.path("tiles/manifest.csv");
        let text = std::fs::read_to_string(&path).unwrap();
        let lines = edit(text.lines().map(str::to_string).collect());
        std::fs::write(&path, lines.join("\n") + "\n").unwrap();
    }
}

/// Changes the text of a file, which must have `from`.
#[track_caller]
pub fn change(path: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "no {from} in {text}");
    std::fs::write(path, text.replacen(from, to, 1)).unwrap();
}

/// Standard output and error together.
pub fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// Copies a folder with all that is in it.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
