// SPDX-License-Identifier: MIT OR Apache-2.0

use crate::{Error, Result};

/// The kinds of one seam by name, such as every head that a configuration may ask for.
///
/// ```
/// use eosin_core::Kinds;
/// let mut kinds = Kinds::new("head");
/// kinds.register("logistic", 1);
/// kinds.compiled_out("boosted", "trees");
/// assert_eq!(kinds.get("logistic")?, &1);
/// assert_eq!(kinds.get("logistik").unwrap_err().hint(), "did you mean `logistic`?");
/// assert!(kinds.get("boosted").unwrap_err().hint().contains("Cargo feature `trees`"));
/// # Ok::<(), eosin_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Kinds<T> {
    what: &'static str,
    known: Vec<(String, T)>,
    /// Kinds that this build has not, with their Cargo features.
    compiled_out: Vec<(String, String)>,
}

impl<T> Kinds<T> {
    /// No kinds yet of `what`, as errors name it.
    pub fn new(what: &'static str) -> Self {
        Self { what, known: Vec::new(), compiled_out: Vec::new() }
    }

    /// Adds a kind behind those that are there; one of the same name is replaced in its place.
    pub fn register(&mut self, kind: impl Into<String>, value: T) {
        let kind = kind.into();
        self.compiled_out.retain(|(name, _)| *name != kind);
        match self.known.iter_mut().find(|(name, _)| *name == kind) {
            Some((_, old)) => *old = value,
            None => self.known.push((kind, value)),
        }
    }

    /// Says that a kind would be there in a build with this Cargo feature.
    pub fn compiled_out(&mut self, kind: impl Into<String>, feature: impl Into<String>) {
        let kind = kind.into();
        if !self.contains(&kind) {
            self.compiled_out.push((kind, feature.into()));
        }
    }

    /// The kind of this name.
    ///
    /// An unknown one is an error with the nearest name and all others; one that was compiled out
    /// names the feature that brings it.
    pub fn get(&self, kind: &str) -> Result<&T> {
        if let Some((_, value)) = self.known.iter().find(|(name, _)| name == kind) {
            return Ok(value);
        }
        let what = self.what;
        if let Some((_, feature)) = self.compiled_out.iter().find(|(name, _)| name == kind) {
            return Err(Error::unsupported(
                format!("{what} `{kind}` in this build"),
                &[],
                format!("build with the Cargo feature `{feature}`"),
            ));
        }
        let mut names = self.names();
        names.sort_unstable();
        let hint = match nearest(kind, names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("set `kind` of the {what} to a known one"),
        };
        Err(Error::unsupported(format!("{what} kind `{kind}`"), &names, hint))
    }

    /// Whether there is a kind of this name.
    pub fn contains(&self, kind: &str) -> bool {
        self.known.iter().any(|(name, _)| name == kind)
    }

    /// Names in the order in which they were registered.
    pub fn names(&self) -> Vec<&str> {
        self.known.iter().map(|(name, _)| name.as_str()).collect()
    }

    /// Names of kinds that this build has not.
    pub fn names_compiled_out(&self) -> Vec<&str> {
        self.compiled_out.iter().map(|(name, _)| name.as_str()).collect()
    }

    /// Every kind in the order in which they were registered.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.known.iter().map(|(_, value)| value)
    }
}

/// The candidate most like `word`, unless none is much like it.
pub fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate))
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::Kinds;

    fn kinds() -> Kinds<u8> {
        let mut kinds = Kinds::new("engine");
        kinds.register("native", 1);
        kinds.register("flex", 2);
        kinds.compiled_out("cuda", "gpu");
        kinds
    }

    #[test]
    fn an_unknown_kind_lists_the_known_and_names_the_nearest() {
        let error = kinds().get("nativ").unwrap_err();
        let text = error.to_string();
        assert_eq!(text, "engine kind `nativ` is not available; known: flex, native");
        assert_eq!(error.hint(), "did you mean `native`?");
        assert_eq!(
            kinds().get("abacus").unwrap_err().hint(),
            "set `kind` of the engine to a known one"
        );
    }

    #[test]
    fn a_kind_that_was_compiled_out_names_its_feature() {
        let error = kinds().get("cuda").unwrap_err();
        assert_eq!(error.to_string(), "engine `cuda` in this build is not available");
        assert_eq!(error.hint(), "build with the Cargo feature `gpu`");
        let mut kinds = kinds();
        kinds.register("cuda", 3);
        kinds.compiled_out("cuda", "gpu");
        assert_eq!(kinds.get("cuda").unwrap(), &3);
        assert!(kinds.names_compiled_out().is_empty());
    }

    #[test]
    fn order_is_that_of_registration_and_the_last_of_a_name_counts() {
        let mut kinds = kinds();
        kinds.register("native", 7);
        assert_eq!(kinds.names(), ["native", "flex"]);
        assert_eq!(kinds.values().copied().collect::<Vec<_>>(), [7, 2]);
        assert!(kinds.contains("flex") && !kinds.contains("cuda"));
    }
}
