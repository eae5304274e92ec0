// SPDX-License-Identifier: MIT OR Apache-2.0

//! Committed rows stay until their successors are committed, and files of one name never mix.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use eosin::crates::core::{EmbeddingStore, NoProgress, RgbImage};
use eosin::crates::store::{ParquetStore, RowKey};

use crate::common::{Bench, eosin, root, text};

/// Side of a slide in pixels, and of its tiles: 5 × 5 tiles.
const SIDE: u32 = 320;
const N_SLIDE_TILES: usize = 25;
const GRID: [&str; 8] = ["--tile-um", "32", "--tile-px", "64", "--mpp", "0.5", "--min-tissue", "0"];

/// A folder with files, and a store in it.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, command: &[&str], store: &str) -> Command {
        let mut process = eosin();
        process.args(command).arg("--store").arg(self.path(store));
        process
    }

    fn embed_command(&self, input: &str, store: &str, arguments: &[&str]) -> Command {
        let mut process = self.command(&["embed"], store);
        process.arg(self.path(input)).args(["--backbone", "colour-statistics", "--configs"]);
        process.arg(root().join("configs")).args(arguments);
        process
    }

    fn embed_with(&self, input: &str, arguments: &[&str]) -> Output {
        self.embed_command(input, "store", arguments).output().unwrap()
    }

    /// What embedding says, which must end well.
    fn embed(&self, input: &str, arguments: &[&str]) -> String {
        let output = self.embed_with(input, arguments);
        assert!(output.status.success(), "{input} {arguments:?}: {}", text(&output));
        text(&output)
    }

    fn embed_slide(&self, input: &str, arguments: &[&str]) -> String {
        self.embed(input, &[&GRID[..], arguments].concat())
    }

    fn ok(&self, command: &[&str]) -> String {
        let output = self.command(command, "store").output().unwrap();
        assert!(output.status.success(), "{command:?}: {}", text(&output));
        text(&output)
    }

    fn rows(&self) -> BTreeMap<RowKey, Vec<u32>> {
        rows(&self.path("store"))
    }

    /// A manifest of `n` tiles of flat colours, `<folder>/t/<i>.png`.
    fn manifest(&self, folder: &str, n: usize, salt: u8) {
        let mut csv = "path\n".to_string();
        fs::create_dir_all(self.path(folder).join("t")).unwrap();
        for i in 0..n {
            self.tile(folder, i, salt);
            writeln!(csv, "t/{i}.png").unwrap();
        }
        fs::write(self.path(folder).join("manifest.csv"), csv).unwrap();
    }

    fn tile(&self, folder: &str, i: usize, salt: u8) {
        let colour = [i as u8, (i / 256) as u8 * 40 + 7, salt];
        let path = self.path(folder).join(format!("t/{i}.png"));
        eosin::write_png(&path, &RgbImage::filled(16, 16, colour)).unwrap();
    }

    /// Writes a slide that is a TIFF without compression; `salt` changes its every pixel.
    fn slide(&self, name: &str, salt: u8) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, tiff(SIDE, salt)).unwrap();
        set_time(&path, 1_000_000);
    }
}

/// An uncompressed RGB image of one strip, whose pixels follow the header.
fn tiff(side: u32, salt: u8) -> Vec<u8> {
    const N_TAGS: u32 = 10;
    let pixels_at = 8 + 2 + N_TAGS * 12 + 4 + 8;
    let bits_at = pixels_at - 8;
    let tags: [(u16, u16, u32, u32); N_TAGS as usize] = [
        (256, 4, 1, side),
        (257, 4, 1, side),
        (258, 3, 3, bits_at),
        (259, 3, 1, 1),
        (262, 3, 1, 2),
        (273, 4, 1, pixels_at),
        (277, 3, 1, 3),
        (278, 4, 1, side),
        (279, 4, 1, side * side * 3),
        (284, 3, 1, 1),
    ];
    let mut bytes = b"II*\0\x08\0\0\0".to_vec();
    bytes.extend((N_TAGS as u16).to_le_bytes());
    for (tag, kind, count, value) in tags {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(kind.to_le_bytes());
        bytes.extend(count.to_le_bytes());
        bytes.extend(value.to_le_bytes());
    }
    bytes.extend([0; 4]);
    bytes.extend([8, 0, 8, 0, 8, 0, 0, 0]);
    assert_eq!(bytes.len(), pixels_at as usize);
    for y in 0..side {
        for x in 0..side {
            bytes.extend([(x / 2) as u8, (y / 2) as u8, salt]);
        }
    }
    bytes
}

fn set_time(path: &Path, seconds: u64) {
    let file = File::options().write(true).open(path).unwrap();
    file.set_modified(UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
}

/// Changes 3,000 bytes in the middle of a file, and neither its length nor its time.
fn change_the_middle(path: &Path) {
    let time: SystemTime = fs::metadata(path).unwrap().modified().unwrap();
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 3000].fill(255);
    fs::write(path, bytes).unwrap();
    File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
}

/// Every row of a store of one set, by its key; rows that are there twice fail the test.
fn rows(store: &Path) -> BTreeMap<RowKey, Vec<u32>> {
    let store = ParquetStore::open(store).unwrap();
    let sets = store.sets().unwrap();
    assert_eq!(sets.len(), 1, "{sets:?}");
    let mut rows = BTreeMap::new();
    store
        .scan(&sets[0].fingerprint, &mut |batch| {
            for (i, meta) in batch.metas.iter().enumerate() {
                let bits = batch.embeddings.row(i).iter().map(|v| v.to_bits()).collect();
                let key = RowKey::of(meta, batch.views[i]);
                assert!(rows.insert(key, bits).is_none(), "{} is there twice", meta.tile_id);
            }
            Ok(())
        })
        .unwrap();
    rows
}

fn is_clean(store: &Path) -> bool {
    let store = ParquetStore::open(store).unwrap();
    let sets = store.sets().unwrap();
    sets.iter().all(|s| store.verify(&s.fingerprint, &NoProgress).unwrap().is_clean())
}

#[test]
fn rows_stay_where_images_are_away() {
    let place = Place::new();
    place.manifest("data", 30, 1);
    assert!(place.embed("data/manifest.csv", &[]).contains("30 tiles embedded"));
    let before = place.rows();
    fs::rename(place.path("data/t"), place.path("away")).unwrap();
    let said = place.embed("data/manifest.csv", &[]);
    assert!(
        said.contains("0 tiles embedded, 30 there already (30 of them cannot be read now)"),
        "{said}"
    );
    assert_eq!(place.rows(), before);
    // Half of them back, and one that is not sound.
    fs::create_dir(place.path("data/t")).unwrap();
    for i in 0..15 {
        fs::rename(place.path(&format!("away/{i}.png")), place.path(&format!("data/t/{i}.png")))
            .unwrap();
    }
    fs::write(place.path("data/t/3.png"), "no image").unwrap();
    let output = place.embed_with("data/manifest.csv", &[]);
    assert_eq!(output.status.code(), Some(8), "{}", text(&output));
    assert!(text(&output).contains("29 there already (15 of them"), "{}", text(&output));
    assert_eq!(place.rows(), before);
}

#[test]
fn a_manifest_that_was_moved_with_its_images_is_the_same_tiles() {
    let place = Place::new();
    place.manifest("data", 4, 1);
    place.embed("data/manifest.csv", &[]);
    let before = place.rows();
    fs::rename(place.path("data"), place.path("moved")).unwrap();
    assert!(place.embed("moved/manifest.csv", &[]).contains("0 tiles embedded, 4 there already"));
    // Moved, and its images away since.
    fs::rename(place.path("moved/t"), place.path("away")).unwrap();
    assert!(place.embed("moved/manifest.csv", &[]).contains("(4 of them cannot be read now)"));
    assert_eq!(place.rows(), before);
}

#[test]
fn a_run_on_images_that_are_away_uses_what_is_committed_or_says_what_is_missing() {
    let bench = Bench::new();
    bench.write_run("");
    let first = bench.run("out", &[]);
    assert!(first.status.success(), "{}", text(&first));
    let n_rows = || -> Vec<u64> {
        let sets = ParquetStore::open(bench.path("out/store")).unwrap().sets().unwrap();
        sets.iter().map(|s| s.n_rows).collect()
    };
    let (before, report) = (n_rows(), fs::read_to_string(bench.path("out/report.json")).unwrap());
    for entry in fs::read_dir(bench.path("tiles")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() || path.extension().is_some_and(|e| e == "png") {
            let away = bench.path("away");
            fs::create_dir_all(&away).unwrap();
            fs::rename(&path, away.join(path.file_name().unwrap())).unwrap();
        }
    }
    let again = bench.run("out", &[]);
    assert!(again.status.success(), "{}", text(&again));
    assert!(text(&again).contains("77 tiles cannot be read now"), "{}", text(&again));
    assert_eq!(n_rows(), before);
    let gains =
        |report: &str| serde_json::from_str::<serde_json::Value>(report).unwrap()["gains"].clone();
    let now = fs::read_to_string(bench.path("out/report.json")).unwrap();
    assert_eq!(gains(&now), gains(&report), "the rows are the same");

    let fresh = bench.run("fresh", &[]);
    assert_eq!(fresh.status.code(), Some(3), "{}", text(&fresh));
    for says in ["manifest.csv", "none of 77", "disk mounted"] {
        assert!(text(&fresh).contains(says), "{says}: {}", text(&fresh));
    }
}

#[test]
fn slides_of_one_name_stay_two_slides() {
    let place = Place::new();
    place.slide("a/x.tiff", 10);
    place.slide("b/x.tiff", 200);
    assert!(place.embed_slide("a/x.tiff", &[]).contains("25 tiles embedded"));
    let alone = place.rows();
    assert!(place.embed_slide("b/x.tiff", &[]).contains("25 tiles embedded, 0 there already"));
    for name in ["a/x.tiff", "b/x.tiff"] {
        assert!(place.embed_slide(name, &[]).contains("0 tiles embedded, 25 there already"));
    }
    let both = place.rows();
    assert_eq!(both.len(), 2 * N_SLIDE_TILES);
    for (key, row) in &alone {
        assert_eq!(both[key], *row, "the first slide's rows are as they were");
    }
    let digests: BTreeSet<&String> = both.keys().map(|key| &key.source_digest).collect();
    assert_eq!(digests.len(), 2);

    // They are shown and exported apart.
    let info = place.ok(&["store", "info"]);
    assert!(info.contains("a/x.tiff") && info.contains("b/x.tiff"), "{info}");
    let of = |name: &str| {
        let line = info.lines().find(|l| l.trim().starts_with(name)).unwrap().to_string();
        line.split_whitespace().last().unwrap().to_string()
    };
    assert_eq!(of("slides"), "2", "{info}");
    let sql = "SELECT slide, COUNT(*) AS n FROM tiles GROUP BY slide";
    let answer = place.ok(&["query", sql]);
    assert_eq!(answer.matches(" 25 ").count(), 2, "{answer}");
    let trident = place.path("trident");
    let export = ["store", "export", "--to", "trident", "--out", trident.to_str().unwrap()];
    assert_eq!(place.ok(&export).lines().count(), 2);
    assert_eq!(fs::read_dir(&trident).unwrap().count(), 2);
}

#[test]
fn views_of_slides_of_one_name_do_not_mix() {
    let place = Place::new();
    place.slide("a/x.tiff", 10);
    place.slide("b/x.tiff", 200);
    for name in ["a/x.tiff", "b/x.tiff"] {
        assert!(place.embed_slide(name, &["--views", "3"]).contains("25 tiles embedded"));
    }
    assert_eq!(place.rows().len(), 4 * N_SLIDE_TILES);
    assert!(place.embed_slide("a/x.tiff", &["--views", "3"]).contains("25 there already"));
}

#[test]
fn slides_of_one_name_are_cut_into_folders_of_their_own() {
    let place = Place::new();
    place.slide("a/x.tiff", 10);
    place.slide("b/x.tiff", 200);
    let mut cut = eosin();
    cut.arg("tile").args([place.path("a/x.tiff"), place.path("b/x.tiff")]).args(GRID);
    let output = cut.arg("--out").arg(place.path("cut")).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let manifest = fs::read_to_string(place.path("cut/manifest.csv")).unwrap();
    let slides: BTreeSet<&str> =
        manifest.lines().skip(1).map(|line| line.split(',').nth(1).unwrap()).collect();
    assert_eq!(slides.len(), 2, "{slides:?}");
    assert_eq!(manifest.lines().count(), 1 + 2 * N_SLIDE_TILES);
    for line in manifest.lines().skip(1) {
        assert!(place.path("cut").join(line.split(',').next().unwrap()).is_file(), "{line}");
    }
}

#[test]
fn manifests_and_folders_of_equal_names_stay_apart() {
    for input in ["manifest.csv", "t"] {
        let place = Place::new();
        place.manifest("a", 5, 1);
        place.manifest("b", 5, 200);
        for folder in ["a", "b"] {
            let said = place.embed(&format!("{folder}/{input}"), &[]);
            assert!(said.contains("5 tiles embedded, 0 there already"), "{said}");
        }
        let said = place.embed(&format!("a/{input}"), &[]);
        assert!(said.contains("0 tiles embedded, 5 there already"), "{said}");
        let rows = place.rows();
        assert_eq!(rows.len(), 10);
        let contents: BTreeSet<&Vec<u32>> = rows.values().collect();
        assert_eq!(contents.len(), 10, "every tile has its own row");
        // Content that is equal under an equal name is one tile.
        place.manifest("c", 5, 200);
        assert!(place.embed(&format!("c/{input}"), &[]).contains("5 there already"));
    }
}

#[test]
fn predictions_are_of_the_input_whatever_else_has_its_names() {
    let bench = Bench::new();
    bench.write_run("");
    let trained = bench.train(&["--backbone", "colour-statistics", "--no-augment"]);
    assert!(trained.status.success(), "{}", text(&trained));
    let place = Place::new();
    place.manifest("a", 6, 1);
    place.manifest("b", 6, 200);
    let head =
        bench.path("out/heads/demo-microcalcification-logistic-colour-statistics.safetensors");
    let predict = |folder: &str, store: &str| {
        let out = place.path("scores.csv");
        let mut command = place.command(&["predict"], store);
        command.arg(place.path(folder).join("manifest.csv")).arg("--head").arg(&head);
        command.arg("--out").arg(&out).arg("--configs").arg(bench.path("configs"));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        fs::read_to_string(out).unwrap()
    };
    let (a, b) = (predict("a", "alone a"), predict("b", "alone b"));
    assert_ne!(a, b);
    for (folder, expected) in [("a", &a), ("b", &b), ("a", &a), ("b", &b)] {
        assert_eq!(predict(folder, "shared"), *expected, "{folder}");
    }
}

#[test]
fn imports_of_equal_names_stay_apart_and_a_changed_file_takes_its_own_place() {
    let npy = |value: f32| {
        let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }";
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend(118_u16.to_le_bytes());
        bytes.extend(format!("{header:<117}\n").bytes());
        bytes.extend((0..6).flat_map(|i| (value + i as f32).to_le_bytes()));
        bytes
    };
    let place = Place::new();
    for (folder, value) in [("a", 1.0), ("b", 100.0)] {
        fs::create_dir(place.path(folder)).unwrap();
        fs::write(place.path(folder).join("x.npy"), npy(value)).unwrap();
    }
    let import = |folder: &str| {
        let file = place.path(folder).join("x.npy");
        place.ok(&["store", "import", file.to_str().unwrap(), "--backbone", "uni"])
    };
    assert!(import("a").contains("imported,"));
    assert!(import("b").contains("imported,"));
    assert!(import("a").contains("there already"));
    let before = place.rows();
    assert_eq!(before.len(), 6);
    fs::write(place.path("a/x.npy"), npy(500.0)).unwrap();
    assert!(import("a").contains("in place of 3"));
    let after = place.rows();
    assert_eq!(after.len(), 6);
    assert_eq!(after.keys().filter(|key| before.contains_key(key)).count(), 3, "b is as it was");
    assert!(is_clean(&place.path("store")));
}

#[test]
fn many_changed_files_are_replaced_by_leave_alone() {
    let place = Place::new();
    place.manifest("data", 30, 1);
    place.embed("data/manifest.csv", &[]);
    let before = place.rows();
    (0..25).for_each(|i| place.tile("data", i, 77));
    let refused = place.embed_with("data/manifest.csv", &[]);
    assert_eq!(refused.status.code(), Some(2), "{}", text(&refused));
    for says in ["25 of 30", "10 %", "--replace"] {
        assert!(text(&refused).contains(says), "{says}: {}", text(&refused));
    }
    assert_eq!(place.rows(), before, "nothing was touched");
    let said = place.embed("data/manifest.csv", &["--replace"]);
    assert!(said.contains("25 tiles embedded, 5 there already, 25 rows"), "{said}");
    let after = place.rows();
    assert_eq!(after.len(), 30);
    assert_eq!(after.keys().filter(|key| before.contains_key(key)).count(), 5);
    assert!(is_clean(&place.path("store")));
    // A few need no leave.
    (0..3).for_each(|i| place.tile("data", i, 78));
    assert!(place.embed("data/manifest.csv", &[]).contains("3 tiles embedded, 27 there already"));
    assert_eq!(place.rows().len(), 30);
}

#[test]
fn runs_and_trainings_ask_before_they_replace_many_rows() {
    let bench = Bench::new();
    bench.write_run("");
    let trained = bench.train(&["--no-augment"]);
    assert!(trained.status.success(), "{}", text(&trained));
    let manifest = fs::read_to_string(bench.path("tiles/manifest.csv")).unwrap();
    let names: Vec<&str> = manifest.lines().skip(1).map(|l| l.split(',').next().unwrap()).collect();
    for (i, name) in names.iter().take(30).enumerate() {
        let tile = RgbImage::filled(224, 224, [200, i as u8 * 3, 180]);
        eosin::write_png(&bench.path("tiles").join(name), &tile).unwrap();
    }
    for refused in [bench.run("out", &[]), bench.train(&["--no-augment"])] {
        assert_eq!(refused.status.code(), Some(2), "{}", text(&refused));
        let said = text(&refused);
        assert!(said.contains("30 of 77") && said.contains("--replace"), "{said}");
    }
    // The new tiles are all alike.
    let alike = ["--allow-leakage", "flat tiles on purpose"];
    let replaced = bench.train(&[&["--no-augment", "--replace"], &alike[..]].concat());
    assert!(replaced.status.success(), "{}", text(&replaced));
    assert_eq!(rows(&bench.path("out/store")).len(), 77);
}

#[test]
fn a_kill_while_changed_files_are_embedded_leaves_the_old_row_or_the_new_of_every_tile() {
    const N: usize = 300;
    let place = Place::new();
    place.manifest("data", N, 1);
    let arguments = ["--batch-size", "4", "--replace"];
    place.embed("data/manifest.csv", &arguments);
    let old = place.rows();
    (0..N).for_each(|i| place.tile("data", i, 77));
    let undisturbed = place.embed_command("data/manifest.csv", "new", &arguments).output().unwrap();
    assert!(undisturbed.status.success(), "{}", text(&undisturbed));
    let new = rows(&place.path("new"));

    let committed = || {
        let rows = place.rows();
        for (key, row) in &rows {
            let known = old.get(key).or_else(|| new.get(key));
            assert_eq!(known, Some(row), "{key:?}");
        }
        let tiles: BTreeSet<&String> = rows.keys().map(|key| &key.tile_id).collect();
        assert_eq!((rows.len(), tiles.len()), (N, N), "one row of every tile, old or new");
        rows.keys().filter(|key| new.contains_key(key)).count()
    };
    let n_commits = || {
        let set = fs::read_dir(place.path("store")).unwrap().next().unwrap().unwrap().path();
        fs::read_dir(set.join("_log")).unwrap().count()
    };
    let (mut n_kills, mut n_partial) = (0, 0);
    loop {
        let before = n_commits();
        let mut child =
            place.embed_command("data/manifest.csv", "store", &arguments).spawn().unwrap();
        let started = Instant::now();
        // Killed a little after something new is committed, or is about to be.
        let ended = loop {
            if child.try_wait().unwrap().is_some() {
                break true;
            }
            if n_commits() > before {
                break false;
            }
            assert!(started.elapsed() < Duration::from_mins(5), "the embedding does not end");
            std::thread::sleep(Duration::from_millis(1));
        };
        std::thread::sleep(Duration::from_millis(n_kills * 5 % 23));
        child.kill().unwrap();
        child.wait().unwrap();
        let n_new = committed();
        assert!(is_clean(&place.path("store")));
        n_kills += u64::from(!ended);
        n_partial += usize::from(n_new > 0 && n_new < N);
        if ended || n_new == N {
            break;
        }
    }
    eprintln!("{n_kills} kills, {n_partial} with some of the rows replaced");
    assert!(n_kills > 0, "the embedding was never killed");
    assert!(place.embed("data/manifest.csv", &arguments).contains("0 tiles embedded, 300 there"));
    assert_eq!(place.rows(), new, "the rows are those of an undisturbed run");
}

#[test]
fn writers_at_once_of_changed_files_lose_nothing() {
    const N: usize = 80;
    let place = Place::new();
    place.manifest("data", N, 1);
    place.manifest("other", N, 40);
    place.embed("data/manifest.csv", &[]);
    (0..N).for_each(|i| place.tile("data", i, 77));
    let arguments = ["--batch-size", "4", "--replace"];
    let children = ["data", "other", "data"].map(|folder| {
        let input = format!("{folder}/manifest.csv");
        place.embed_command(&input, "store", &arguments).spawn().unwrap()
    });
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let store = ParquetStore::open(place.path("store")).unwrap();
    let set = store.sets().unwrap().remove(0).fingerprint;
    let (metas, _) = store.tiles(&set).unwrap();
    // Two writers of the same tiles may both commit them; the old rows are gone, and none is lost.
    assert_eq!(metas.len(), 2 * N);
    for folder in ["data", "other"] {
        let said = place.embed(&format!("{folder}/manifest.csv"), &[]);
        assert!(said.contains("0 tiles embedded, 80 there already"), "{said}");
    }
}

#[test]
fn an_image_that_changed_in_its_middle_is_embedded_again() {
    let place = Place::new();
    fs::create_dir(place.path("data")).unwrap();
    fs::write(place.path("data/big.tiff"), tiff(SIDE, 3)).unwrap();
    fs::write(place.path("data/other.tiff"), tiff(SIDE, 4)).unwrap();
    fs::write(place.path("manifest.csv"), "path\ndata/big.tiff\ndata/other.tiff\n").unwrap();
    assert!(place.embed("manifest.csv", &[]).contains("2 tiles embedded"));
    change_the_middle(&place.path("data/big.tiff"));
    let said = place.embed("manifest.csv", &[]);
    assert!(said.contains("1 tiles embedded, 1 there already"), "{said}");
    // A time that changed is no content that changed.
    set_time(&place.path("data/other.tiff"), 5);
    assert!(place.embed("manifest.csv", &[]).contains("0 tiles embedded, 2 there already"));
    assert_eq!(place.rows().len(), 2);
}

#[test]
fn a_slide_that_changed_in_its_middle_is_noticed_by_its_time_or_by_verify() {
    let place = Place::new();
    place.slide("x.tiff", 10);
    place.embed_slide("x.tiff", &[]);
    let before = place.rows();
    // The limit of the quick digest, as the help says it.
    change_the_middle(&place.path("x.tiff"));
    assert!(place.embed_slide("x.tiff", &[]).contains("25 there already"));
    set_time(&place.path("x.tiff"), 1_000_001);
    let refused = place.embed_with("x.tiff", &GRID);
    assert_eq!(refused.status.code(), Some(2), "{}", text(&refused));
    assert!(text(&refused).contains("25 of 25"), "{}", text(&refused));
    assert_eq!(place.rows(), before);
    place.embed_slide("x.tiff", &["--replace"]);
    let after = place.rows();
    assert_eq!(after.len(), N_SLIDE_TILES);
    assert_ne!(after.values().collect::<Vec<_>>(), before.values().collect::<Vec<_>>());

    // Digests of all bytes know the time no more, and every change; each kind knows its own.
    let other_kind = place.embed_with("x.tiff", &[&GRID[..], &["--verify"]].concat());
    assert_eq!(other_kind.status.code(), Some(2), "{}", text(&other_kind));
    assert!(text(&other_kind).contains("--verify"), "{}", text(&other_kind));
    place.embed_slide("x.tiff", &["--verify", "--replace"]);
    set_time(&place.path("x.tiff"), 1_000_002);
    assert!(place.embed_slide("x.tiff", &["--verify"]).contains("25 there already"));
    let mut bytes = fs::read(place.path("x.tiff")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 3000].fill(1);
    fs::write(place.path("x.tiff"), bytes).unwrap();
    set_time(&place.path("x.tiff"), 1_000_002);
    let noticed = place.embed_with("x.tiff", &[&GRID[..], &["--verify"]].concat());
    assert_eq!(noticed.status.code(), Some(2), "{}", text(&noticed));
    place.embed_slide("x.tiff", &["--verify", "--replace"]);
    assert_eq!(place.rows().len(), N_SLIDE_TILES);
    assert!(is_clean(&place.path("store")));
}

#[test]
fn rows_of_tiles_that_a_changed_slide_has_no_more_go_with_the_last() {
    let place = Place::new();
    place.slide("x.tiff", 10);
    place.embed_slide("x.tiff", &[]);
    fs::write(place.path("x.tiff"), tiff(SIDE / 2, 11)).unwrap();
    let said = place.embed_slide("x.tiff", &["--replace"]);
    assert!(said.contains("4 tiles embedded, 0 there already, 25 rows"), "{said}");
    assert_eq!(place.rows().len(), 4);
}

#[test]
fn banks_of_views_that_make_no_sense_are_refused() {
    let place = Place::new();
    place.slide("x.tiff", 10);
    place.embed_slide("x.tiff", &[]);
    for views in ["0", "1", "257"] {
        let output = place.embed_with("x.tiff", &[&GRID[..], &["--views", views]].concat());
        assert_eq!(output.status.code(), Some(2), "{}", text(&output));
        let said = text(&output);
        assert!(said.contains("--views") && said.contains("from 2 to 256"), "{said}");
    }
    let bench = Bench::new();
    bench.write_run("");
    fs::write(
        bench.path("configs/augment/noise.toml"),
        "transforms = []\n[views]\nblur_px = 900.0\n",
    )
    .unwrap();
    let output = bench.train(&[]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output));
    assert!(text(&output).contains("blur_px"), "{}", text(&output));
}

#[test]
fn a_store_of_format_1_is_refused_and_says_what_to_do() {
    let place = Place::new();
    place.manifest("data", 2, 1);
    place.embed("data/manifest.csv", &[]);
    // The log as releases before format 2 wrote it.
    let set = fs::read_dir(place.path("store")).unwrap().next().unwrap().unwrap().path();
    let log = set.join("_log/00000000000000000001.json");
    let entry = fs::read_to_string(&log).unwrap();
    assert!(entry.contains("\"format\":2"), "{entry}");
    fs::write(&log, entry.replace("\"format\":2", "\"format\":1")).unwrap();
    let golden = root().join("tests/golden/store/format-1");
    for store in [place.path("store"), golden] {
        let mut ls = eosin();
        let output = ls.args(["store", "ls", "--store"]).arg(&store).output().unwrap();
        assert_eq!(output.status.code(), Some(3), "{}", text(&output));
        let said = text(&output);
        for says in ["format 1", "0.1.0", "cannot be told apart", "into another folder"] {
            assert!(said.contains(says), "{says}: {said}");
        }
    }
    let output = place.embed_with("data/manifest.csv", &[]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output));
    assert_eq!(fs::read_dir(set.join("_log")).unwrap().count(), 1, "nothing was written");
}
