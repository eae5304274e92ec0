// SPDX-License-Identifier: MIT OR Apache-2.0

use std::ffi::{CString, OsString};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use eosin_core::{Error, Result, SlideImage, SlideReader};

use crate::ffi::Library;
use crate::slide::OpenSlideImage;

/// Reads slides with libopenslide 3.4 or 4, loaded when the first slide is asked for.
#[derive(Debug)]
pub struct OpenSlideReader {
    names: Vec<OsString>,
    library: OnceLock<Result<Arc<Library>, String>>,
}

/// File names of the library, the newest version first.
const NAMES: &[&str] = if cfg!(target_os = "windows") {
    &["libopenslide-1.dll", "libopenslide-0.dll"]
} else if cfg!(target_os = "macos") {
    &["libopenslide.1.dylib", "libopenslide.0.dylib"]
} else {
    &["libopenslide.so.1", "libopenslide.so.0"]
};

const HINT: &str = "install OpenSlide: `apt install libopenslide0` on Debian and Ubuntu, `brew \
    install openslide` on macOS, or `pip install openslide-bin` anywhere, and then name the folder \
    of that wheel in LD_LIBRARY_PATH (`python -c \"import openslide_bin; \
    print(openslide_bin.__path__[0])\"`)";

impl OpenSlideReader {
    /// The library that is installed on this system.
    pub fn installed() -> Self {
        Self { names: NAMES.iter().map(OsString::from).collect(), library: OnceLock::new() }
    }

    /// The library at a path.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { names: vec![path.into().into_os_string()], library: OnceLock::new() }
    }

    /// The version of the library, such as 4.0.1; an error where there is none.
    pub fn version(&self) -> Result<String> {
        Ok(self.library()?.version())
    }

    fn library(&self) -> Result<&Arc<Library>> {
        let load = || {
            let mut faults = Vec::new();
            for name in &self.names {
                match Library::load(name) {
                    Ok(library) => return Ok(Arc::new(library)),
                    Err(error) => faults.push(error.to_string()),
                }
            }
            Err(faults.join("; "))
        };
        self.library.get_or_init(load).as_ref().map_err(|faults| {
            Error::unsupported(format!("the OpenSlide library ({faults})"), &[], HINT)
        })
    }
}

impl SlideReader for OpenSlideReader {
    fn kind(&self) -> &'static str {
        "openslide"
    }

    fn recognises(&self, path: &Path) -> bool {
        match (self.library(), c_path(path)) {
            (Ok(library), Ok(path)) => library.vendor(&path).is_some(),
            _ => false,
        }
    }

    fn open(&self, path: &Path) -> Result<Option<Box<dyn SlideImage>>> {
        let library = self.library()?;
        let opened = library.open(&c_path(path)?).map_err(|found| {
            Error::data(path, "a slide that OpenSlide reads", found, "copy the slide again")
        })?;
        match opened {
            Some(handle) => {
                Ok(Some(Box::new(OpenSlideImage::new(path, handle, library.version())?)))
            }
            None => Ok(None),
        }
    }
}

fn c_path(path: &Path) -> Result<CString> {
    CString::new(path.as_os_str().as_encoded_bytes()).map_err(|_| {
        Error::input("path", "no zero byte", path.display().to_string(), "rename the file")
    })
}
