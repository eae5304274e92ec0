// SPDX-License-Identifier: MIT OR Apache-2.0

//! onnxruntime's library: where it is, and loading it once.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use eosin_core::{Error, Result};
use ort::environment::Environment;

/// Where folders of a Python environment or of a wheel have the library.
const WITHIN: [&str; 6] =
    ["", "capi", "onnxruntime/capi", "lib", "Lib/site-packages/onnxruntime/capi", "bin"];
/// Where systems have it; the loader itself looks in these only for a name without a version.
const SYSTEM: [&str; 5] = [
    "/usr/lib",
    "/usr/local/lib",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/opt/homebrew/lib",
];

/// The library that this process has loaded: onnxruntime allows one environment.
static LOADED: Mutex<Option<(PathBuf, Environment)>> = Mutex::new(None);

/// The library that is `given`, or in the folder that is given, or the system's.
///
/// A folder may be that of a wheel, or of a Python environment that has one.
pub fn find_library(given: Option<&Path>) -> Result<PathBuf> {
    match given {
        Some(path) if path.is_dir() => in_environment(path).ok_or_else(|| {
            let name = library_name();
            missing(&format!("no {name} in {}", path.display()))
        }),
        Some(path) if path.is_file() => Ok(path.to_owned()),
        Some(path) => Err(missing(&format!("no file {}", path.display()))),
        None => {
            let found = SYSTEM.iter().find_map(|folder| in_folder(Path::new(folder)));
            Ok(found.unwrap_or_else(|| library_name().into()))
        }
    }
}

/// Loads the library, once per process, and returns where it was found.
pub fn load_library(given: Option<&Path>) -> Result<PathBuf> {
    environment(given).map(|(path, _)| path)
}

/// The process's onnxruntime.
pub fn environment(given: Option<&Path>) -> Result<(PathBuf, Environment)> {
    let path = find_library(given)?;
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((first, environment)) = &*loaded {
        if given.is_none() || *first == path {
            return Ok((first.clone(), environment.clone()));
        }
        return Err(Error::input(
            "onnxruntime's library",
            format!("{}, which this process has loaded", first.display()),
            path.display().to_string(),
            "name the same library everywhere, or use two processes",
        ));
    }
    let builder = ort::init_from(&path).map_err(|e| missing(&e.to_string()))?;
    // Builds from the vendor would report what runs otherwise.
    let environment = builder.with_name("eosin").with_telemetry(false).build();
    let environment = environment.map_err(|e| missing(&e.to_string()))?;
    tracing::info!(library = %path.display(), "onnxruntime is loaded");
    *loaded = Some((path.clone(), environment.clone()));
    Ok((path, environment))
}

fn missing(found: &str) -> Error {
    Error::unsupported(
        format!("onnxruntime ({found})"),
        &[],
        "install onnxruntime 1.17 or later, such as by `pip install onnxruntime` \
         (`onnxruntime-gpu` for CUDA), and name its library or its Python environment's folder by \
         EOSIN_ONNXRUNTIME",
    )
}

/// What the loader looks for by itself.
fn library_name() -> String {
    format!("{}onnxruntime{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX)
}

fn in_environment(folder: &Path) -> Option<PathBuf> {
    let direct = WITHIN.iter().find_map(|within| in_folder(&folder.join(within)));
    // lib/python3.12/site-packages of Unix, whatever the version.
    direct.or_else(|| {
        let pythons = entries(&folder.join("lib"));
        pythons.iter().find_map(|p| in_folder(&p.join("site-packages/onnxruntime/capi")))
    })
}

/// The library in a folder: `libonnxruntime.so`, or the newest `libonnxruntime.so.1.…`.
fn in_folder(folder: &Path) -> Option<PathBuf> {
    let plain = library_name();
    let stem = plain.trim_end_matches(std::env::consts::DLL_SUFFIX).to_string();
    let versions = |path: &PathBuf| -> Option<Vec<u32>> {
        let name = path.file_name()?.to_str()?;
        if name == plain {
            return Some(vec![u32::MAX]);
        }
        // The version stands after the suffix on Linux and before it on macOS.
        let rest = name.strip_prefix(&stem)?;
        let version = rest.replace(std::env::consts::DLL_SUFFIX, "");
        let parts = version.split('.').filter(|part| !part.is_empty());
        let parts: Vec<u32> = parts.map(str::parse).collect::<std::result::Result<_, _>>().ok()?;
        (!parts.is_empty()).then_some(parts)
    };
    let found = entries(folder).into_iter().filter_map(|path| Some((versions(&path)?, path)));
    found.max().map(|(_, path)| path)
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_library_of_an_environment_is_found() {
        if !cfg!(target_os = "linux") {
            eprintln!("skipped: names of libraries, because they are written as on Linux");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let capi = folder.path().join("lib/python3.13/site-packages/onnxruntime/capi");
        std::fs::create_dir_all(&capi).unwrap();
        for name in [
            "libonnxruntime.so.1.9.0",
            "libonnxruntime.so.1.32.0",
            "libonnxruntime_providers_shared.so",
        ] {
            std::fs::write(capi.join(name), "").unwrap();
        }
        for given in [folder.path(), &capi] {
            let found = find_library(Some(given)).unwrap();
            assert_eq!(found, capi.join("libonnxruntime.so.1.32.0"));
        }
    }

    #[test]
    fn a_missing_library_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        for given in [folder.path().to_owned(), folder.path().join("nothing.so")] {
            let error = find_library(Some(&given)).unwrap_err();
            assert!(matches!(error, Error::Unsupported { .. }), "{error}");
            assert!(error.hint().contains("EOSIN_ONNXRUNTIME"), "{}", error.hint());
        }
        std::fs::write(folder.path().join("libonnxruntime.so"), "no library").unwrap();
        let given = folder.path().join("libonnxruntime.so");
        let error = load_library(Some(&given)).unwrap_err();
        assert!(error.to_string().contains("failed to load"), "{error}");
    }
}
