// SPDX-License-Identifier: MIT OR Apache-2.0

//! What is registered has effect wherever a path is opened or a head is loaded.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use eosin::crates::core::{
    Annotation, AnnotationFormat, AnnotationRequest, Error, Head, HeadKind, HeadRecord,
    HeadTrainer, LeftOutShapes, Matrix, Mpp, NoProgress, ObjectKind, Options, Probabilities,
    Registry, Result, RgbImage, Shape, SlideImage, SlideReader, Tile, TileMeta, TileSource,
    TileSourceOpener, TileUm, TrainBatch,
};
use eosin::crates::tile::TilingOptions;
use eosin::{CutOptions, RegistryExt, cut, default_registry, inspect, open_input, open_slide};

/// Reads files that begin with `STRIPES` as a slide of 448 × 448 px with dark stripes.
#[derive(Debug)]
struct Stripes;

#[derive(Debug)]
struct StripedSlide;

const SIDE: u32 = 448;

impl SlideReader for Stripes {
    fn kind(&self) -> &'static str {
        "stripes"
    }
    fn recognises(&self, path: &Path) -> bool {
        std::fs::read(path).is_ok_and(|bytes| bytes.starts_with(b"STRIPES"))
    }
    fn open(&self, path: &Path) -> Result<Option<Box<dyn SlideImage>>> {
        let is_own = self.recognises(path);
        Ok(is_own.then(|| Box::new(StripedSlide) as Box<dyn SlideImage>))
    }
}

impl SlideImage for StripedSlide {
    fn version(&self) -> &'static str {
        "7"
    }
    fn levels(&self) -> &[(u32, u32)] {
        &[(SIDE, SIDE)]
    }
    fn mpp(&self) -> Option<Mpp> {
        Mpp::new(0.5).ok()
    }
    fn read_region(&self, _: usize, corner: (u32, u32), size: (u32, u32)) -> Result<RgbImage> {
        let column =
            |x: u32| if (x / 8).is_multiple_of(2) { [120, 40, 120] } else { [230, 150, 190] };
        let row: Vec<u8> = (corner.0..corner.0 + size.0).flat_map(column).collect();
        RgbImage::new(size.0, size.1, row.repeat(size.1 as usize))
    }
}

fn with_stripes() -> Registry {
    let mut registry = default_registry();
    registry.slide_readers.register("stripes", Arc::new(Stripes));
    registry
}

/// Annotations as lines `x y class`, behind a first line `MARKS`.
struct Marks;

impl AnnotationFormat for Marks {
    fn kind(&self) -> &'static str {
        "marks"
    }
    fn recognises(&self, _file_name: &str, start: &[u8]) -> bool {
        start.starts_with(b"MARKS")
    }
    fn read(
        &self,
        request: &AnnotationRequest,
        file: &mut dyn Read,
        visit: &mut dyn FnMut(Annotation) -> Result<()>,
    ) -> Result<LeftOutShapes> {
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(|e| Error::io("read", request.path, e))?;
        for (i, line) in text.lines().skip(1).enumerate() {
            let mut words = line.split(' ');
            let mut number = || words.next().and_then(|word| word.parse().ok()).unwrap_or(0.0);
            let shape = Shape::Points(vec![[number(), number()]]);
            let (class, id) = (words.next().map(str::to_string), i.to_string());
            let kind = ObjectKind::Detection;
            visit(Annotation { shape, class, id, kind, is_locked: false, image: None })?;
        }
        Ok(LeftOutShapes::new())
    }
}

#[test]
fn a_registered_format_of_annotations_is_recognised() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.marks");
    std::fs::write(&path, "MARKS\n3 4.5 mitosis\n7 8 mitosis\n").unwrap();
    let mut registry = default_registry();
    assert!(inspect(&path, &registry).is_err());
    registry.annotations.register("marks", Arc::new(Marks));
    let found = inspect(&path, &registry).unwrap();
    assert_eq!(found.kind, "annotations");
    let fact =
        |name: &str| found.facts.iter().find(|(own, _)| own == name).map(|(_, v)| v.as_str());
    assert_eq!(fact("format"), Some("marks"));
    assert_eq!(fact("mitosis, detection"), Some("2 points"));
    assert_eq!(fact("bounding box"), Some("3.0, 4.5 to 7.0, 8.0"));
}

#[test]
fn a_registered_slide_reader_opens_slides_everywhere() {
    let folder = tempfile::tempdir().unwrap();
    let slide = folder.path().join("a.stripes");
    std::fs::write(&slide, b"STRIPES\x00\xff\xfe").unwrap();
    let tiling =
        TilingOptions { min_tissue: 0.0, ..TilingOptions::new(TileUm::new(56.0).unwrap(), 112) };
    let out = folder.path().join("tiles");
    let cut_with = |registry: &Registry| {
        let options = CutOptions { tiling: &tiling, out: &out, replace: false, registry };
        cut(std::slice::from_ref(&slide), &options, &NoProgress).map(|outcome| outcome.n_tiles)
    };

    let registry = with_stripes();
    let found = inspect(&slide, &registry).unwrap();
    assert!(found.facts.iter().any(|(_, value)| value == "stripes 7"), "{:?}", found.facts);
    let (source, _) = open_input(&slide, &tiling, &registry).unwrap();
    assert_eq!((source.kind(), source.tiles().len()), ("stripes", 16));
    assert!(open_slide(&slide, &tiling, &registry).is_ok());
    assert_eq!(cut_with(&registry).unwrap(), 16);

    let plain = default_registry();
    assert!(inspect(&slide, &plain).is_err());
    assert!(open_input(&slide, &tiling, &plain).is_err());
    assert!(open_slide(&slide, &tiling, &plain).is_err() && cut_with(&plain).is_err());
}

/// Opens files that begin with `BLANKS` as two blank tiles.
struct Blanks;

struct BlankTiles(Vec<TileMeta>);

impl TileSourceOpener for Blanks {
    fn kind(&self) -> &'static str {
        "blanks"
    }
    fn recognises(&self, path: &Path) -> bool {
        std::fs::read(path).is_ok_and(|bytes| bytes.starts_with(b"BLANKS"))
    }
    fn open(&self, _path: &Path) -> Result<Box<dyn TileSource>> {
        Ok(Box::new(BlankTiles(["a", "b"].map(|id| TileMeta::named(id, 8)).to_vec())))
    }
}

impl TileSource for BlankTiles {
    fn kind(&self) -> &'static str {
        "blanks"
    }
    fn reader_version(&self) -> &'static str {
        "3"
    }
    fn tiles(&self) -> &[TileMeta] {
        &self.0
    }
    fn read(&self, index: usize) -> Result<Tile> {
        Ok(Tile { meta: self.0[index].clone(), image: RgbImage::filled(8, 8, [255; 3]) })
    }
}

#[test]
fn a_registered_opener_opens_tiles_of_its_own_kind() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tiles.blanks");
    // Without the opener this would be taken for a manifest.
    std::fs::write(&path, "BLANKS\n").unwrap();
    let tiling = TilingOptions::new(TileUm::new(56.0).unwrap(), 112);
    let mut registry = default_registry();
    registry.tile_sources.register("blanks", Arc::new(Blanks));
    let (source, geometry) = open_input(&path, &tiling, &registry).unwrap();
    assert_eq!((source.kind(), source.tiles().len(), geometry.tile_px), ("blanks", 2, 0));
    let found = inspect(&path, &registry).unwrap();
    assert_eq!(found.kind, "source of tiles");
    assert!(found.facts.contains(&("reader".into(), "blanks 3".into())), "{:?}", found.facts);
    assert!(open_input(&path, &tiling, &default_registry()).is_err());
}

/// A head that calls every row alike; its trainer keeps a number that options cannot name.
struct Even(f64);

struct EvenHead(HeadRecord);

impl HeadTrainer for Even {
    fn kind(&self) -> &'static str {
        "even"
    }
    fn penalties(&self) -> Vec<f64> {
        vec![self.0]
    }
    fn fit(&self, batch: &TrainBatch, _penalty: f64) -> Result<Box<dyn Head>> {
        Ok(Box::new(EvenHead(HeadRecord {
            kind: "even".into(),
            classes: batch.classes().to_vec(),
            tensors: BTreeMap::new(),
            parameters: BTreeMap::new(),
        })))
    }
}

impl Head for EvenHead {
    fn classes(&self) -> &[String] {
        &self.0.classes
    }
    fn predict(&self, features: &Matrix) -> Result<Probabilities> {
        let k = self.0.classes.len();
        Probabilities::new(k, vec![1.0 / k as f64; k * features.n_rows()])
    }
    fn record(&self) -> HeadRecord {
        self.0.clone()
    }
}

#[test]
fn a_registered_head_keeps_state_and_is_made_again() {
    let mut registry = default_registry();
    let state = 0.25;
    let kind = HeadKind::new(
        move |_: &Options| Ok(Arc::new(Even(state))),
        |record: &HeadRecord| Ok(Box::new(EvenHead(record.clone()))),
    );
    registry.heads.register("even", kind);
    let trainer = registry.head("even", &toml::Table::new()).unwrap();
    assert_eq!(trainer.penalties(), [state]);
    let record = HeadRecord {
        kind: "even".into(),
        classes: vec!["a".into(), "b".into()],
        tensors: BTreeMap::new(),
        parameters: BTreeMap::new(),
    };
    let head = registry.restore_head(&record).unwrap();
    assert_eq!(head.predict(&Matrix::new(1, 1, vec![0.0]).unwrap()).unwrap().row(0), [0.5, 0.5]);
    let error = default_registry().restore_head(&record).err().unwrap();
    assert!(matches!(error, Error::Unsupported { .. }), "{error}");
    assert!(error.to_string().contains("a head of kind even"), "{error}");
}

#[test]
fn a_head_of_slides_is_made_of_a_registered_head() {
    let mut registry = default_registry();
    let never = |_: &HeadRecord| -> Result<Box<dyn Head>> { unreachable!("nothing is loaded") };
    let kind = HeadKind::new(|_: &Options| Ok(Arc::new(Even(3.0))), never);
    registry.heads.register("even", kind);
    let options: toml::Table = toml::from_str("head = { kind = 'even' }").unwrap();
    assert_eq!(registry.slide_head("mean-pool", &options).unwrap().penalties(), [3.0]);
    let error = default_registry().slide_head("mean-pool", &options).err().unwrap();
    assert!(error.to_string().contains("head kind `even`"), "{error}");
}
