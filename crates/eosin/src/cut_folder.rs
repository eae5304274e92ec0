// SPDX-License-Identifier: MIT OR Apache-2.0

//! Whose tiles lie in a folder: what `tile` may write into, and what it may remove.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use eosin_core::{Error, Result};
use eosin_tile::TilingOptions;
use serde::{Deserialize, Serialize};

/// Says beside the manifest which cut the folder holds. It is written before the first tile, so
/// that the tiles of a cut that was killed are known too.
pub const RECORD: &str = "cut.json";

/// The list of tiles, written last.
pub const MANIFEST: &str = "manifest.csv";

/// A cut: slides, and how tiles are laid over them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CutRecord {
    format: u32,
    tiling: TilingOptions,
    slides: Vec<CutSlide>,
}

/// A slide with what tells it from another of its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CutSlide {
    path: PathBuf,
    bytes: u64,
    /// Seconds since 1970 at which it was changed last.
    modified: u64,
}

const FORMAT: u32 = 1;

/// Makes `out` the folder of one cut. Tiles of a slide lie in a folder in it that is called after
/// the slide, see [`is_of_slide`].
///
/// A folder without tiles is taken, whatever else is in it. One of the same cut, or of a cut of
/// some of these slides in the same way, is taken as well: every tile of it is written again. Any
/// other is refused, unless `replace` is given: then the other cut's manifest and tiles are
/// removed, and nothing else.
pub fn claim(out: &Path, slides: &[PathBuf], tiling: &TilingOptions, replace: bool) -> Result<()> {
    check(out, slides, tiling, replace)?;
    let ours = CutRecord::new(slides, tiling);
    if let Some(other) = other_cut(out, &ours)? {
        remove(out, &other.slides)?;
    }
    std::fs::create_dir_all(out).map_err(|e| Error::io("make the folder", out, e))?;
    let text = serde_json::to_string_pretty(&ours).map_err(|e| {
        Error::input("tiling", "options that can be written as JSON", e.to_string(), "change them")
    })?;
    eosin_session::writable::write(&out.join(RECORD), &(text + "\n"))
}

/// Removes tiles of a slide that the same cut has made before and does not make any more, since a
/// file that its options name has changed: they would lie beside the manifest unnoticed.
///
/// All tiles in the folder are the cut's own, or it could not have been claimed.
pub fn sweep(folder: &Path, files: &BTreeSet<String>) -> Result<()> {
    let is_old = |path: &PathBuf| {
        path.file_name().and_then(OsStr::to_str).is_some_and(|name| !files.contains(name))
    };
    tiles_in(folder).iter().filter(|path| is_old(path)).try_for_each(|path| gone(path))
}

/// Refuses what [`claim`] would refuse, and changes nothing.
pub fn check(out: &Path, slides: &[PathBuf], tiling: &TilingOptions, replace: bool) -> Result<()> {
    let ours = CutRecord::new(slides, tiling);
    match other_cut(out, &ours)? {
        Some(other) if !replace => Err(Error::input(
            "--out",
            "a folder without tiles of another cut",
            format!("{} {}", out.display(), other.what),
            "name another folder, or give --replace to remove the other cut's tiles; a cut that \
             was interrupted goes on with its own options and slides",
        )),
        _ => Ok(()),
    }
}

/// A cut that is not ours.
struct OtherCut {
    /// What was found, after the folder's name.
    what: String,
    /// Names of its slides, and of ours.
    slides: BTreeSet<String>,
}

fn other_cut(out: &Path, ours: &CutRecord) -> Result<Option<OtherCut>> {
    let mut slides: BTreeSet<String> = ours.slides.iter().map(CutSlide::name).collect();
    let record = out.join(RECORD);
    let text = match std::fs::read_to_string(&record) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(without_record(out, slides));
        }
        Err(error) => return Err(Error::io("read", &record, error)),
    };
    let theirs: CutRecord = serde_json::from_str(&text).map_err(|e| {
        Error::data(&record, "the record of a cut", e.to_string(), "name another folder")
    })?;
    if theirs.format != FORMAT {
        return Err(Error::data(
            &record,
            format!("the record of a cut, of format {FORMAT}"),
            format!("format {}", theirs.format),
            "name another folder, or use the release that cut the tiles",
        ));
    }
    let what = if theirs.tiling != ours.tiling {
        "with tiles that were cut with other options".to_string()
    } else if let Some(left) = theirs.slides.iter().find(|s| !ours.slides.contains(s)) {
        let is_known = ours.slides.iter().any(|s| s.path == left.path);
        let left = left.path.display();
        if is_known {
            format!("with tiles of {left} as it was before")
        } else {
            format!("with tiles of {left}, which is not among these")
        }
    } else {
        return Ok(None);
    };
    slides.extend(theirs.slides.iter().map(CutSlide::name));
    Ok(Some(OtherCut { what, slides }))
}

/// A folder that no record describes holds a cut where it has a manifest, or tiles where ours go.
fn without_record(out: &Path, mut slides: BTreeSet<String>) -> Option<OtherCut> {
    let manifest = out.join(MANIFEST);
    let what = if manifest.exists() {
        // Tiles of a release that kept no record are known by its manifest.
        slides.extend(folders_of(&manifest));
        "with a manifest, and no record of how its tiles were cut"
    } else if folders_in(out, &slides).iter().any(|folder| !tiles_in(folder).is_empty()) {
        "with tiles, and no record of how they were cut"
    } else {
        return None;
    };
    Some(OtherCut { what: what.into(), slides })
}

/// The folders of the tiles that a manifest lists, as far as they are of our making.
fn folders_of(manifest: &Path) -> Vec<String> {
    let Ok(manifest) = eosin_tile::Manifest::read(manifest) else { return Vec::new() };
    let folder = |path: &str| {
        let (folder, file) = path.split_once('/')?;
        is_tile(OsStr::new(file)).then(|| folder.to_string())
    };
    manifest.rows().iter().filter_map(|row| folder(&row.path)).collect()
}

/// Removes a cut: its manifest first, so that none lists a tile that is gone.
fn remove(out: &Path, slides: &BTreeSet<String>) -> Result<()> {
    gone(&out.join(MANIFEST))?;
    for folder in folders_in(out, slides) {
        for tile in tiles_in(&folder) {
            gone(&tile)?;
        }
        // Where something else lies in it, it stays.
        let _ = std::fs::remove_dir(&folder);
    }
    // Last, so that a removal that was killed is still known for another cut's.
    gone(&out.join(RECORD))
}

fn gone(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::io("remove", path, error))
        }
        _ => Ok(()),
    }
}

/// The folders of the slides' tiles that are there.
fn folders_in(out: &Path, slides: &BTreeSet<String>) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(out).into_iter().flatten().flatten();
    // A link could lead to a folder that is not ours.
    let is_folder = |entry: &std::fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
    let is_theirs = |entry: &std::fs::DirEntry| {
        let name = entry.file_name();
        name.to_str().is_some_and(|name| slides.iter().any(|slide| is_of_slide(name, slide)))
    };
    entries.filter(|entry| is_folder(entry) && is_theirs(entry)).map(|e| e.path()).collect()
}

/// Whether a folder is called as one for tiles of a slide is: by the slide's name, or by it with
/// the beginning of a digest, where several slides have one name.
fn is_of_slide(folder: &str, slide: &str) -> bool {
    let is_digest = |rest: &str| {
        let digits = rest.strip_prefix('-').unwrap_or_default();
        digits.len() == 8 && digits.bytes().all(|b| b.is_ascii_hexdigit())
    };
    folder.strip_prefix(slide).is_some_and(|rest| rest.is_empty() || is_digest(rest))
}

/// The tiles in a slide's folder, by their names.
fn tiles_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter(|e| is_tile(&e.file_name())).map(|e| e.path()).collect()
}

/// Whether a file is called as a tile is: `<x>_<y>.png`.
fn is_tile(name: &OsStr) -> bool {
    let number = |text: &str| {
        let digits = text.strip_prefix('-').unwrap_or(text);
        !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
    };
    let stem = name.to_str().and_then(|name| name.strip_suffix(".png"));
    stem.and_then(|stem| stem.split_once('_')).is_some_and(|(x, y)| number(x) && number(y))
}

impl CutRecord {
    fn new(slides: &[PathBuf], tiling: &TilingOptions) -> Self {
        let slide = |path: &PathBuf| {
            let metadata = std::fs::metadata(path).ok();
            let modified = metadata.as_ref().and_then(|m| m.modified().ok());
            let seconds = modified.and_then(|m| m.duration_since(UNIX_EPOCH).ok());
            CutSlide {
                path: std::path::absolute(path).unwrap_or_else(|_| path.clone()),
                bytes: metadata.map_or(0, |m| m.len()),
                modified: seconds.map_or(0, |s| s.as_secs()),
            }
        };
        // How much memory a cut may take changes no tile.
        let tiling = TilingOptions { cache_mib: 0, ..tiling.clone() };
        let slides = slides.iter().map(slide).collect();
        Self { format: FORMAT, tiling, slides }
    }
}

impl CutSlide {
    fn name(&self) -> String {
        self.path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
    }
}
