// SPDX-License-Identifier: MIT OR Apache-2.0

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::bounds;
use crate::commands::evaluate::EvaluateArguments;
#[cfg(feature = "sql")]
use crate::commands::query::QueryArguments;
use crate::commands::store::StoreArguments;
use crate::exit;

/// Embed every tile once, choose the backbone by statistics, train small calibrated heads.
#[derive(Parser)]
#[command(name = "eosin", version, after_help = exit::HELP, propagate_version = true)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Args)]
pub struct Global {
    /// Threads; 0 takes all cores. Results do not depend on it.
    #[arg(long, global = true, default_value_t = 0, allow_negative_numbers = true, value_parser = bounds::whole::<usize>("threads"))]
    pub threads: usize,
    /// No progress bars.
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// Say what is done; twice for more. `EOSIN_LOG` filters by module.
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

#[derive(Subcommand)]
pub enum Command {
    /// The whole job: embed, select a backbone, tune heads with and without augmentation, report.
    Run(RunArguments),
    /// Cut slides into tiles at an exact resolution and write a manifest.
    Tile(TileArguments),
    /// Embed tiles of a manifest, a folder or a slide into a store.
    Embed(EmbedArguments),
    /// Choose the backbone: proxies shortlist, the task's own training folds decide.
    Select(SelectArguments),
    /// Compare augmentations on a run's task: the 2×2, the ablation, learning curves, controls.
    Study(StudyArguments),
    /// Tune, fit and save heads: every task with every head on every backbone, sorted by score.
    Train(TrainArguments),
    /// Apply a saved head to tiles.
    Predict(PredictArguments),
    /// Score a saved head on labelled tiles or slides that it never saw.
    Evaluate(EvaluateArguments),
    /// Tell of saved heads: `eosin head card` writes a model card.
    Head(HeadArguments),
    /// Tell what a slide, manifest, folder of tiles, store, head or weights file holds.
    Inspect(InspectArguments),
    /// List, show, check and fetch backbones.
    Backbone(BackboneArguments),
    /// Run the golden tiles through every backbone that is installed, on every engine.
    Doctor(DoctorArguments),
    /// List, check, tidy, import and export the sets of embeddings of a store.
    Store(StoreArguments),
    /// Ask questions in SQL of tiles, labels and clinical tables.
    #[cfg(feature = "sql")]
    Query(QueryArguments),
}

#[derive(Args, Clone)]
#[command(after_help = "Example:
  eosin run configs/run/mitosis.toml --data mitosis --out runs/mitosis

A run that was killed continues where it was committed when started again.
Precision at prevalences is told for those that [evaluation] prevalence = [0.02] states, or a few.
Beside the report, predictions.parquet holds every prediction behind it and folds.parquet the folds:
its figures can be made again from them.")]
pub struct RunArguments {
    /// A file of configs/run; for `study`, one of configs/study.
    pub config: PathBuf,
    /// Folder that the run's tiles are relative to [default: the current folder]
    #[arg(long)]
    pub data: Option<PathBuf>,
    /// Folder for the store, heads and reports.
    #[arg(long, default_value = "eosin-out")]
    pub out: PathBuf,
    /// Engine that embeds, instead of the configuration's: auto, native, flex, cuda, tch, wgpu, onnx,
    /// or one that a plugin brings.
    #[arg(long)]
    pub engine: Option<String>,
    /// Folder with weights that cards leave to the user, named after the card: CARD.safetensors,
    /// .pth, .pt, .bin or .onnx.
    #[arg(long)]
    pub weights: Option<PathBuf>,
    /// Use a split that leaks, for this reason, which stands in the report.
    #[arg(long, value_name = "REASON")]
    pub allow_leakage: Option<String>,
    /// Replace rows of files that have changed, however many; without it more than a tenth of what a
    /// set has of these tiles is an error.
    #[arg(long)]
    pub replace: bool,
    /// Check the configuration and the data, say what would be done, with tiles, groups, classes and
    /// feasible folds of every part, and stop.
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Args)]
#[command(after_help = "Examples:
  eosin study configs/study/mitosis.toml --data mitosis --out runs/mitosis
  eosin study configs/study/mitosis.toml --data mitosis --dry-run

A study that was killed continues with the fits that are not done.
In OUT/study, predictions.parquet holds every prediction behind the report and folds.parquet the
folds: its figures can be made again from them.")]
pub struct StudyArguments {
    /// The configuration is a file of configs/study, which names the run.
    #[command(flatten)]
    pub run: RunArguments,
}

#[derive(Args)]
#[command(after_help = "Example:
  eosin select configs/run/select-mitosis.toml --data DATA --weights WEIGHTS --licence commercial

Writes select.json, which depends on configuration and data alone, select.html and
select-timings.json.
A selection that was killed goes on at the backbone, task and repeat that it had reached.")]
pub struct SelectArguments {
    #[command(flatten)]
    pub run: RunArguments,
    /// Leave out backbones that may not be used for this; they are named with the reason.
    #[arg(long, value_parser = ["any", "commercial"])]
    pub licence: Option<String>,
    /// What a fold of the target task holds out: groups, or all tiles of a centre, which asks how a
    /// new centre is called [default: group, or what the configuration says]
    #[arg(long, value_parser = ["group", "centre"])]
    pub hold_out: Option<String>,
}

#[derive(Args)]
#[command(after_help = "Examples:
  eosin train configs/run/mitosis.toml --data mitosis
  eosin train configs/run/mitosis.toml --data mitosis --task mitosis-atypical --task mitosis-phase \\
    --head logistic --head knn --backbone efficientnet-lite0 --no-augment

Heads of a task are sorted by AUROC out of fold, of more than two classes its mean. Figures that need
calls are at calls by what the other folds gave; tiles that are left uncalled count as misses.
Beside the heads, predictions.parquet holds what each predicted out of fold and on the test part, and
folds.parquet the folds: their scores can be made again from them.")]
pub struct TrainArguments {
    #[command(flatten)]
    pub run: RunArguments,
    /// Task to train for, a file of configs/task; may be given more than once [default: the run's]
    #[arg(long)]
    pub task: Vec<String>,
    /// Head to train, a file of configs/head or a kind with its usual options: logistic, ridge,
    /// lda, linear-svm, linfa-logistic, knn, nearest-mean, mlp, isda, abmil or mean-pool; may be
    /// given more than once [default: the run's]
    #[arg(long)]
    pub head: Vec<String>,
    /// Backbone to train on; may be given more than once [default: the run's default backbone]
    #[arg(long)]
    pub backbone: Vec<String>,
    /// Leave the run's augmentation out.
    #[arg(long)]
    pub no_augment: bool,
}

#[derive(Args)]
#[command(after_help = "Examples:
  eosin tile slide.svs --tile-um 112 --tile-px 224 --min-tissue 0.5 --out tiles
  eosin tile slide.svs --preview preview.png --mask mask.png --contours tissue.geojson
  eosin tile *.svs --tiling configs/tiling/he-20x.toml --mpp-csv mpp.csv --roi annotations --out tiles

--preview, --mask and --contours write a file for one slide and into a folder for several; without
--out nothing else is done.")]
pub struct TileArguments {
    /// Slides.
    #[arg(required = true)]
    pub slides: Vec<PathBuf>,
    #[command(flatten)]
    pub grid: GridArguments,
    /// Folder for the tiles and manifest.csv: a new one, or that of the same cut, which is then
    /// finished or made again.
    #[arg(long, required_unless_present_any = ["dry_run", "preview", "mask", "contours"])]
    pub out: Option<PathBuf>,
    /// Draw tiles and tissue on a thumbnail (PNG).
    #[arg(long, value_name = "PATH")]
    pub preview: Option<PathBuf>,
    /// Write the tissue mask (PNG).
    #[arg(long, value_name = "PATH")]
    pub mask: Option<PathBuf>,
    /// Write the outlines of the tissue (GeoJSON in level-0 pixels).
    #[arg(long, value_name = "PATH")]
    pub contours: Option<PathBuf>,
    /// Remove the tiles of another cut from the folder first; other files are left there.
    #[arg(long)]
    pub replace: bool,
    /// Say how many tiles there would be, and stop.
    #[arg(long)]
    pub dry_run: bool,
}

/// What is taken where neither an argument nor a file of configs/tiling says it.
pub const DEFAULT_TILE_UM: f64 = 112.0;
pub const DEFAULT_TILE_PX: u32 = 224;
pub const DEFAULT_MIN_TISSUE: f64 = 0.25;

/// Absent arguments leave what `tiling` says, or the default.
#[derive(Args, Clone, Default, PartialEq)]
pub struct GridArguments {
    /// A file of configs/tiling with all of this and more; arguments go before it.
    #[arg(long, value_name = "FILE")]
    pub tiling: Option<PathBuf>,
    /// Side of a tile in µm [default: 112]
    #[arg(long, allow_negative_numbers = true, value_parser = bounds::real("tile_um"))]
    pub tile_um: Option<f64>,
    /// Side of a tile in pixels; with --tile-um it gives the resolution [default: 224]
    #[arg(long, allow_negative_numbers = true, value_parser = bounds::whole::<u32>("tile_px"))]
    pub tile_px: Option<u32>,
    /// Share of a tile that its neighbour covers too, 0 to 0.95 [default: 0]
    #[arg(long, allow_negative_numbers = true, value_parser = bounds::real("overlap"))]
    pub overlap: Option<f64>,
    /// Least share of tissue in a tile, 0 to 1 [default: 0.25]
    #[arg(long, allow_negative_numbers = true, value_parser = bounds::real("min_tissue"))]
    pub min_tissue: Option<f64>,
    /// How tissue is found: clam, otsu, biopsy, tcga or strict [default: clam]
    #[arg(long, value_name = "PRESET")]
    pub tissue: Option<String>,
    /// Bring the stain to a reference, fitted per slide: none, macenko or reinhard [default: none]
    #[arg(long, value_name = "METHOD")]
    pub stain: Option<String>,
    /// Whose arithmetic resamples: pillow, bit for bit, or fast [default: pillow]
    #[arg(long, value_name = "ARITHMETIC")]
    pub resampling: Option<String>,
    /// Apply the slide's ICC profile, so that tiles are sRGB.
    #[arg(long)]
    pub icc: bool,
    /// Resolution of level 0 in µm per pixel, where the slide does not say.
    #[arg(long, allow_negative_numbers = true, value_parser = bounds::real("mpp"))]
    pub mpp: Option<f64>,
    /// Resolutions of slides: a CSV with the columns slide and mpp.
    #[arg(long, value_name = "FILE")]
    pub mpp_csv: Option<PathBuf>,
    /// Region of interest: GeoJSON in level-0 pixels, or a folder with SLIDE.geojson for each slide.
    #[arg(long, value_name = "PATH")]
    pub roi: Option<PathBuf>,
    /// What opens slides: auto, built-in or a plugin such as openslide [default: auto]
    #[arg(long, value_name = "KIND")]
    pub reader: Option<String>,
}

#[derive(Args)]
#[command(after_help = "Examples:
  eosin embed tiles/manifest.csv --store store
  eosin embed slide.svs --tile-um 112 --backbone efficientnet-lite0 --store store
  eosin embed tiles/manifest.csv --views 8 --store store")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct EmbedArguments {
    /// A manifest CSV, a folder of images, or a slide.
    pub input: PathBuf,
    /// Card of the program or of configs/backbone, or path of a card; may be given more than once.
    #[arg(long, default_value = "efficientnet-lite0")]
    pub backbone: Vec<String>,
    /// The store's folder.
    #[arg(long, default_value = "eosin-out/store")]
    pub store: PathBuf,
    /// Embed the views of every tile instead of the tile itself; the tile is one of this many, so
    /// that 8 are 7 augmented images.
    #[arg(long, allow_negative_numbers = true, value_parser = bounds::whole::<u16>("views"))]
    pub views: Option<u16>,
    /// Seed of the views.
    #[arg(long, default_value_t = 0, allow_negative_numbers = true, value_parser = bounds::whole::<u64>("seed"))]
    pub seed: u64,
    /// Engine: auto, native, flex, cuda, tch, wgpu, onnx, or one that a plugin brings.
    #[arg(long, default_value = "auto")]
    pub engine: String,
    /// Tiles per forward pass.
    #[arg(long, default_value_t = 32, allow_negative_numbers = true, value_parser = bounds::whole::<usize>("batch_size"))]
    pub batch_size: usize,
    /// Weights that cards leave to the user: a file, or a folder of files named after cards.
    #[arg(long)]
    pub weights: Option<PathBuf>,
    /// Folder with backbone cards.
    #[arg(long, default_value = "configs")]
    pub configs: PathBuf,
    #[command(flatten)]
    pub grid: GridArguments,
    /// Tell by every byte of a slide whether it is the same as before. Without it, length, time of
    /// the last change and both ends of its files tell: a change in the middle that keeps length and
    /// time is not noticed. Rows made with it are known again only with it. Image files of manifests
    /// and folders are always read whole.
    #[arg(long)]
    pub verify: bool,
    /// Replace rows of files that have changed, however many; without it more than a tenth of what a
    /// set has of these tiles is an error.
    #[arg(long)]
    pub replace: bool,
    /// Keep values in 32 bits instead of 16, which end at 65504; for new sets only.
    #[arg(long)]
    pub f32: bool,
    /// Say where the time went, and what share of the machine's matrix products it was.
    #[arg(long)]
    pub stats: bool,
    /// Say what would be embedded, and stop.
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Args)]
#[command(after_help = "Examples:
  eosin predict tiles/manifest.csv --head eosin-out/heads/selected.safetensors --out scores.csv
  eosin predict slide.svs --head eosin-out/heads/subtype-abmil.safetensors --out slides.csv \\
    --attention tiles.csv
  eosin predict slide.svs --head HEAD --out predictions/ --merge 0.5
  eosin predict slide.svs --head HEAD --out predictions/ --format heatmap,csv \\
    --set heatmap.threshold=0.5 --set heatmap.colours=cividis
  eosin predict slide.svs --head HEAD --out predictions/ --layout wsinfer
  eosin predict tiles/manifest.csv --head HEAD --out scores.csv --prevalence 0.02
  eosin predict tiles/manifest.csv --head HEAD --out scores.csv --recalibrate

An --out that ends in .csv is one table: a row per tile, or per slide for a head of slides (abmil,
mean-pool). Any other is a folder, made where it is missing, with the files of each slide, slides.csv
and patients.csv:
  csv      SLIDE.csv, a row per tile
  heatmap  SLIDE.heatmap.png, the probability over the slide, with legend and scale bar; attention
           for heads of slides; options class, colours (viridis, cividis), opacity, threshold,
           smoothing (in tiles), px
  geojson  SLIDE.geojson.gz for QuPath, tiles as detections; with merge, regions as annotations
  wsinfer  model-outputs-csv/SLIDE.csv and model-outputs-geojson/SLIDE.json
In every CSV, an apostrophe stands before text that a spreadsheet would run as a formula; where Eosin
reads a CSV, it is taken off again.")]
pub struct PredictArguments {
    /// A manifest CSV, a folder of images, or a slide.
    pub input: PathBuf,
    #[command(flatten)]
    pub apply: ApplyArguments,
    /// The CSV to write, one table of all, or a folder for files of each slide.
    #[arg(long)]
    pub out: PathBuf,
    /// What is written for each slide: csv, heatmap, geojson, wsinfer, or what a plugin brings. Without
    /// it csv, heatmap and geojson for a slide; csv for tile images, which have no slide to be drawn on.
    #[arg(long, value_delimiter = ',')]
    pub format: Vec<String>,
    /// Folders as another program makes them: wsinfer.
    #[arg(long, conflicts_with = "format", value_parser = ["wsinfer"])]
    pub layout: Option<String>,
    /// Adds regions for QuPath: connected tiles whose probability is at least this, of the second of
    /// two classes, or of each of more.
    #[arg(long, allow_negative_numbers = true, value_parser = bounds::real("merge"))]
    pub merge: Option<f64>,
    /// An option of a format, such as heatmap.opacity=0.4.
    #[arg(long, value_name = "FORMAT.KEY=VALUE")]
    pub set: Vec<String>,
    /// A second CSV with the attention of every tile, for heads of slides.
    #[arg(long)]
    pub attention: Option<PathBuf>,
    /// Recalibrate probabilities and calls to these shares of classes: that of the second of two, such
    /// as 0.02, or one per class, such as 0.7,0.2,0.1.
    #[arg(long, value_delimiter = ',', allow_negative_numbers = true, value_parser = bounds::real("prevalence"))]
    pub prevalence: Vec<f64>,
    /// Recalibrate to the shares that these tiles themselves speak for, by the EM algorithm of Saerens
    /// et al. (2002), which rests on classes that look as in training; refused where patients are too
    /// few or the head tells too little.
    #[arg(long, conflicts_with = "prevalence")]
    pub recalibrate: bool,
    /// Say what would be predicted, and stop.
    #[arg(long)]
    pub dry_run: bool,
}

/// A saved head and how it is applied to tiles.
#[derive(Args)]
pub struct ApplyArguments {
    /// A head that `eosin train` or `eosin run` saved.
    #[arg(long)]
    pub head: PathBuf,
    /// The store's folder, so that tiles are embedded once.
    #[arg(long, default_value = "eosin-out/store")]
    pub store: PathBuf,
    /// Engine: auto, native, flex, cuda, tch, wgpu, onnx, or one that a plugin brings.
    #[arg(long, default_value = "auto")]
    pub engine: String,
    /// Weights that cards leave to the user: a file, or a folder of files named after cards.
    #[arg(long)]
    pub weights: Option<PathBuf>,
    /// Folder with configurations: cards of backbones, tasks.
    #[arg(long, default_value = "configs")]
    pub configs: PathBuf,
    #[command(flatten)]
    pub grid: GridArguments,
    /// Contract field in which the tiles may differ from those of the head's training: mpp_policy,
    /// reader, tile_px or tile_um.
    #[arg(long)]
    pub accept: Vec<String>,
    /// Tell by every byte of a slide whether it is the same as before. Without it, length, time of
    /// the last change and both ends of its files tell: a change in the middle that keeps length and
    /// time is not noticed. Rows made with it are known again only with it. Image files of manifests
    /// and folders are always read whole.
    #[arg(long)]
    pub verify: bool,
    /// Replace rows of files that have changed, however many; without it more than a tenth of what a
    /// set has of these tiles is an error.
    #[arg(long)]
    pub replace: bool,
}

#[derive(Args)]
pub struct HeadArguments {
    #[command(subcommand)]
    pub command: HeadCommand,
}

#[derive(Subcommand)]
pub enum HeadCommand {
    /// A model card in Markdown: classes, contract, threshold, calibration, scores, licence, limits.
    #[command(after_help = "Examples:
  eosin head card eosin-out/heads/selected-augmented.safetensors
  eosin head card eosin-out/heads/selected-augmented.safetensors --out card.md")]
    Card {
        /// A head that `eosin train` or `eosin run` saved.
        head: PathBuf,
        /// The file to write [default: standard output]
        #[arg(long)]
        out: Option<PathBuf>,
    },
}

#[derive(Args)]
#[command(after_help = "Examples:
  eosin inspect slide.svs
  eosin inspect eosin-out/store
  eosin inspect slide.geojson --slide slide.svs --tile-um 112 --outside normal
  eosin inspect slide.xml --slide slide.svs --map metastases=tumour --map normal=

With --slide, annotations are laid over the slide's tiles before anything is embedded: it tells how
many tiles each class gets. Annotations of which more than half lie outside are refused.")]
pub struct InspectArguments {
    /// Slides, annotations (GeoJSON of QuPath, XML of ASAP or ImageScope, JSON of COCO or MIDOG, packed
    /// by gzip or not), manifests (CSV or Parquet), folders of tiles, stores, heads, or weights
    /// (safetensors, its index, PyTorch or ONNX).
    #[arg(required = true)]
    pub paths: Vec<PathBuf>,
    /// Format of annotations, where the file's content is not to tell: geojson, asap, imagescope, coco,
    /// midog, or one that a plugin brings.
    #[arg(long, value_name = "KIND")]
    pub format: Option<String>,
    /// The slide that the annotations are on, whose tiles get classes from them.
    #[arg(long)]
    pub slide: Option<PathBuf>,
    #[command(flatten)]
    pub labels: LabelArguments,
    #[command(flatten)]
    pub grid: GridArguments,
}

/// How tiles get classes from annotations.
#[derive(Args)]
pub struct LabelArguments {
    /// A class of the annotations and the class that its tiles get, or nothing so that it is passed over;
    /// may be given more than once. Without it every class keeps its name.
    #[arg(long, value_name = "CLASS=[CLASS]", requires = "slide")]
    pub map: Vec<String>,
    /// A class that goes before others where annotations overlap or shares are equal; may be given more
    /// than once, the first before the next [default: the order of --map]
    #[arg(long, value_name = "CLASS", requires = "slide")]
    pub priority: Vec<String>,
    /// The class of what lies outside of every annotation; without it such tiles have none.
    #[arg(long, value_name = "CLASS", requires = "slide")]
    pub outside: Option<String>,
    /// Least share of a tile that its class covers, above 0 to 1 [default: 0.5]
    #[arg(
        long,
        requires = "slide",
        conflicts_with = "by_centre",
        allow_negative_numbers = true,
        value_parser = bounds::real("min_share")
    )]
    pub min_share: Option<f64>,
    /// A tile's class is that at its centre, whatever the rest of it is.
    #[arg(long, requires = "slide")]
    pub by_centre: bool,
}

#[derive(Args)]
#[command(after_help = "Examples:
  eosin backbone ls
  eosin backbone show uni2-h
  eosin backbone check uni --weights pytorch_model.bin")]
pub struct BackboneArguments {
    #[command(subcommand)]
    pub command: BackboneCommand,
    /// Folder with backbone cards.
    #[arg(long, default_value = "configs", global = true)]
    pub configs: PathBuf,
}

#[derive(Subcommand)]
pub enum BackboneCommand {
    /// List the backbones with their licences and whether their weights are here.
    #[command(after_help = "Examples:
  eosin backbone ls
  eosin backbone ls --installed --licence commercial
  eosin backbone ls --json")]
    Ls {
        /// Only those whose weights are here.
        #[arg(long)]
        installed: bool,
        /// Only those that may be used for this.
        #[arg(long, value_parser = ["any", "commercial"], default_value = "any")]
        licence: String,
        /// Weights that cards leave to the user: a folder of files named after cards.
        #[arg(long)]
        weights: Option<PathBuf>,
        /// JSON instead of a table.
        #[arg(long)]
        json: bool,
    },
    /// Show one card.
    #[command(after_help = "Examples:
  eosin backbone show uni2-h
  eosin backbone show my-card.toml --json")]
    Show {
        /// A card's name, or the path of its file.
        name: String,
        /// JSON instead of TOML.
        #[arg(long)]
        json: bool,
    },
    /// Compare weights with a card's architecture: missing, unused and mis-shaped tensors.
    #[command(after_help = "Examples:
  eosin backbone check uni --weights UNI/pytorch_model.bin
  eosin backbone check my-card.toml")]
    Check {
        /// A card's name, or the path of its file.
        name: String,
        /// The weights: a file, or a folder of files named after cards [default: the card's]
        #[arg(long)]
        weights: Option<PathBuf>,
        /// JSON instead of lists.
        #[arg(long)]
        json: bool,
    },
    /// Fetch a backbone's weights from a model hub into its cache, where every command finds them.
    #[cfg(feature = "hub")]
    #[command(after_help = "Examples:
  HF_ENDPOINT=https://HUB eosin backbone fetch phikon-v2
  HF_TOKEN=… eosin backbone fetch uni2-h --hub https://HUB

HF_ENDPOINT, HF_TOKEN, HF_HOME, HF_HUB_CACHE, HF_HUB_OFFLINE and HTTPS_PROXY are read; the token is
also taken from the file that the hub's login command writes.
What a broken connection left is continued by the next run.

Each line of a backbone is followed by the revision and the SHA-256 that came. Written into the
card's [weights], they pin it: nothing else is fetched, and the cache is checked against them.")]
    Fetch {
        /// Card names, or the paths of cards.
        #[arg(required = true)]
        names: Vec<String>,
        /// The hub's address [default: HF_ENDPOINT]
        #[arg(long, value_name = "URL")]
        hub: Option<String>,
        /// Folder of the cache [default: HF_HUB_CACHE, else as the hub's Python client has it]
        #[arg(long)]
        cache: Option<PathBuf>,
        /// Ask nobody: say what the cache has.
        #[arg(long)]
        offline: bool,
        /// Send the token over http:// too, where everyone on the way can read it.
        #[arg(long)]
        insecure: bool,
    },
}

#[derive(Args)]
#[command(after_help = "Examples:
  eosin doctor
  eosin doctor efficientnet-lite0 uni --weights WEIGHTS
  eosin doctor --engine onnx --json

Each line has the cosine and the largest difference to the golden vectors, or to the first engine
where a card has none, and what to do where an engine fails.")]
pub struct DoctorArguments {
    /// Cards to check [default: every one whose weights are here]
    pub names: Vec<String>,
    /// Engine to check; may be given more than once [default: all]
    #[arg(long)]
    pub engine: Vec<String>,
    /// Weights that cards leave to the user: a file, or a folder of files named after cards.
    #[arg(long)]
    pub weights: Option<PathBuf>,
    /// Folder with backbone cards.
    #[arg(long, default_value = "configs")]
    pub configs: PathBuf,
    /// JSON instead of a table.
    #[arg(long)]
    pub json: bool,
}
