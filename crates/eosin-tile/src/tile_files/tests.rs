// SPDX-License-Identifier: MIT OR Apache-2.0

use super::*;

fn write_png(path: &Path, width: u32, height: u32, colour: [u8; 3]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let image = RgbImage::filled(width, height, colour);
    let buffer = image::RgbImage::from_raw(width, height, image.data().to_vec()).unwrap();
    buffer.save_with_format(path, image::ImageFormat::Png).unwrap();
}

#[test]
fn a_folder_is_sorted_recursive_and_told_by_content() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write_png(&root.join("b/2.jpg"), 8, 8, [2; 3]);
    write_png(&root.join("a.dat"), 8, 8, [1; 3]);
    write_png(&root.join(".cache/x.png"), 8, 8, [9; 3]);
    std::fs::write(root.join("notes.png"), "not an image").unwrap();
    let source = FolderSource::open(root).unwrap();
    let ids: Vec<&str> = source.tiles().iter().map(|t| t.tile_id.as_str()).collect();
    assert_eq!(ids, ["a.dat", "b/2.jpg"]);
    assert_eq!(source.read(1).unwrap().image.pixel(3, 3), [2; 3]);
    assert_eq!(source.tiles()[0].size_level0_px, 8);
    assert_eq!(source.tiles()[0].source_digest.len(), 32);
    assert!(source.read(2).is_err());
}

#[test]
fn an_empty_folder_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    assert!(FolderSource::open(folder.path()).unwrap_err().to_string().contains("PNG, JPEG"));
}

#[test]
fn a_manifest_plans_all_rows_and_a_bad_file_fails_alone() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write_png(&root.join("good.png"), 8, 8, [5; 3]);
    std::fs::write(root.join("cut.png"), &std::fs::read(root.join("good.png")).unwrap()[..40])
        .unwrap();
    std::fs::write(root.join("empty.png"), "").unwrap();
    let csv = "path,slide,group,mpp\ngood.png,s1,,0.5\ncut.png,,,\nempty.png,,,\nnone.png,,p2,\n";
    std::fs::write(root.join("m.csv"), csv).unwrap();
    let manifest = Manifest::read(root.join("m.csv")).unwrap();
    let source = ManifestSource::new(manifest, TileFileOptions::default());
    assert_eq!(source.tiles().len(), 4);
    let [good, cut, _, none] = source.tiles() else { panic!("four tiles") };
    assert_eq!((good.slide.as_str(), good.group.as_str()), ("s1", "s1"));
    assert_eq!(good.effective_mpp, Mpp::new(0.5).ok());
    assert_eq!((cut.slide.as_str(), cut.group.as_str()), ("cut.png", "cut.png"));
    assert_eq!((none.group.as_str(), none.source_digest.as_str()), ("p2", ""));
    assert!(source.read(0).is_ok());
    for (index, name) in [(1, "cut.png"), (2, "empty file"), (3, "none.png")] {
        let error = source.read(index).unwrap_err();
        assert!(matches!(error, Error::Data { .. }) && error.to_string().contains(name), "{error}");
        assert!(!error.hint().is_empty());
    }
}

#[test]
fn a_tile_that_is_not_square_is_refused_or_cropped() {
    let folder = tempfile::tempdir().unwrap();
    write_png(&folder.path().join("wide.png"), 10, 6, [5; 3]);
    let refused = FolderSource::open(folder.path()).unwrap().read(0).unwrap_err();
    assert!(refused.to_string().contains("10 × 6 px"), "{refused}");
    let options = TileFileOptions { not_square: NotSquare::CentreCrop, ..Default::default() };
    let image = FolderSource::with_options(folder.path(), options).unwrap().read(0).unwrap().image;
    assert_eq!((image.width(), image.height()), (6, 6));
}
