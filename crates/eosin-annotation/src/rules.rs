// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeMap;

use eosin_core::{Error, Result, nearest};

use crate::set::{AnnotationSet, UNCLASSIFIED, class_of};

/// How tiles get their classes from annotations.
#[derive(Clone, Debug)]
pub struct LabelRules {
    /// What of a tile counts.
    pub by: LabelBy,
    /// Which class of the task an annotation's class is.
    pub classes: ClassMap,
    /// Classes of the task, the first before the others where annotations overlap or shares are
    /// equal. Those that are not named follow, in the order of [`classes`](Self::classes).
    pub priority: Vec<String>,
    /// The class of what lies outside of every annotation; without it such places have none.
    pub outside: Option<String>,
}

/// What of a tile counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LabelBy {
    /// The class that covers the largest share of the tile's area, where it is at least this.
    Share(f64),
    /// The class at the tile's centre.
    Centre,
}

/// Which class of the task an annotation's class is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClassMap {
    /// That of the same name; annotations without a class go behind all others.
    Same,
    /// That which stands with its name; annotations of a class with `None` are passed over.
    Named(Vec<(String, Option<String>)>),
}

/// Classes by rank, the first of which goes before the others.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ranks {
    pub(crate) classes: Vec<String>,
    /// The rank of each annotation that covers an area and has a class of the task.
    pub(crate) of_annotations: Vec<Option<u32>>,
    /// The rank of what lies outside.
    pub(crate) outside: Option<u32>,
}

impl Default for LabelRules {
    /// Classes of the annotations' names that cover half of a tile; what lies outside has none.
    fn default() -> Self {
        Self {
            by: LabelBy::Share(0.5),
            classes: ClassMap::Same,
            priority: Vec::new(),
            outside: None,
        }
    }
}

impl LabelRules {
    /// Ranks the annotations' classes. A class that nobody mapped is an error with all that there
    /// are.
    pub(crate) fn ranks(&self, set: &AnnotationSet) -> Result<Ranks> {
        if let LabelBy::Share(share) = self.by
            && !(share > 0.0 && share <= 1.0)
        {
            let hint = "0.5 is half of the tile";
            return Err(Error::input(
                "share of a tile",
                "above 0, at most 1",
                share.to_string(),
                hint,
            ));
        }
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for annotation in set.annotations().iter().filter(|a| a.shape.is_area()) {
            *counts.entry(class_of(annotation)).or_default() += 1;
        }
        let task_class: BTreeMap<&str, Option<&str>> = match &self.classes {
            ClassMap::Same => counts.keys().map(|class| (*class, Some(*class))).collect(),
            ClassMap::Named(pairs) => {
                pairs.iter().map(|(from, to)| (from.as_str(), to.as_deref())).collect()
            }
        };
        let unmapped: Vec<&str> =
            counts.keys().copied().filter(|class| !task_class.contains_key(class)).collect();
        if !unmapped.is_empty() {
            return Err(unmapped_error(set, &unmapped, &counts, &task_class));
        }
        let named: Vec<&str> = match &self.classes {
            ClassMap::Same => {
                // Often drawn around all that is classified.
                let unclassified = counts.keys().filter(|class| **class == UNCLASSIFIED);
                let others = counts.keys().filter(|class| **class != UNCLASSIFIED);
                others.chain(unclassified).copied().collect()
            }
            ClassMap::Named(pairs) => pairs.iter().filter_map(|(_, to)| to.as_deref()).collect(),
        };
        let mut classes: Vec<String> = Vec::new();
        for class in &self.priority {
            let is_outside = self.outside.as_ref() == Some(class);
            if !named.contains(&class.as_str()) && !is_outside {
                let near = nearest(class, named.iter().copied());
                let hint = near.map_or("name classes of the task".into(), |near| {
                    format!("did you mean `{near}`?")
                });
                return Err(Error::input("priority", named.join(", "), class.clone(), hint));
            }
            if !classes.contains(class) {
                classes.push(class.clone());
            }
        }
        for class in named.into_iter().chain(self.outside.as_deref()) {
            if !classes.iter().any(|known| known == class) {
                classes.push(class.into());
            }
        }
        let rank = |class: &str| classes.iter().position(|known| known == class).map(|i| i as u32);
        let of_annotations = set
            .annotations()
            .iter()
            .map(|annotation| {
                let class = task_class.get(class_of(annotation)).copied().flatten();
                class.filter(|_| annotation.shape.is_area()).and_then(rank)
            })
            .collect();
        let outside = self.outside.as_deref().and_then(rank);
        Ok(Ranks { classes, of_annotations, outside })
    }
}

fn unmapped_error(
    set: &AnnotationSet,
    unmapped: &[&str],
    counts: &BTreeMap<&str, usize>,
    mapped: &BTreeMap<&str, Option<&str>>,
) -> Error {
    let each: Vec<String> = counts.iter().map(|(class, n)| format!("{class} ({n})")).collect();
    let similar = unmapped.iter().find_map(|class| {
        let near = nearest(class, mapped.keys().copied())?;
        Some(format!("; {near} is mapped, which is not {class}"))
    });
    let expected: Vec<&str> = mapped.keys().copied().collect();
    let hint = format!(
        "map each of {} to a class of the task, or to nothing so that it is passed over{}; \
         {UNCLASSIFIED} stands for annotations without a class",
        unmapped.join(", "),
        similar.unwrap_or_default(),
    );
    Error::data(
        set.path(),
        format!("annotations of the mapped classes {}", expected.join(", ")),
        format!("{} (of all: {})", unmapped.join(", "), each.join(", ")),
        hint,
    )
}
