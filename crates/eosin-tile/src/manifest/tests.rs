// SPDX-License-Identifier: MIT OR Apache-2.0

use super::*;

fn message(text: &str) -> String {
    Manifest::from_csv(text, "").unwrap_err().to_string()
}

#[test]
fn known_and_further_columns_are_read() {
    let manifest = Manifest::from_csv(
        "path,label,group,x,grade,note\n./a/1.png, tumour ,p1,-5,2,\"a, b\"\nb.png,,,,,\n",
        "/tiles",
    )
    .unwrap();
    let [first, second] = manifest.rows() else { panic!("two rows") };
    assert_eq!(first.path, "a/1.png");
    assert_eq!(first.label(), Some("tumour"));
    assert_eq!(first.group(), Some("p1"));
    assert_eq!(first.x(), Some(-5));
    assert_eq!(first.column("grade"), Some("2"));
    assert_eq!(first.column("note"), Some("a, b"));
    assert_eq!(first.column("missing"), None);
    assert_eq!(manifest.resolve(first), Path::new("/tiles/a/1.png"));
    assert_eq!((second.label(), second.group(), second.x()), (None, None, None));
}

#[test]
fn a_byte_order_mark_does_not_hide_the_path_column() {
    let manifest = Manifest::from_csv("\u{feff}path\na.png\n", "").unwrap();
    assert_eq!(manifest.rows().len(), 1);
}

#[test]
fn faults_say_what_is_wrong_and_where() {
    assert!(message("").contains("a column named path"));
    assert!(message("path\n").contains("at least one row"));
    assert!(message("file,label\na,b\n").contains("file, label"));
    let twice = message("path\na.png\nb.png\n./a.png\n");
    assert!(twice.contains("a.png in lines 2 and 4"), "{twice}");
    assert!(message("path,label\n,x\n").contains("line 2"));
    assert!(message("path,label\na.png\n").contains("same columns"));
    assert!(message("path,x\na.png,1\nb.png,oops\n").contains("`oops` in line 3"));
    assert!(message("path,y\na.png,1.5\n").contains("a whole number in column y"));
    assert!(message("path,mpp\na.png,\"0,5\"\n").contains("µm per pixel"));
    assert!(message("path,label,label\na.png,x,y\n").contains("two columns named label"));
    let wide: Vec<String> = (0..1001).map(|i| format!("c{i}")).collect();
    assert!(message(&format!("path,{}\n", wide.join(","))).contains("at most 1000 columns"));
    let long = format!("path,label\na.png,\"{}", "b.png,c\n".repeat(200_000));
    assert!(message(&long).contains("a row of more than 1024 KiB"));
}

#[test]
fn coordinates_may_be_written_as_floats() {
    let manifest = Manifest::from_csv("path,x,y,mpp\na.png,-12.0,7,0.5\nb.png,,,\n", "").unwrap();
    let rows = manifest.rows();
    assert_eq!((rows[0].x(), rows[0].y(), rows[1].x()), (Some(-12), Some(7), None));
}

#[test]
fn guarded_text_is_read_as_it_was() {
    let csv = "path,label\n'=a.png,'-x\n'a.png,'x'\n./'=b.png,-5\n";
    let manifest = Manifest::from_csv(csv, "").unwrap();
    let read: Vec<(&str, Option<&str>)> =
        manifest.rows().iter().map(|row| (row.path.as_str(), row.label())).collect();
    let expected = [("=a.png", Some("-x")), ("'a.png", Some("'x'")), ("'=b.png", Some("-5"))];
    assert_eq!(read, expected);
}

#[test]
fn a_missing_file_and_a_folder_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let missing = Manifest::read(folder.path().join("none.csv")).unwrap_err();
    assert!(missing.to_string().contains("open manifest"), "{missing}");
    let err = Manifest::read(folder.path()).unwrap_err();
    assert!(err.to_string().contains("a folder"), "{err}");
}

#[test]
fn joined_manifests_keep_folders_apart_and_all_columns() {
    let root = tempfile::tempdir().unwrap();
    for (folder, text) in [("a", "path,label\n1.png,x\n"), ("b", "path,centre\n1.png,c2\n")] {
        std::fs::create_dir(root.path().join(folder)).unwrap();
        std::fs::write(root.path().join(folder).join("m.csv"), text).unwrap();
    }
    let files = ["a/m.csv".into(), "b/m.csv".into()];
    let joined = Manifest::read_joined(root.path(), &files).unwrap();
    let paths: Vec<&str> = joined.rows().iter().map(|row| row.path.as_str()).collect();
    assert_eq!(paths, ["a/1.png", "b/1.png"]);
    assert_eq!(joined.columns(), ["path", "label", "centre"]);
    let [first, second] = joined.rows() else { panic!("two rows") };
    assert_eq!((first.label(), first.centre()), (Some("x"), None));
    assert_eq!((second.label(), second.centre()), (None, Some("c2")));
    assert_eq!(joined.resolve(second), root.path().join("b/1.png"));
    let twice = ["a/m.csv".into(), "a/m.csv".into()];
    let error = Manifest::read_joined(root.path(), &twice).unwrap_err().to_string();
    assert!(error.contains("a/1.png"), "{error}");
    assert!(Manifest::read_joined(root.path(), &[]).is_err());
}

#[cfg(feature = "parquet")]
#[test]
fn parquet_reads_like_csv() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/tile");
    let parquet = Manifest::read(folder.join("manifest.parquet")).unwrap();
    let csv = Manifest::read(folder.join("manifest.csv")).unwrap();
    assert_eq!(parquet.columns(), csv.columns());
    assert_eq!(parquet.rows(), csv.rows());
    assert_eq!(parquet.rows()[1].label(), None);
    assert_eq!(parquet.rows()[2].x(), Some(1 << 40));
    let kind = crate::detect(folder.join("manifest.parquet")).unwrap();
    assert_eq!(kind, crate::SourceKind::Manifest);
    // A file that is cut short is an error that names it.
    let bytes = std::fs::read(folder.join("manifest.parquet")).unwrap();
    let short = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(short.path(), &bytes[..bytes.len() / 2]).unwrap();
    let error = Manifest::read(short.path()).unwrap_err().to_string();
    assert!(error.contains("a Parquet file"), "{error}");
}
