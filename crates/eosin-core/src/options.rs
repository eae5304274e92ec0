// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::kinds::nearest;
use crate::{Error, Result};

/// What a configuration says to a kind: a table that the kind alone understands.
///
/// It is read from any format that serde knows and deserialises into the kind's own type, so that
/// a plugin needs this crate and serde, and no particular parser.
///
/// ```
/// use eosin_core::Options;
/// #[derive(serde::Deserialize)]
/// #[serde(deny_unknown_fields)]
/// struct Noise { sigma: f64 }
///
/// let options = Options::default().with("sigma", 0.5)?;
/// assert_eq!(options.read::<Noise>("augment noise")?.sigma, 0.5);
/// let misspelt = Options::default().with("sigma", 0.5)?.with("sigm", 1)?;
/// let error = misspelt.read::<Noise>("augment noise").err();
/// assert_eq!(error.map(|e| e.hint()), Some("did you mean `sigma`?".into()));
/// # Ok::<(), eosin_core::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Options(BTreeMap<String, Value>);

impl Options {
    /// The table that `value` serialises to; what is no table is an error that names `component`.
    pub fn of(component: &str, value: &impl Serialize) -> Result<Self> {
        let refused = |found: String| {
            Error::input(
                format!("options of {component}"),
                "a table of finite numbers, texts, lists and tables",
                found,
                "see the examples in configs/",
            )
        };
        match serde_json::to_value(value).map_err(|e| refused(e.to_string()))? {
            Value::Object(table) => Ok(Self(table.into_iter().collect())),
            other => Err(refused(other.to_string())),
        }
    }

    /// The same table with one more key.
    pub fn with(mut self, key: impl Into<String>, value: impl Serialize) -> Result<Self> {
        let key = key.into();
        let value = serde_json::to_value(value).map_err(|e| {
            Error::input(
                format!("option {key}"),
                "a value that can be written as JSON",
                e.to_string(),
                "use finite numbers, texts, lists and tables",
            )
        })?;
        self.0.insert(key, value);
        Ok(self)
    }

    /// Reads the table into the options of `component`, such as `head logistic`, which errors name.
    ///
    /// An unknown key is an error with the nearest known one.
    pub fn read<T: DeserializeOwned>(&self, component: &str) -> Result<T> {
        let place = format!("options of {component}");
        read(&self.0).map_err(|message| self.fault::<T>(place, &message))
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    /// Keys and values, sorted by key.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }

    fn fault<T: DeserializeOwned>(&self, place: String, message: &str) -> Error {
        // serde names keys between backticks: the unknown one first, then the known ones.
        let names: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
        let is_unknown =
            message.starts_with("unknown field") || message.starts_with("unknown variant");
        if let (true, Some((unknown, known))) = (is_unknown, names.split_first()) {
            return Error::data(
                place,
                match known {
                    [] => "no option, since it has none".to_string(),
                    known => format!("one of the keys {}", known.join(", ")),
                },
                format!("`{unknown}`"),
                nearest(unknown, known.iter().copied())
                    .map_or_else(|| "remove it".into(), |near| format!("did you mean `{near}`?")),
            );
        }
        let at = self.culprit::<T>(message).map_or(String::new(), |key| format!(" in `{key}`"));
        Error::data(
            place,
            "a valid configuration",
            format!("{}{at}", message.trim().replace('\n', " ")),
            "`eosin run --help` shows where examples lie",
        )
    }

    /// The key whose value is at fault, since serde does not say: without it the message is another.
    fn culprit<T: DeserializeOwned>(&self, message: &str) -> Option<&str> {
        let is_at_fault = |key: &&String| {
            let mut others = self.0.clone();
            others.remove(*key);
            read::<T>(&others).err().as_deref() != Some(message)
        };
        self.0.keys().find(is_at_fault).map(String::as_str)
    }
}

fn read<T: DeserializeOwned>(table: &BTreeMap<String, Value>) -> Result<T, String> {
    let object = Value::Object(table.clone().into_iter().collect());
    serde_json::from_value(object).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::Options;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Noise {
        sigma: f64,
        copies: usize,
        mode: Mode,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Mode {
        AllRows,
        OneClass,
    }

    impl Default for Noise {
        fn default() -> Self {
            Self { sigma: 1.0, copies: 4, mode: Mode::AllRows }
        }
    }

    fn error(json: &str) -> (String, String) {
        let options: Options = serde_json::from_str(json).unwrap();
        let error = options.read::<Noise>("augment noise").unwrap_err();
        (error.to_string(), error.hint())
    }

    #[test]
    fn a_table_becomes_the_kinds_own_type() {
        let options: Options =
            serde_json::from_str(r#"{"sigma": 2, "mode": "one-class"}"#).unwrap();
        let noise: Noise = options.read("augment noise").unwrap();
        assert_eq!(noise, Noise { sigma: 2.0, copies: 4, mode: Mode::OneClass });
        assert_eq!(Options::default().read::<Noise>("augment noise").unwrap(), Noise::default());
    }

    #[test]
    fn what_is_wrong_is_named() {
        let (text, hint) = error(r#"{"sigm": 1}"#);
        assert_eq!(
            text,
            "options of augment noise: expected one of the keys sigma, copies, mode, found `sigm`"
        );
        assert_eq!(hint, "did you mean `sigma`?");
        let (text, _) = error(r#"{"copies": 2.5, "sigma": 1}"#);
        assert!(text.contains("2.5") && text.ends_with("in `copies`"), "{text}");
        let (_, hint) = error(r#"{"mode": "all-row"}"#);
        assert_eq!(hint, "did you mean `all-rows`?");
    }

    #[test]
    fn what_is_no_table_is_refused() {
        assert!(Options::of("augment noise", &[1, 2]).is_err());
        let options = Options::of("augment noise", &serde_json::json!({ "copies": 1 })).unwrap();
        assert_eq!(options, Options::default().with("copies", 1).unwrap());
    }
}
