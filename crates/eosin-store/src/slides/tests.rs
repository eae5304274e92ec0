// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::TileMeta;

use super::{SlideNames, tell_slides_apart};

fn of_slide(digest: &str, x: i64) -> TileMeta {
    TileMeta {
        slide: "x".into(),
        group: "x".into(),
        source: format!("/{digest}/x.svs"),
        source_digest: digest.into(),
        ..TileMeta::named(format!("x:{x}:0:224"), 224)
    }
}

fn of_file(root: &str, name: &str, digest: &str) -> TileMeta {
    TileMeta {
        slide: "x".into(),
        group: "patient".into(),
        source: format!("{root}{name}"),
        source_digest: digest.into(),
        ..TileMeta::named(name, 224)
    }
}

#[test]
fn slides_of_one_name_are_told_apart_and_others_keep_their_names() {
    let mut metas = vec![of_slide("d1", 0), of_slide("d2", 0), of_slide("d1", 224)];
    assert_eq!(SlideNames::of(&metas, |s| s).n_slides(), 2);
    tell_slides_apart(&mut metas);
    assert_eq!(metas[0].slide, metas[2].slide);
    assert_ne!(metas[0].slide, metas[1].slide);
    assert!(metas[0].slide.starts_with("x-") && metas[0].slide.len() == 10, "{}", metas[0].slide);
    assert_eq!(metas[0].group, metas[0].slide);

    let mut alone = vec![of_slide("d1", 0), of_slide("d1", 224)];
    tell_slides_apart(&mut alone);
    assert_eq!(alone[0].slide, "x");
}

#[test]
fn tiles_of_files_are_of_one_slide_where_their_names_start_from_one_folder() {
    let files = [of_file("/a/", "t/1.png", "d1"), of_file("/a/", "t/2.png", "d2")];
    assert_eq!(SlideNames::of(&files, |s| s).n_slides(), 1);
    let folders = [of_file("/a/", "t/1.png", "d1"), of_file("/b/", "t/1.png", "d2")];
    assert_eq!(SlideNames::of(&folders, |s| s).n_slides(), 2);
    // A manifest may name files by their whole paths.
    let whole = [of_file("", "/a/1.png", "d1"), of_file("", "/b/2.png", "d2")];
    assert_eq!(SlideNames::of(&whole, |s| s).n_slides(), 1);
}
