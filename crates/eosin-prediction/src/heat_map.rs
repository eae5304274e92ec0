// SPDX-License-Identifier: MIT OR Apache-2.0

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use eosin_core::{
    Error, Options, PredictedTile, PredictionWriter, Result, RgbImage, SlidePredictions,
    SlideThumbnail,
};
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};
use serde::Deserialize;

use crate::colour::Colours;
use crate::layer::{Layer, Shown};
use crate::legend::{ColourScale, Legend, compose};
use crate::place::{require_places, require_sound};
use crate::rectangle::{Rectangle, close_gaps};
use crate::{file_name, write_whole};

/// `SLIDE.heatmap.png`: the probability of a class over a thumbnail of the slide, with a legend, a
/// scale bar where the resolution is known, and colours of their own for tiles that are left uncalled
/// and for those whose set has several classes. Of two classes the second is drawn; of more each, in
/// `SLIDE.CLASS.heatmap.png`. Heads of slides give `SLIDE.attention.png`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HeatMap {
    /// The class to draw.
    pub class: Option<String>,
    /// The map of colours: `viridis` or `cividis`, for any colour vision.
    pub colours: Colours,
    /// Share of the colour where a tile lies, 0 to 1; the slide shows through the rest, in grey.
    pub opacity: f64,
    /// Tiles with a lower probability are left clear.
    pub threshold: f64,
    /// Deviation in tiles by which values are averaged with those around; 0 shows what was predicted.
    pub smoothing: f64,
    /// Longer side of the slide on the picture.
    pub px: u32,
}

impl Default for HeatMap {
    fn default() -> Self {
        let colours = Colours::default();
        Self { class: None, colours, opacity: 0.5, threshold: 0.0, smoothing: 0.0, px: 1536 }
    }
}

/// Pictures of one slide, so that hundreds of classes do not fill a disk.
const MAX_PICTURES: usize = 20;

/// A slide of fewer pixels is enlarged.
const MIN_PX: u32 = 512;

impl HeatMap {
    /// Reads and checks options.
    pub fn of_options(options: &Options) -> Result<Arc<dyn PredictionWriter>> {
        let own: Self = options.read("format heatmap")?;
        own.check()?;
        Ok(Arc::new(own))
    }

    fn check(&self) -> Result<()> {
        let share = 0.0..=1.0;
        let faults = [
            (!share.contains(&self.opacity), "an `opacity` of 0 to 1"),
            (!share.contains(&self.threshold), "a `threshold` of 0 to 1"),
            (!(0.0..=20.0).contains(&self.smoothing), "a `smoothing` of 0 to 20 tiles"),
            (!(256..=4096).contains(&self.px), "`px` of 256 to 4096"),
        ];
        match faults.iter().find(|(is_fault, _)| *is_fault) {
            None => Ok(()),
            Some((_, expected)) => Err(Error::input(
                "format heatmap",
                *expected,
                format!("{self:?}"),
                "leave the option out for its default",
            )),
        }
    }

    /// What is drawn: classes by their numbers, or the attention.
    fn subjects(&self, slide: &SlidePredictions) -> Result<Vec<Subject>> {
        if slide.tiles.iter().all(|tile| tile.prediction.is_none()) {
            let attention = slide.tiles.iter().filter_map(|tile| tile.attention);
            let largest = attention.fold(0.0, f32::max);
            return Ok(vec![Subject::Attention(f64::from(largest) * slide.tiles.len() as f64)]);
        }
        let n = slide.classes.len();
        let classes: Vec<usize> = match &self.class {
            None if n == 2 => vec![1],
            None => (0..n).collect(),
            Some(name) => {
                slide.classes.iter().position(|class| class == name).into_iter().collect()
            }
        };
        if classes.is_empty() || classes.len() > MAX_PICTURES {
            return Err(Error::input(
                "class of format heatmap",
                format!("one of the head's classes: {}", slide.classes.join(", ")),
                self.class.clone().unwrap_or_else(|| format!("{n} classes, each a picture")),
                "name one with --set heatmap.class=NAME",
            ));
        }
        Ok(classes.into_iter().map(Subject::Class).collect())
    }

    fn picture(
        &self,
        slide: &SlidePredictions,
        thumbnail: &SlideThumbnail,
        subject: Subject,
    ) -> Result<RgbImage> {
        let (base, downsample) = enlarged(thumbnail);
        let mut layer = Layer::new(&base, downsample);
        let (mut n_uncalled, mut n_uncertain) = (0, 0);
        let (tiles, mut places): (Vec<&PredictedTile>, Vec<Rectangle>) =
            slide.tiles.iter().filter_map(|t| Some((t, Rectangle::of(t.meta)?))).unzip();
        close_gaps(&mut places);
        for (tile, place) in tiles.into_iter().zip(&places) {
            let Some(shown) = subject.shown(tile, slide.tiles.len()) else { continue };
            match shown {
                Shown::Value(value) if value < subject.threshold(self) => continue,
                Shown::Value(_) => {}
                Shown::Uncalled => n_uncalled += 1,
                Shown::Uncertain => n_uncertain += 1,
            }
            layer.add(place, shown);
        }
        if let Some(tile) = slide.tiles.first() {
            layer.smooth(self.smoothing * f64::from(tile.meta.size_level0_px) / downsample);
        }
        let map = layer.draw(&base, self.colours, self.opacity);
        let legend = Legend {
            title: slide.slide.to_string(),
            scale: subject.scale(slide),
            colours: self.colours,
            opacity: self.opacity,
            threshold: subject.threshold(self),
            n_uncalled,
            n_uncertain,
            remarks: subject.remarks(slide),
            um_per_px: slide.mpp.map(|mpp| mpp.get() * downsample),
        };
        compose(&map, &legend)
    }
}

impl PredictionWriter for HeatMap {
    fn kind(&self) -> &'static str {
        "heatmap"
    }

    fn thumbnail_px(&self) -> Option<u32> {
        Some(self.px)
    }

    fn write(&self, slide: &SlidePredictions, folder: &Path) -> Result<Vec<PathBuf>> {
        self.check()?;
        require_sound(slide)?;
        require_places(slide, "heatmap")?;
        let sound = |t: &&SlideThumbnail| t.downsample > 0.0 && t.downsample.is_finite();
        let Some(thumbnail) = slide.thumbnail.filter(sound) else {
            return Err(Error::input(
                format!("format heatmap of slide {}", slide.slide),
                "a slide to draw on",
                "tile images",
                "predict on the slide itself, or write --format csv",
            ));
        };
        let subjects = self.subjects(slide)?;
        let stem = file_name(slide.slide);
        let several = subjects.len() > 1 || self.class.is_some();
        let write = |subject: Subject| {
            let name = match subject {
                Subject::Attention(_) => format!("{stem}.attention.png"),
                Subject::Class(class) if several => {
                    format!("{stem}.{}.heatmap.png", file_name(&slide.classes[class]))
                }
                Subject::Class(_) => format!("{stem}.heatmap.png"),
            };
            let bytes = png(&self.picture(slide, thumbnail, subject)?)?;
            write_whole(folder, &name, |out| {
                out.write_all(&bytes).map_err(|e| Error::io("write", folder.join(&name), e))
            })
        };
        subjects.into_iter().map(write).collect()
    }
}

/// What a picture is of.
#[derive(Clone, Copy)]
enum Subject {
    /// The probability of a class.
    Class(usize),
    /// The attention of a head of slides, with the largest in multiples of the mean.
    Attention(f64),
}

impl Subject {
    fn shown(self, tile: &PredictedTile, n_tiles: usize) -> Option<Shown> {
        match self {
            Self::Attention(largest) => {
                let times_mean = f64::from(tile.attention?) * n_tiles as f64;
                let share = times_mean / largest.max(f64::MIN_POSITIVE);
                share.is_finite().then_some(Shown::Value(share))
            }
            Self::Class(class) => {
                let prediction = tile.prediction?;
                Some(if prediction.called.is_none() {
                    Shown::Uncalled
                } else if prediction.set.is_some_and(|set| set.len() != 1) {
                    Shown::Uncertain
                } else {
                    Shown::Value(prediction.probabilities[class])
                })
            }
        }
    }

    /// Attention has no threshold: what is much of it differs from slide to slide.
    fn threshold(self, options: &HeatMap) -> f64 {
        match self {
            Self::Class(_) => options.threshold,
            Self::Attention(_) => 0.0,
        }
    }

    fn scale(self, slide: &SlidePredictions) -> ColourScale {
        match self {
            Self::Class(class) => ColourScale {
                heading: "Probability of".into(),
                name: slide.classes[class].clone(),
                ticks: [0.0, 0.25, 0.5, 0.75, 1.0].map(|p| (p, format!("{p:.2}"))).to_vec(),
            },
            Self::Attention(largest) => {
                let tick = |share: f64| (share, format!("{:.1} ×", share * largest));
                ColourScale {
                    heading: "Attention".into(),
                    name: "times the mean".into(),
                    ticks: [0.0, 0.25, 0.5, 0.75, 1.0].map(tick).to_vec(),
                }
            }
        }
    }

    fn remarks(self, slide: &SlidePredictions) -> Vec<String> {
        let n = slide.tiles.len();
        match (self, &slide.call) {
            (Self::Class(class), _) => {
                let is_called = |tile: &&PredictedTile| {
                    tile.prediction.and_then(|p| p.called) == Some(class as u32)
                };
                let n_called = slide.tiles.iter().filter(is_called).count();
                let share = 100.0 * n_called as f64 / n.max(1) as f64;
                let called = format!("called {}:", slide.classes[class]);
                vec![format!("{n} tiles"), called, format!("{n_called} ({share:.1} %)")]
            }
            (Self::Attention(_), Some(call)) => {
                let n_tiles = format!("{n} tiles");
                let Some(class) = call.called else {
                    return vec![n_tiles, "slide is left uncalled:".into(), "too unsure".into()];
                };
                let name = slide.classes[class as usize].clone();
                let p = call.probabilities.get(class as usize).copied().unwrap_or_default();
                let probability = format!("with probability {p:.2}");
                vec![n_tiles, "slide is called".into(), name, probability]
            }
            (Self::Attention(_), None) => vec![format!("{n} tiles")],
        }
    }
}

/// A thumbnail that is large enough to look at, by whole pixels.
fn enlarged(thumbnail: &SlideThumbnail) -> (RgbImage, f64) {
    let image = &thumbnail.image;
    let factor = (MIN_PX / image.width().max(image.height())).max(1);
    if factor == 1 {
        return (image.clone(), thumbnail.downsample);
    }
    let mut large = RgbImage::filled(image.width() * factor, image.height() * factor, [255; 3]);
    let width = large.width() as usize;
    for (at, pixel) in large.data_mut().chunks_exact_mut(3).enumerate() {
        let (x, y) = ((at % width) as u32 / factor, (at / width) as u32 / factor);
        pixel.copy_from_slice(&image.pixel(x, y));
    }
    (large, thumbnail.downsample / f64::from(factor))
}

/// The bytes of a PNG file.
pub fn png(image: &RgbImage) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    PngEncoder::new(&mut bytes)
        .write_image(image.data(), image.width(), image.height(), ExtendedColorType::Rgb8)
        .map_err(|e| {
            Error::input("image", "pixels that PNG holds", e.to_string(), "make it smaller")
        })?;
    Ok(bytes)
}
