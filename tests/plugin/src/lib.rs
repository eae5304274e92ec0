// SPDX-License-Identifier: MIT OR Apache-2.0

//! Four kinds from outside: a backbone, a slide reader, a head and a transform.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use eosin_core::*;
use serde::{Deserialize, Serialize};

/// Adds the four kinds; the backbone keeps these colours.
pub fn register(registry: &mut Registry, colours: &[[u8; 3]]) {
    registry.backbones.register("palette", Arc::new(PaletteOpener(colours.into())));
    registry.slide_readers.register("ppm", Arc::new(PpmReader));
    registry.heads.register("prototype", HeadKind::of::<Prototype>("prototype", restore));
    registry.transforms.register("gain", TransformKind::of::<Gain>("gain"));
}

/// Opens cards of family `palette`.
struct PaletteOpener(Arc<[[u8; 3]]>);

/// What such a card says in `[architecture]`: the distance in RGB at which a pixel is no longer
/// near a colour.
#[derive(Deserialize)]
struct PaletteOptions {
    reach: f32,
}

impl BackboneOpener for PaletteOpener {
    fn kind(&self) -> &'static str { "palette" }
    fn serves(&self, request: &BackboneRequest) -> bool { request.card.family == "palette" }
    fn open(&self, request: &BackboneRequest) -> Result<Box<dyn Backbone>> {
        let PaletteOptions { reach } = request.card.arguments()?;
        // The colours are this backbone's weights: embeddings by others never mix with its own.
        let (weights, n) = (format!("{:02x?}", self.0), self.0.len());
        let mut info = request.card.info(weights, 3 * n as u64, "palette".into());
        info.dim = n as u32;
        Ok(Box::new(Palette { info, colours: Arc::clone(&self.0), reach }))
    }
}

/// How much of a tile is near each colour.
struct Palette {
    info: BackboneInfo,
    colours: Arc<[[u8; 3]]>,
    reach: f32,
}

impl Backbone for Palette {
    fn info(&self) -> &BackboneInfo { &self.info }
    fn embed(&self, batch: &TileBatch) -> Result<Matrix> {
        let share = |tile: &[u8], colour: &[u8; 3]| {
            let square = |(&p, &c): (&u8, &u8)| f32::from(p.abs_diff(c)).powi(2);
            let distance = |p: &[u8]| p.iter().zip(colour).map(square).sum::<f32>().sqrt();
            let near = |p: &[u8]| (1.0 - distance(p) / self.reach).max(0.0);
            tile.chunks(3).map(near).sum::<f32>() * 3.0 / tile.len() as f32
        };
        let tiles = batch.pixels().chunks((batch.px() * batch.px() * 3) as usize);
        let row = |tile| self.colours.iter().map(move |colour| share(tile, colour));
        Matrix::new(batch.n_tiles(), self.colours.len(), tiles.flat_map(row).collect())
    }
}

/// Transform `gain`: a copy of every row with larger values.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Gain {
    by: f32,
}

impl FeatureTransform for Gain {
    fn kind(&self) -> &'static str { "gain" }
    fn fit(&self, _train: &TrainView) -> Result<Box<dyn FittedTransform>> { Ok(Box::new(*self)) }
}

impl FittedTransform for Gain {
    fn apply(&self, batch: &TrainBatch, _draw: Draw) -> Result<TrainBatch> {
        let values = batch.features().values().iter().map(|x| x * (1.0 + self.by)).collect();
        let larger = Matrix::new(batch.n_rows(), batch.features().n_cols(), values)?;
        let sources: Vec<usize> = (0..batch.n_rows()).collect();
        batch.clone().concat(&batch.derive(larger, &sources, batch.weights().to_vec())?)
    }
}

/// Head `prototype`: the nearer a row is to a class's mean, the more probable the class.
#[derive(Deserialize)]
struct Prototype {}

impl HeadTrainer for Prototype {
    fn kind(&self) -> &'static str { "prototype" }
    fn penalties(&self) -> Vec<f64> { vec![0.1, 0.01, 0.001] }
    fn fit(&self, batch: &TrainBatch, penalty: f64) -> Result<Box<dyn Head>> {
        let (k, d) = (batch.classes().len(), batch.features().n_cols());
        let (mut values, mut weights) = (vec![0.0; k * d], vec![1e-12; k]);
        for (i, row) in batch.features().rows().enumerate() {
            for class in 0..k {
                let share = f64::from(batch.targets().row(i)[class] * batch.weights()[i]);
                weights[class] += share;
                (0..d).for_each(|j| values[class * d + j] += share * f64::from(row[j]));
            }
        }
        (0..k * d).for_each(|at| values[at] /= weights[at / d]);
        restore(&HeadRecord {
            kind: "prototype".into(),
            classes: batch.classes().to_vec(),
            tensors: BTreeMap::from([("means".into(), Tensor { shape: vec![k, d], values })]),
            parameters: BTreeMap::from([("penalty".into(), penalty)]),
        })
    }
}

struct PrototypeHead(HeadRecord);

/// Makes a head of what was saved of it.
fn restore(record: &HeadRecord) -> Result<Box<dyn Head>> {
    let k = record.classes.len();
    let means = record.tensors.get("means").filter(|m| m.shape.len() == 2 && m.shape[0] == k);
    let is_whole = means.is_some_and(|m| m.shape[1] * k == m.values.len() && !m.values.is_empty());
    if is_whole && record.parameters.contains_key("penalty") {
        return Ok(Box::new(PrototypeHead(record.clone())));
    }
    Err(Error::data("a prototype head", "penalty and a mean per class", "less", "train it again"))
}

impl Head for PrototypeHead {
    fn classes(&self) -> &[String] { &self.0.classes }
    fn predict(&self, rows: &Matrix) -> Result<Probabilities> {
        let (means, penalty) = (&self.0.tensors["means"], self.0.parameters["penalty"]);
        let (k, d) = (means.shape[0], means.shape[1]);
        if rows.n_cols() != d {
            let found = rows.n_cols().to_string();
            return Err(Error::input("rows", d.to_string(), found, "use the head's backbone"));
        }
        let row = |row: &[f32]| {
            let square = |(m, &x): (&f64, &f32)| (m - f64::from(x)).powi(2);
            let distance = |mean: &[f64]| mean.iter().zip(row).map(square).sum::<f64>();
            let weight = |mean| 1.0 / (penalty + distance(mean));
            let sum: f64 = means.values.chunks(d).map(weight).sum();
            means.values.chunks(d).map(|mean| weight(mean) / sum).collect::<Vec<_>>()
        };
        Probabilities::new(k, rows.rows().flat_map(row).collect())
    }
    fn record(&self) -> HeadRecord { self.0.clone() }
}

/// Reads slides that are PPM files with the lines `P6`, `# mpp 0.5`, `WIDTH HEIGHT` and `255`.
#[derive(Debug)]
struct PpmReader;

#[derive(Debug)]
struct Ppm {
    image: RgbImage,
    size: [(u32, u32); 1],
    mpp: Mpp,
}

impl SlideReader for PpmReader {
    fn kind(&self) -> &'static str { "ppm" }
    fn recognises(&self, path: &Path) -> bool {
        matches!(self.open(path), Ok(Some(_)))
    }
    fn open(&self, path: &Path) -> Result<Option<Box<dyn SlideImage>>> {
        let bytes = std::fs::read(path).map_err(|e| Error::io("read", path, e))?;
        let parts: Vec<&[u8]> = bytes.splitn(5, |&b| b == b'\n').collect();
        let [b"P6", mpp, size, b"255", data] = parts[..] else { return Ok(None) };
        let number = |text: &[u8]| std::str::from_utf8(text).ok()?.parse::<f64>().ok();
        let mpp = mpp.strip_prefix(b"# mpp ").and_then(number).unwrap_or(f64::NAN);
        let sides: Vec<f64> = size.split(|&b| b == b' ').flat_map(number).collect();
        let [width, height] = sides[..] else { return Ok(None) };
        let (width, height) = (width as u32, height as u32);
        let image = RgbImage::new(width, height, data.to_vec())?;
        Ok(Some(Box::new(Ppm { image, size: [(width, height)], mpp: Mpp::new(mpp)? })))
    }
}

impl SlideImage for Ppm {
    fn version(&self) -> &str { "1" }
    fn levels(&self) -> &[(u32, u32)] { &self.size }
    fn mpp(&self) -> Option<Mpp> { Some(self.mpp) }
    fn read_region(&self, _: usize, (x, y): (u32, u32), (w, h): (u32, u32)) -> Result<RgbImage> {
        let start = |row: u32| (row * self.image.width() + x) as usize * 3;
        let row = |row: u32| &self.image.data()[start(row)..start(row) + w as usize * 3];
        RgbImage::new(w, h, (y..y + h).flat_map(row).copied().collect())
    }
}
