// SPDX-License-Identifier: MIT OR Apache-2.0

//! How the command behaves at its edges: readers that go away, numbers that make no sense, heads
//! and files that the help offers, hints that settle what they are about.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::common::{Bench, card_of_the_program, eosin, root, text};

fn cmu() -> PathBuf {
    root().join("tests/fixtures/cmu-1-small-region.svs")
}

/// A pipe whose reader has gone before anything is written.
fn closed() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

/// A small store of imported embeddings.
fn store(folder: &Path) -> PathBuf {
    let store = folder.join("store");
    let mut import = eosin();
    import.args(["store", "import"]).arg(root().join("tests/golden/store/trident.h5"));
    let output = import.arg("--store").arg(&store).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    store
}

#[test]
fn a_reader_that_goes_away_ends_every_command_quietly() {
    let folder = tempfile::tempdir().unwrap();
    let (store, configs) = (store(folder.path()), root().join("configs"));
    let (store, configs) = (store.to_str().unwrap(), configs.to_str().unwrap());
    let cmu = cmu();
    let slide = cmu.to_str().unwrap();
    let backbone = ["--backbone", "colour-statistics", "--configs", configs, "--store", store];
    let embed = [&["embed", slide, "--tile-um", "448"][..], &backbone].concat();
    let npy = folder.path().join("a.npy");
    let commands: [&[&str]; 17] = [
        &["--help"],
        &["--version"],
        &["help", "embed"],
        &["tile", "--help"],
        &["store", "ls", "--store", store],
        &["store", "info", "--store", store],
        &["store", "verify", "--store", store],
        &["store", "compact", "--store", store],
        &["store", "gc", "--store", store],
        &["store", "export", "--store", store, "--to", "npy", "--out", npy.to_str().unwrap()],
        &["query", "--store", store],
        &["query", "SELECT * FROM tiles", "--store", store],
        &["inspect", slide],
        &["tile", slide, "--dry-run"],
        &["backbone", "ls", "--configs", configs],
        &["backbone", "show", "uni", "--configs", configs],
        &embed,
    ];
    for arguments in commands {
        let output = eosin().args(arguments).stdout(closed()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!said.contains("panicked"), "{arguments:?}: {said}");
        assert!(!said.contains("error"), "{arguments:?}: {said}");
        // 128 + SIGPIPE, which is what shells tell of a program that a broken pipe has ended.
        assert_eq!(output.status.code(), Some(141), "{arguments:?}: {said}");
    }
}

#[test]
fn a_reader_of_errors_that_goes_away_ends_commands_quietly_too() {
    let cmu = cmu();
    let folder = tempfile::tempdir().unwrap();
    let wrong: [&[&str]; 4] = [
        &["inspect", "no-such-file"],
        &["embed", "--no-such-option"],
        // The log goes to standard error as well.
        &["-vv", "tile", cmu.to_str().unwrap(), "--icc", "--dry-run", "--min-tissue", "0"],
        &["doctor", "no-such-card"],
    ];
    for arguments in wrong {
        let mut command = eosin();
        command.args(arguments).current_dir(folder.path());
        let output = command.stderr(closed()).output().unwrap();
        assert_eq!(output.status.code(), Some(141), "{arguments:?}: {}", text(&output));
    }
    // As `2>&1 | head -0` has it.
    let both = eosin().arg("inspect").arg(&cmu).stdout(closed()).stderr(closed()).status();
    assert_eq!(both.unwrap().code(), Some(141));
}

#[cfg(target_os = "linux")]
#[test]
fn output_that_cannot_be_written_is_an_error_with_its_cause() {
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    for arguments in [&["backbone", "show", "uni"][..], &["backbone", "ls"]] {
        let mut command = eosin();
        command.args(arguments).arg("--configs").arg(root().join("configs"));
        let output = command.stdout(full()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(4), "{said}");
        for part in ["error: could not write standard output", "because: No space left", "hint: "] {
            assert!(said.contains(part), "no {part} in {said}");
        }
    }
}

#[track_caller]
fn refused(output: &Output, code: i32, expected: &[&str]) {
    let said = text(output);
    assert_eq!(output.status.code(), Some(code), "{said}");
    for part in expected {
        assert!(said.contains(part), "no {part:?} in\n{said}");
    }
    assert!(!said.contains("panicked"), "{said}");
}

#[test]
fn every_number_on_the_command_line_is_bounded() {
    // Where something is taken after all, it is done there.
    let folder = tempfile::tempdir().unwrap();
    let cmu = cmu();
    let slide = cmu.to_str().unwrap();
    let whole = |to: &str| format!("expected a whole number from {to}, found");
    let real = |to: &str| format!("expected a number {to}, found");
    let numbers: &[(&[&str], &str, &[&str], String)] = &[
        (
            &["embed", slide],
            "--batch-size",
            &["0", "-1", "65537", "1e18", "nan"],
            whole("1 to 65536"),
        ),
        (&["embed", slide], "--views", &["0", "1", "257", "65536", "-8", "2.5"], whole("2 to 256")),
        (
            &["embed", slide],
            "--seed",
            &["-1", "1e18", "18446744073709551616"],
            whole("0 to 2^64 - 1"),
        ),
        (&["store", "ls"], "--threads", &["1000000", "-1", "1e3", "many"], whole("0 to 1024")),
        (
            &["tile", slide],
            "--tile-um",
            &["0", "-112", "nan", "inf", "1e300", "x"],
            real("above 0, at most 100000"),
        ),
        (&["tile", slide], "--tile-px", &["0", "4097", "-1", "1e18", "224.5"], whole("1 to 4096")),
        (&["tile", slide], "--mpp", &["nan", "-1", "0", "1e300"], real("from 0.01 to 100")),
        (&["tile", slide], "--overlap", &["1", "-0.1", "nan"], real("from 0 to 0.95")),
        (&["tile", slide], "--min-tissue", &["1.1", "-1", "nan"], real("from 0 to 1")),
        (&["predict", slide, "--head", "h", "--out", "o"], "--tile-px", &["0"], whole("1 to 4096")),
        (&["store", "gc"], "--min-age", &["-1", "99999999999", "0.5"], whole("0 to 52560000")),
        (&["query"], "--limit", &["-1", "1e18", "all"], whole("0 to 1000000000")),
    ];
    for (command, option, values, expected) in numbers {
        for value in *values {
            let mut process = eosin();
            process.args(*command).args([option, value]).current_dir(folder.path());
            let output = process.output().unwrap();
            // The option, what it takes, and what was found.
            refused(&output, 2, &[option, &format!("{expected} {value}")]);
        }
    }
}

#[test]
fn every_number_of_a_run_is_bounded() {
    let bench = Bench::new();
    let cases = [
        (
            "folds = 2, repeats = 1, probes",
            "folds = 1, repeats = 1, probes",
            "`selection.folds` to be a whole number from 2 to 1000, found 1",
        ),
        (
            "folds = 2, repeats = 1, probes",
            "folds = 2, repeats = 1000000000, probes",
            "`selection.repeats` to be a whole number from 1 to 1000",
        ),
        (
            "controls = false",
            "controls = false, rope = nan",
            "`selection.rope` to be a number from 0 to 1, found nan",
        ),
        ("pca = 0", "pca = -1", "`selection.pca` to be a whole number from 0 to 65536, found -1"),
        ("training = { folds = 2 }", "training = { folds = 0 }", "`training.folds`"),
        (
            "training = { folds = 2 }",
            "training = { folds = 2, decision = { certainty = inf } }",
            "`training.decision.certainty`",
        ),
        (
            "batch_size = 4",
            "batch_size = 0",
            "`engine.batch_size` to be a whole number from 1 to 65536",
        ),
        ("batch_size = 4", "batch_size = 4, device = \"cuda:999\"", "cuda:N"),
        (
            "replicates = 100",
            "replicates = 1",
            "`evaluation.replicates` to be a whole number from 100",
        ),
        ("replicates = 100", "replicates = 100, level = 1e300", "`evaluation.level`"),
        ("seed = 3", "seed = -3", "`seed` to be a whole number from 0"),
        (
            "{ kind = \"knn\" }",
            "{ kind = \"knn\", options = { k = 0 } }",
            "`selection.probes.options.k`",
        ),
    ];
    for (from, to, expected) in cases {
        let run = std::fs::read_to_string(bench.write_run("")).unwrap();
        assert!(run.contains(from), "{from}");
        std::fs::write(bench.path("configs/run/test.toml"), run.replacen(from, to, 1)).unwrap();
        refused(&bench.run("out", &["--dry-run"]), 3, &["test.toml", expected, "hint: "]);
        assert!(!bench.path("out").exists());
    }
}

#[test]
fn every_number_of_a_component_is_bounded() {
    let bench = Bench::new();
    bench.write_run("");
    let heads = [
        ("logistic", "tolerance = nan", "`options.tolerance`"),
        ("logistic", "penalties = [1.0, -1.0]", "`options.penalties` to be a number from 0"),
        ("logistic", "max_passes = -1", "`options.max_passes`"),
        ("knn", "ks = [20, 0]", "`options.ks` to be a whole number from 1"),
        ("nearest-mean", "temperatures = [0.0]", "`options.temperatures` to be a number above 0"),
        ("lda", "shrinkages = [1.5]", "`options.shrinkages`"),
        ("mlp", "hidden = 1000000000000", "`options.hidden` to be a whole number from 1 to 65536"),
        ("mlp", "epochs = 0", "`options.epochs`"),
        ("mlp", "dropout = 1.0", "`options.dropout`"),
        ("abmil", "attention = 0", "`options.attention`"),
        ("isda", "lambda = inf", "`options.lambda`"),
        (
            "mean-pool",
            "head = { kind = \"knn\", options = { ks = [0] } }",
            "`options.head.options.ks`",
        ),
    ];
    for (kind, option, expected) in heads {
        let file = bench.path("configs/head/bounded.toml");
        std::fs::write(file, format!("kind = \"{kind}\"\noptions = {{ {option} }}\n")).unwrap();
        let output = bench.train(&["--head", "bounded", "--no-augment", "--dry-run"]);
        refused(&output, 3, &["bounded.toml", expected]);
    }
    let augment = [
        ("gaussian-noise", "gamma = -1.0", "`transforms.options.gamma`"),
        ("gaussian-noise", "copies = 1000000000", "`transforms.options.copies`"),
        ("smote", "k = 0", "`transforms.options.k`"),
        ("mixup", "alpha = nan", "`transforms.options.alpha`"),
    ];
    for (kind, option, expected) in augment {
        let text = format!("[[transforms]]\nkind = \"{kind}\"\noptions = {{ {option} }}\n");
        std::fs::write(bench.path("configs/augment/noise.toml"), text).unwrap();
        refused(&bench.run("out", &["--dry-run"]), 3, &["noise.toml", expected]);
    }
    let views = "transforms = []\n[views]\nn_views = 1\n";
    std::fs::write(bench.path("configs/augment/noise.toml"), views).unwrap();
    refused(&bench.run("out", &["--dry-run"]), 3, &["`views.n_views`", "from 2 to 256, found 1"]);
    let tiling = bench.path("bad.toml");
    for (line, expected) in [
        ("mpp = -1.0", "`mpp` to be a number from 0.01 to 100, found -1"),
        ("cache_mib = 99999999", "`cache_mib`"),
        ("tissue = { thumbnail_px = 1000000 }", "`tissue.thumbnail_px`"),
        ("tissue = { min_area = nan }", "`tissue.min_area`"),
        ("max_upsampling = 1e300", "`max_upsampling`"),
    ] {
        std::fs::write(&tiling, format!("tile_um = 112.0\ntile_px = 224\n{line}\n")).unwrap();
        let output =
            eosin().arg("tile").arg(cmu()).arg("--dry-run").arg("--tiling").arg(&tiling).output();
        refused(&output.unwrap(), 3, &["bad.toml", expected]);
    }
}

/// The demo's tiles, those of one place and class as a slide, so that heads of slides have some.
fn with_slides(bench: &Bench) {
    bench.edit_manifest(|lines| {
        let header: Vec<String> = lines[0].split(',').map(str::to_string).collect();
        let at = |name: &str| header.iter().position(|c| c == name).unwrap();
        let (label, group, slide) = (at("label"), at("group"), at("slide"));
        let mend = |(i, line): (usize, String)| {
            if i == 0 {
                return line;
            }
            let mut cells: Vec<String> = line.split(',').map(str::to_string).collect();
            cells[slide] = format!("{}-{}", cells[group], cells[label]);
            cells.join(",")
        };
        lines.into_iter().enumerate().map(mend).collect()
    });
}

/// The kinds that the help of `train` names.
fn offered() -> Vec<String> {
    let help = text(&eosin().args(["train", "--help"]).env("COLUMNS", "400").output().unwrap());
    let line = help.replace('\n', " ").split_whitespace().collect::<Vec<_>>().join(" ");
    let list = line.split("usual options: ").nth(1).unwrap().split(';').next().unwrap();
    list.replace(" or ", ", ").split(", ").map(|kind| kind.trim().to_string()).collect()
}

#[test]
fn every_head_that_the_help_offers_is_trained_and_predicts() {
    let bench = Bench::new();
    bench.write_run("");
    with_slides(&bench);
    let kinds = offered();
    let known = eosin::default_registry();
    let mut registered: Vec<&str> = [known.heads.names(), known.slide_heads.names()].concat();
    registered.sort_unstable();
    let mut sorted: Vec<&str> = kinds.iter().map(String::as_str).collect();
    sorted.sort_unstable();
    assert_eq!(sorted, registered, "the help and the registry name other heads");
    // Kinds serve where nobody has written a file for them.
    std::fs::remove_dir_all(bench.path("configs/head")).unwrap();
    std::fs::create_dir(bench.path("configs/head")).unwrap();
    std::fs::write(bench.path("configs/head/logistic.toml"), "kind = \"logistic\"\n").unwrap();
    let heads: Vec<&str> = kinds.iter().flat_map(|kind| ["--head", kind.as_str()]).collect();
    let trained = bench.train(&[&heads[..], &["--no-augment"]].concat());
    assert!(trained.status.success(), "{}", text(&trained));
    for kind in &kinds {
        let name = format!("demo-microcalcification-{kind}-efficientnet-lite0.safetensors");
        let head = bench.path("out/heads").join(name);
        let scores = bench.path("scores.csv");
        let mut predict = eosin();
        predict.arg("predict").arg(bench.path("tiles/manifest.csv")).arg("--head").arg(&head);
        predict.arg("--out").arg(&scores).arg("--store").arg(bench.path("out/store"));
        let output = predict.arg("--configs").arg(bench.path("configs")).output().unwrap();
        assert!(output.status.success(), "{kind}: {}", text(&output));
        assert!(std::fs::read_to_string(&scores).unwrap().lines().count() > 2, "{kind}");
        std::fs::remove_file(&scores).unwrap();
        let inspected = text(&eosin().arg("inspect").arg(&head).output().unwrap());
        assert!(inspected.contains("head") && inspected.contains(kind.as_str()), "{inspected}");
        let card = eosin().args(["head", "card"]).arg(&head).output().unwrap();
        assert!(card.status.success(), "{kind}: {}", text(&card));
    }
    // An example of the help is one of them, by its file.
    let example = text(&eosin().args(["train", "--help"]).output().unwrap());
    assert!(example.contains("--head knn"), "{example}");
    assert!(root().join("configs/head/knn.toml").is_file());
}

#[test]
fn a_head_that_is_neither_a_file_nor_a_kind_names_what_is_there() {
    let bench = Bench::new();
    bench.write_run("");
    let output = bench.train(&["--head", "nearest"]);
    refused(&output, 5, &["head `nearest`", "nearest-mean", "hint: "]);
}

#[test]
fn inspect_reads_every_kind_that_its_help_names() {
    let bench = Bench::new();
    bench.write_run("");
    let help = text(&eosin().args(["inspect", "--help"]).output().unwrap());
    let kinds = [
        "Slides",
        "annotations",
        "CSV or",
        "Parquet",
        "folders of tiles",
        "stores",
        "heads",
        "PyTorch",
        "ONNX",
    ];
    for kind in kinds {
        assert!(help.contains(kind), "no {kind} in {help}");
    }
    let trained = bench.train(&["--no-augment"]);
    assert!(trained.status.success(), "{}", text(&trained));
    let head =
        bench.path("out/heads/demo-microcalcification-logistic-efficientnet-lite0.safetensors");
    let weights = root().join("crates/eosin-backbone/assets/efficientnet-lite0.f16.safetensors");
    // A manifest as Parquet, by the command's own answer to a query.
    let parquet = bench.path("tiles/manifest.parquet");
    let mut query = eosin();
    let table = format!("m={}", bench.path("tiles/manifest.csv").display());
    query.args(["query", "SELECT * FROM m", "--table", &table, "--out"]).arg(&parquet);
    let output = query.arg("--store").arg(bench.path("none")).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let onnx = bench.path("network.onnx");
    std::fs::write(&onnx, b"\x08\x08").unwrap();
    let annotations = root().join("tests/golden/annotation/asap.xml");
    let cases: [(&Path, &[&str]); 9] = [
        (&annotations, &["annotations", "asap", "metastases"]),
        (&cmu(), &["slide", "2220 × 2967", "0.499"]),
        (&bench.path("tiles/manifest.csv"), &["manifest", "77", "microcalcification"]),
        (&parquet, &["manifest", "77", "microcalcification"]),
        (&bench.path("tiles"), &["folder of tiles", "77"]),
        (&bench.path("out/store"), &["embedding store", "efficientnet-lite0", "77 rows"]),
        (&head, &["head", "logistic", "classes"]),
        (&weights, &["weights", "tensors", "values", "SHA-256", "blocks.0"]),
        (&onnx, &["ONNX", "bytes", "SHA-256"]),
    ];
    for (path, expected) in cases {
        let output = eosin().arg("inspect").arg(path).output().unwrap();
        assert!(output.status.success(), "{}: {}", path.display(), text(&output));
        for part in expected {
            assert!(text(&output).contains(part), "no {part} in {}", text(&output));
        }
    }
    // A checkpoint of PyTorch, as its tests have them.
    let torch = checkpoints();
    assert!(!torch.is_empty(), "no checkpoint among the fixtures");
    for path in torch {
        let output = eosin().arg("inspect").arg(&path).output().unwrap();
        assert!(output.status.success(), "{}: {}", path.display(), text(&output));
        assert!(text(&output).contains("weights"), "{}", text(&output));
    }
    // A head that is damaged is not taken for weights.
    let mut bytes = std::fs::read(&head).unwrap();
    let at = bytes.windows(9).position(|w| w == b"\"version\\").unwrap_or(200);
    bytes[at + 3] = b'#';
    std::fs::write(&head, bytes).unwrap();
    let output = eosin().arg("inspect").arg(&head).output().unwrap();
    refused(&output, 3, &["head", "hint: "]);
}

/// Checkpoints of PyTorch among the golden files.
fn checkpoints() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join("tests/golden"), root().join("crates/eosin-backbone/tests")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "pth" || e == "pt") {
                found.push(path);
            }
        }
    }
    found
}

#[test]
fn a_hint_names_accept_where_it_settles_the_matter() {
    let bench = Bench::new();
    bench.write_run("");
    let trained = bench.train(&["--no-augment"]);
    assert!(trained.status.success(), "{}", text(&trained));
    let head =
        bench.path("out/heads/demo-microcalcification-logistic-efficientnet-lite0.safetensors");
    let predict = |extra: &[&str]| {
        let mut command: Command = eosin();
        command.arg("predict").arg(cmu()).args(["--tile-um", "448", "--min-tissue", "0.5"]);
        command.arg("--head").arg(&head).arg("--out").arg(bench.path("scores.csv"));
        command.arg("--store").arg(bench.path("out/store"));
        command.arg("--configs").arg(bench.path("configs")).args(extra).output().unwrap()
    };
    for dry_run in [&[][..], &["--dry-run"]] {
        let refused = predict(dry_run);
        assert_eq!(refused.status.code(), Some(6), "{}", text(&refused));
        let said = text(&refused);
        let hint = said.lines().find(|line| line.starts_with("hint: ")).unwrap();
        assert!(hint.contains("--accept"), "{hint}");
        // What the hint says is enough, and no more than is needed.
        let flags: Vec<&str> =
            hint.split_whitespace().skip_while(|word| *word != "--accept").collect();
        let accepted = predict(&[&flags[..], dry_run].concat());
        assert!(accepted.status.success(), "{flags:?}: {}", text(&accepted));
        assert_eq!(predict(&[&flags[2..], dry_run].concat()).status.code(), Some(6));
    }
    // Another network is no matter of how tiles were cut.
    let card = bench.path("configs/backbone/efficientnet-lite0.toml");
    let changed = card_of_the_program("efficientnet-lite0")
        .replace("pooling = \"average\"", "pooling = \"centre\"");
    std::fs::write(&card, changed).unwrap();
    let refused = predict(&[]);
    assert_eq!(refused.status.code(), Some(6), "{}", text(&refused));
    let mut hints = String::new();
    text(&refused).lines().filter(|l| l.starts_with("hint: ")).for_each(|l| {
        let _ = write!(hints, "{l}");
    });
    assert!(!hints.contains("--accept"), "{hints}");
}
