// SPDX-License-Identifier: MIT OR Apache-2.0

//! Slides of one name that are not one slide, told apart wherever they are shown together.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use eosin_core::TileMeta;

/// Signs of a digest that tell slides of one name apart.
const SHORT: usize = 8;

/// Names under which the slides of some tiles are shown.
///
/// A slide is told from others of its name by its file's digest, and where tiles are files of
/// their own, by the folder that their names start from. Where two meet, each gets a dash and
/// eight signs; all others keep their names.
#[derive(Clone, Debug, Default)]
pub struct SlideNames {
    names: HashMap<(String, String), String>,
}

impl SlideNames {
    /// Names for the slides of `metas`, each shown as `shown` has it, such as without its
    /// extension.
    pub fn of<'a>(
        metas: impl IntoIterator<Item = &'a TileMeta>,
        shown: impl Fn(&str) -> &str,
    ) -> Self {
        let slides: BTreeSet<(&str, &str)> =
            metas.into_iter().map(|meta| (meta.slide.as_str(), origin(meta))).collect();
        let mut by_name: BTreeMap<&str, Vec<(&str, &str)>> = BTreeMap::new();
        for slide in slides {
            by_name.entry(shown(slide.0)).or_default().push(slide);
        }
        let mut names = HashMap::new();
        for (name, slides) in by_name {
            let is_alone = slides.len() == 1;
            for (slide, origin) in slides {
                let name = if is_alone {
                    name.to_string()
                } else {
                    format!("{name}-{}", short(slide, origin))
                };
                names.insert((slide.to_string(), origin.to_string()), name);
            }
        }
        Self { names }
    }

    /// The name of a tile's slide; that of the tile itself where it was not among the tiles.
    pub fn name<'a>(&'a self, meta: &'a TileMeta) -> &'a str {
        let key = (meta.slide.clone(), origin(meta).to_string());
        self.names.get(&key).map_or(&meta.slide, String::as_str)
    }

    /// Number of slides.
    pub fn n_slides(&self) -> usize {
        self.names.len()
    }
}

/// Renames slides of one name that are not one slide, and with them the groups that are called
/// after their slide.
pub fn tell_slides_apart(metas: &mut [TileMeta]) {
    let names = SlideNames::of(metas.iter(), |slide| slide);
    for meta in metas {
        let name = names.name(meta).to_string();
        if name != meta.slide {
            if meta.group == meta.slide {
                meta.group.clone_from(&name);
            }
            meta.slide = name;
        }
    }
}

/// What tells a tile's slide from others of its name.
fn origin(meta: &TileMeta) -> &str {
    // A tile that is a file of its own has a digest of its own, which says nothing of its slide.
    let folder =
        if meta.source.is_empty() { None } else { meta.source.strip_suffix(&meta.tile_id) };
    folder.unwrap_or(&meta.source_digest)
}

fn short(slide: &str, origin: &str) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(slide.as_bytes()).update(&[0]).update(origin.as_bytes());
    hasher.finalize().to_hex()[..SHORT].to_string()
}

#[cfg(test)]
mod tests;
