// SPDX-License-Identifier: MIT OR Apache-2.0

//! What `eosin tile` leaves in a folder: one cut, whole, and nothing of another.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Output;

use crate::common::{eosin, root, text};

fn cmu() -> PathBuf {
    root().join("tests/fixtures/cmu-1-small-region.svs")
}

fn tile(slides: &[&Path], out: &Path, extra: &[&str]) -> Output {
    let mut command = eosin();
    command.arg("tile").args(slides).args(["--min-tissue", "0.5", "--out"]).arg(out);
    command.args(extra).output().unwrap()
}

fn done(output: &Output) {
    assert!(output.status.success(), "{}", text(output));
}

/// Names of the tiles that lie in a cut, and those that its manifest lists.
fn tiles(out: &Path) -> (BTreeSet<String>, BTreeSet<String>) {
    let mut lie = BTreeSet::new();
    for folder in std::fs::read_dir(out).unwrap().map(|e| e.unwrap().path()) {
        for file in std::fs::read_dir(&folder).into_iter().flatten().map(|e| e.unwrap()) {
            let name = file.file_name().into_string().unwrap();
            if Path::new(&name).extension().is_some_and(|e| e == "png") {
                lie.insert(format!("{}/{name}", folder.file_name().unwrap().to_str().unwrap()));
            }
        }
    }
    let manifest = std::fs::read_to_string(out.join("manifest.csv")).unwrap_or_default();
    let listed =
        manifest.lines().skip(1).map(|l| l.split(',').next().unwrap().to_string()).collect();
    (lie, listed)
}

#[test]
fn another_cut_is_refused_until_it_is_to_be_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("cut");
    done(&tile(&[&cmu()], &out, &["--tile-um", "112"]));
    let (first, listed) = tiles(&out);
    assert!(first.len() > 20 && first == listed);
    let before = std::fs::read_to_string(out.join("manifest.csv")).unwrap();

    // Other options: at 448 µm most tiles would have other names and lie beside the old ones.
    let other = ["--tile-um", "448"];
    for dry_run in [&[][..], &["--dry-run"]] {
        let refused = tile(&[&cmu()], &out, &[&other[..], dry_run].concat());
        assert_eq!(refused.status.code(), Some(2), "{}", text(&refused));
        for part in ["--out", "cut with other options", "--replace"] {
            assert!(text(&refused).contains(part), "no {part} in {}", text(&refused));
        }
    }
    assert_eq!(tiles(&out), (first.clone(), listed));
    assert_eq!(std::fs::read_to_string(out.join("manifest.csv")).unwrap(), before);

    // Somebody's own files stay, also one between the tiles.
    std::fs::write(out.join("notes.txt"), "mine").unwrap();
    let mine = out.join("cmu-1-small-region/1_2.tif");
    std::fs::write(&mine, "mine").unwrap();
    done(&tile(&[&cmu()], &out, &[&other[..], &["--replace"]].concat()));
    let (now, listed) = tiles(&out);
    assert!(!now.is_empty() && now.len() < first.len(), "{} of {}", now.len(), first.len());
    assert_eq!(now, listed);
    assert_eq!(std::fs::read_to_string(&mine).unwrap(), "mine");
    assert_eq!(std::fs::read_to_string(out.join("notes.txt")).unwrap(), "mine");
}

#[test]
fn the_same_cut_goes_on_in_its_folder_and_may_get_more_slides() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("cut");
    let (a, b) = (folder.path().join("a.svs"), folder.path().join("b.svs"));
    std::fs::copy(cmu(), &a).unwrap();
    std::fs::copy(cmu(), &b).unwrap();
    done(&tile(&[&a], &out, &[]));
    let manifest = || std::fs::read(out.join("manifest.csv")).unwrap();
    let (whole, before) = (tiles(&out), manifest());
    // As a kill leaves it: no manifest, tiles missing and half written.
    std::fs::remove_file(out.join("manifest.csv")).unwrap();
    let some: Vec<&String> = whole.0.iter().take(2).collect();
    std::fs::remove_file(out.join(some[0])).unwrap();
    std::fs::write(out.join(some[1]), b"\x89PNG").unwrap();
    done(&tile(&[&a], &out, &[]));
    assert_eq!((tiles(&out), manifest()), (whole.clone(), before.clone()));
    assert!(std::fs::metadata(out.join(some[1])).unwrap().len() > 1000);
    // More slides in the same way are no other cut.
    done(&tile(&[&a, &b], &out, &[]));
    let both = tiles(&out);
    assert_eq!(both.0, both.1);
    assert_eq!(both.0.len(), 2 * whole.0.len());
    // Without one of them its tiles would lie beside the manifest.
    let refused = tile(&[&a], &out, &[]);
    assert_eq!(refused.status.code(), Some(2), "{}", text(&refused));
    assert!(text(&refused).contains("b.svs"), "{}", text(&refused));
    done(&tile(&[&a], &out, &["--replace"]));
    assert_eq!((tiles(&out), manifest()), (whole, before));
    assert!(!out.join("b").exists(), "an empty folder is left");
}

#[test]
fn a_region_that_was_drawn_anew_leaves_no_tiles_of_the_old_one() {
    let folder = tempfile::tempdir().unwrap();
    let (out, roi) = (folder.path().join("cut"), folder.path().join("roi.geojson"));
    let square = |side: u32| {
        let ring = format!("[[0,0],[{side},0],[{side},{side}],[0,{side}],[0,0]]");
        let text = format!(r#"{{"type":"Polygon","coordinates":[{ring}]}}"#);
        std::fs::write(&roi, text).unwrap();
    };
    let cut = || tile(&[&cmu()], &out, &["--roi", roi.to_str().unwrap()]);
    square(2220);
    done(&cut());
    let large = tiles(&out).0;
    square(1500);
    done(&cut());
    let (small, listed) = tiles(&out);
    assert!(!small.is_empty() && small.len() < large.len(), "{small:?} {large:?}");
    assert_eq!(small, listed);
}

#[test]
fn a_slide_that_has_changed_is_another_slide() {
    let folder = tempfile::tempdir().unwrap();
    let (out, slide) = (folder.path().join("cut"), folder.path().join("a.svs"));
    std::fs::copy(cmu(), &slide).unwrap();
    done(&tile(&[&slide], &out, &[]));
    let mut bytes = std::fs::read(&slide).unwrap();
    bytes.extend([0; 16]);
    std::fs::write(&slide, bytes).unwrap();
    let refused = tile(&[&slide], &out, &[]);
    assert_eq!(refused.status.code(), Some(2), "{}", text(&refused));
    assert!(text(&refused).contains("as it was before"), "{}", text(&refused));
    done(&tile(&[&slide], &out, &["--replace"]));
}

#[test]
fn tiles_of_a_release_without_records_are_not_mixed_either() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("cut");
    done(&tile(&[&cmu()], &out, &["--tile-um", "112"]));
    std::fs::remove_file(out.join("cut.json")).unwrap();
    // Not even the same cut, since nobody knows that it is.
    let refused = tile(&[&cmu()], &out, &["--tile-um", "112"]);
    assert_eq!(refused.status.code(), Some(2), "{}", text(&refused));
    assert!(text(&refused).contains("no record"), "{}", text(&refused));
    std::fs::remove_file(out.join("manifest.csv")).unwrap();
    let refused = tile(&[&cmu()], &out, &["--tile-um", "448"]);
    assert_eq!(refused.status.code(), Some(2), "{}", text(&refused));
    done(&tile(&[&cmu()], &out, &["--tile-um", "448", "--replace"]));
    let (lie, listed) = tiles(&out);
    assert_eq!(lie, listed);
    // A folder with other things alone is anybody's.
    let used = folder.path().join("used");
    std::fs::create_dir(&used).unwrap();
    std::fs::write(used.join("notes.txt"), "mine").unwrap();
    done(&tile(&[&cmu()], &used, &[]));
    assert_eq!(std::fs::read_to_string(used.join("notes.txt")).unwrap(), "mine");
}

#[test]
fn a_slide_that_cannot_be_read_is_no_tile_that_was_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let bytes = std::fs::read(cmu()).unwrap();
    std::fs::write(path("half.svs"), &bytes[..bytes.len() / 2]).unwrap();
    std::fs::write(path("text.svs"), "no slide at all, \0 only bytes").unwrap();
    let (half, other) = (path("half.svs"), path("text.svs"));

    // One slide: that is the whole work, and its error the command's.
    for slide in [&half, &other] {
        for dry_run in [&[][..], &["--dry-run"]] {
            let refused = tile(&[slide], &path("one"), dry_run);
            let said = text(&refused);
            assert_eq!(refused.status.code(), Some(3), "{said}");
            assert!(said.contains(slide.file_name().unwrap().to_str().unwrap()), "{said}");
            assert!(said.contains("error: ") && said.contains("hint: "), "{said}");
            assert!(!said.contains("left out"), "{said}");
        }
    }
    assert!(!path("one").exists(), "a folder was made for nothing");
    let missing = tile(&[&path("none.svs")], &path("one"), &[]);
    assert_eq!(missing.status.code(), Some(4), "{}", text(&missing));

    // All of several.
    let refused = tile(&[&half, &other], &path("one"), &[]);
    assert_eq!(refused.status.code(), Some(3), "{}", text(&refused));

    // One of several: the others are cut, and the exit code says that it was not all.
    let partial = tile(&[&half, &cmu(), &other], &path("two"), &[]);
    let said = text(&partial);
    assert_eq!(partial.status.code(), Some(8), "{said}");
    for part in ["2 of 3 slides could not be read:", "half.svs: ", "text.svs: "] {
        assert!(said.contains(part), "no {part} in {said}");
    }
    assert!(!said.contains("were left out") && !said.contains("was left out"), "{said}");
    let (lie, listed) = tiles(&path("two"));
    assert!(!lie.is_empty() && lie == listed);
}

#[test]
fn a_slide_of_which_no_tile_can_be_read_is_one_that_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let slide = folder.path().join("blank.svs");
    // The directories, which lie behind the pixels, are whole.
    let mut bytes = std::fs::read(cmu()).unwrap();
    bytes[64..1_200_000].fill(0);
    std::fs::write(&slide, bytes).unwrap();
    let out = folder.path().join("cut");
    let grid = ["--min-tissue", "0", "--tile-um", "224"];
    let cut = || {
        let mut command = eosin();
        command.arg("tile").arg(&slide).args(grid).arg("--out").arg(&out).output().unwrap()
    };
    let embed = |extra: &[&str]| {
        let mut command = eosin();
        command.arg("embed").arg(&slide).args(grid).arg("--store").arg(folder.path().join("store"));
        command.args(["--backbone", "colour-statistics", "--configs"]).arg(root().join("configs"));
        command.args(extra).output().unwrap()
    };
    for refused in [cut(), embed(&[]), embed(&["--dry-run"])] {
        let said = text(&refused);
        assert_eq!(refused.status.code(), Some(3), "{said}");
        assert!(said.contains("error: ") && said.contains("blank.svs"), "{said}");
        assert!(!said.contains("left out"), "{said}");
    }
    assert!(!out.join("manifest.csv").exists());
}
