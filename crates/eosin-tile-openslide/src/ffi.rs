// SPDX-License-Identifier: MIT OR Apache-2.0

//! The functions of libopenslide 3.4 and 4 that are called, behind a safe interface.
//!
//! Source: `openslide.h` of both versions, which agree on every function here.

#![expect(unsafe_code, reason = "a C library has no safe interface")]

use std::ffi::{CStr, CString, OsStr, c_char, c_void};
use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::sync::Arc;

type Slide = *mut c_void;
type Names = *const *const c_char;

/// The library's functions. They stay valid, since the library is never unloaded.
#[derive(Debug)]
pub(crate) struct Library {
    get_version: unsafe extern "C" fn() -> *const c_char,
    detect_vendor: unsafe extern "C" fn(*const c_char) -> *const c_char,
    open: unsafe extern "C" fn(*const c_char) -> Slide,
    close: unsafe extern "C" fn(Slide),
    get_error: unsafe extern "C" fn(Slide) -> *const c_char,
    get_level_count: unsafe extern "C" fn(Slide) -> i32,
    get_level_dimensions: unsafe extern "C" fn(Slide, i32, *mut i64, *mut i64),
    get_level_downsample: unsafe extern "C" fn(Slide, i32) -> f64,
    read_region: unsafe extern "C" fn(Slide, *mut u32, i64, i64, i32, i64, i64),
    get_property_names: unsafe extern "C" fn(Slide) -> Names,
    get_property_value: unsafe extern "C" fn(Slide, *const c_char) -> *const c_char,
    get_associated_names: unsafe extern "C" fn(Slide) -> Names,
    get_associated_dimensions: unsafe extern "C" fn(Slide, *const c_char, *mut i64, *mut i64),
    read_associated: unsafe extern "C" fn(Slide, *const c_char, *mut u32),
    /// Only from version 4 on.
    icc: Option<IccFunctions>,
    /// Never unloaded: what glib keeps per thread is freed by the library's code when threads end.
    _loaded: ManuallyDrop<libloading::Library>,
}

#[derive(Clone, Copy, Debug)]
struct IccFunctions {
    size: unsafe extern "C" fn(Slide) -> i64,
    read: unsafe extern "C" fn(Slide, *mut c_void),
}

/// An open slide, closed when dropped.
#[derive(Debug)]
pub(crate) struct Handle {
    library: Arc<Library>,
    slide: NonNull<c_void>,
}

// SAFETY: openslide.h: "All functions except openslide_close() are thread-safe", on one slide too;
// close is called by `drop` alone, when no other thread has the handle.
unsafe impl Send for Handle {}
// SAFETY: as above.
unsafe impl Sync for Handle {}

/// Names or values beyond which a list is taken for endless.
const MAX_NAMES: usize = 100_000;

impl Library {
    /// Loads a library by file name, searched as the system does, or by path.
    pub(crate) fn load(name: &OsStr) -> Result<Self, libloading::Error> {
        // SAFETY: the initialisers of libopenslide and of what it links (glib, cairo, codecs) have
        // no preconditions. Every symbol below is declared with the signature of openslide.h, and
        // the library is kept as long as the copied function pointers.
        unsafe {
            let library = libloading::Library::new(name)?;
            let icc = match (
                library.get(b"openslide_get_icc_profile_size\0"),
                library.get(b"openslide_read_icc_profile\0"),
            ) {
                (Ok(size), Ok(read)) => Some(IccFunctions { size: *size, read: *read }),
                _ => None,
            };
            Ok(Self {
                get_version: *library.get(b"openslide_get_version\0")?,
                detect_vendor: *library.get(b"openslide_detect_vendor\0")?,
                open: *library.get(b"openslide_open\0")?,
                close: *library.get(b"openslide_close\0")?,
                get_error: *library.get(b"openslide_get_error\0")?,
                get_level_count: *library.get(b"openslide_get_level_count\0")?,
                get_level_dimensions: *library.get(b"openslide_get_level_dimensions\0")?,
                get_level_downsample: *library.get(b"openslide_get_level_downsample\0")?,
                read_region: *library.get(b"openslide_read_region\0")?,
                get_property_names: *library.get(b"openslide_get_property_names\0")?,
                get_property_value: *library.get(b"openslide_get_property_value\0")?,
                get_associated_names: *library.get(b"openslide_get_associated_image_names\0")?,
                get_associated_dimensions: *library
                    .get(b"openslide_get_associated_image_dimensions\0")?,
                read_associated: *library.get(b"openslide_read_associated_image\0")?,
                icc,
                _loaded: ManuallyDrop::new(library),
            })
        }
    }

    /// The library's version, such as 4.0.1.
    pub(crate) fn version(&self) -> String {
        // SAFETY: takes nothing and returns a static string.
        unsafe { text((self.get_version)()) }.unwrap_or_default()
    }

    /// The vendor whose format the file has; `None` where OpenSlide does not know it.
    pub(crate) fn vendor(&self, path: &CStr) -> Option<String> {
        // SAFETY: `path` is a C string; the answer is NULL or a static string.
        unsafe { text((self.detect_vendor)(path.as_ptr())) }
    }

    /// Opens a slide; `None` where OpenSlide does not know the format, an error where it is damaged.
    pub(crate) fn open(self: &Arc<Self>, path: &CStr) -> Result<Option<Handle>, String> {
        // SAFETY: `path` is a C string; the answer is NULL or a slide that we own.
        let slide = unsafe { (self.open)(path.as_ptr()) };
        let Some(slide) = NonNull::new(slide) else { return Ok(None) };
        let handle = Handle { library: Arc::clone(self), slide };
        handle.check()?;
        Ok(Some(handle))
    }
}

impl Handle {
    /// Sizes of the levels, the finest first.
    pub(crate) fn levels(&self) -> Vec<(i64, i64)> {
        // SAFETY: the slide is open.
        let n = unsafe { (self.library.get_level_count)(self.slide.as_ptr()) };
        (0..n)
            .map(|level| {
                let (mut width, mut height) = (0, 0);
                // SAFETY: the slide is open and both addresses are of live variables.
                unsafe {
                    (self.library.get_level_dimensions)(
                        self.slide.as_ptr(),
                        level,
                        &raw mut width,
                        &raw mut height,
                    );
                }
                (width, height)
            })
            .collect()
    }

    /// Level-0 pixels per pixel of a level.
    pub(crate) fn downsample(&self, level: i32) -> f64 {
        // SAFETY: the slide is open; a level that it does not have gives −1.
        unsafe { (self.library.get_level_downsample)(self.slide.as_ptr(), level) }
    }

    /// Premultiplied ARGB of `width` × `height` pixels of a level from a level-0 corner.
    pub(crate) fn read_region(
        &self,
        (x, y): (i64, i64),
        level: i32,
        (width, height): (u32, u32),
    ) -> Result<Vec<u32>, String> {
        let mut pixels = vec![0u32; width as usize * height as usize];
        // SAFETY: the slide is open and the buffer has width × height values, which is what the
        // function writes; levels and corners outside the slide are checked by it.
        unsafe {
            (self.library.read_region)(
                self.slide.as_ptr(),
                pixels.as_mut_ptr(),
                x,
                y,
                level,
                i64::from(width),
                i64::from(height),
            );
        }
        self.check()?;
        Ok(pixels)
    }

    /// What the file says of itself.
    pub(crate) fn properties(&self) -> Vec<(String, String)> {
        // SAFETY: the slide is open; the list ends with NULL and lives as long as the slide.
        let names = unsafe { names((self.library.get_property_names)(self.slide.as_ptr())) };
        names
            .into_iter()
            .filter_map(|name| {
                let key = CString::new(name.as_str()).ok()?;
                // SAFETY: the slide is open and `key` is a C string; the answer is NULL or a
                // string that lives as long as the slide.
                let value = unsafe {
                    text((self.library.get_property_value)(self.slide.as_ptr(), key.as_ptr()))
                };
                Some((name, value?))
            })
            .collect()
    }

    /// Names of the images beside the tissue.
    pub(crate) fn associated(&self) -> Vec<String> {
        // SAFETY: the slide is open; the list ends with NULL and lives as long as the slide.
        unsafe { names((self.library.get_associated_names)(self.slide.as_ptr())) }
    }

    /// Width and height of an associated image; −1 where there is none.
    pub(crate) fn associated_size(&self, name: &CStr) -> (i64, i64) {
        let (mut width, mut height) = (-1, -1);
        // SAFETY: the slide is open, the name is a C string and both addresses are of live
        // variables.
        unsafe {
            (self.library.get_associated_dimensions)(
                self.slide.as_ptr(),
                name.as_ptr(),
                &raw mut width,
                &raw mut height,
            );
        }
        (width, height)
    }

    /// Premultiplied ARGB of an associated image of at most `max_pixels`.
    pub(crate) fn read_associated(
        &self,
        name: &CStr,
        max_pixels: usize,
    ) -> Result<Vec<u32>, String> {
        let (width, height) = self.associated_size(name);
        let n = usize::try_from(width)
            .ok()
            .zip(usize::try_from(height).ok())
            .and_then(|(w, h)| w.checked_mul(h))
            .filter(|n| (1..=max_pixels).contains(n))
            .ok_or_else(|| format!("an image of {width} × {height} px"))?;
        let mut pixels = vec![0u32; n];
        // SAFETY: the slide is open, the name is a C string, and the buffer has as many values as
        // the image that the library has just described by this name.
        unsafe {
            (self.library.read_associated)(self.slide.as_ptr(), name.as_ptr(), pixels.as_mut_ptr());
        }
        self.check()?;
        Ok(pixels)
    }

    /// The ICC profile of level 0, where the library is new enough and the slide has one of at most
    /// `max_bytes`.
    pub(crate) fn icc_profile(&self, max_bytes: usize) -> Option<Vec<u8>> {
        let icc = self.library.icc?;
        // SAFETY: the slide is open.
        let size = unsafe { (icc.size)(self.slide.as_ptr()) };
        let size = usize::try_from(size).ok().filter(|size| (1..=max_bytes).contains(size))?;
        let mut profile = vec![0u8; size];
        // SAFETY: the slide is open and the buffer has the size that the library asked for.
        unsafe { (icc.read)(self.slide.as_ptr(), profile.as_mut_ptr().cast()) };
        self.check().ok().map(|()| profile)
    }

    /// After an error a slide answers nothing but that error.
    fn check(&self) -> Result<(), String> {
        // SAFETY: the slide is open; the answer is NULL or a string that lives as long as it.
        match unsafe { text((self.library.get_error)(self.slide.as_ptr())) } {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: the slide is open, and nobody else has it while it is dropped.
        unsafe { (self.library.close)(self.slide.as_ptr()) }
    }
}

/// A copy of a C string.
///
/// # Safety
///
/// `pointer` is NULL or points to a C string that is not changed meanwhile.
unsafe fn text(pointer: *const c_char) -> Option<String> {
    if pointer.is_null() {
        return None;
    }
    // SAFETY: the caller's duty.
    Some(unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned())
}

/// Copies of the C strings of a list.
///
/// # Safety
///
/// `list` is NULL or points to pointers to C strings, the last of them NULL.
unsafe fn names(list: Names) -> Vec<String> {
    let mut names = Vec::new();
    if list.is_null() {
        return names;
    }
    for i in 0..MAX_NAMES {
        // SAFETY: the caller's duty; no element behind the NULL is read.
        match unsafe { text(*list.add(i)) } {
            Some(name) => names.push(name),
            None => break,
        }
    }
    names
}
