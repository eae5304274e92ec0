// SPDX-License-Identifier: MIT OR Apache-2.0

use std::cell::Cell;
use std::io::{self, Read};
use std::path::Path;

use eosin_core::{
    Annotation, AnnotationFormat, AnnotationLimits, AnnotationRequest, Error, LeftOutShapes,
    Result, Shape,
};

use super::{must, on_another_thread};

/// Checks a format with a sound file of it, unpacked, that has at least two annotations or one of
/// many corners, and with damaged ones made of it.
///
/// # Panics
///
/// When a duty of [`AnnotationFormat`] is broken.
pub fn annotation_format(format: &dyn AnnotationFormat, file_name: &str, bytes: &[u8]) {
    assert!(!format.kind().is_empty(), "kind: expected a name, found an empty string");
    assert!(
        format.recognises(file_name, bytes),
        "recognises: expected {file_name} to be of the format {}",
        format.kind()
    );
    for (what, start) in [("nothing", &b""[..]), ("noise", &b"\x00\xff\x7f noise \x01\x02"[..])] {
        assert!(
            !format.recognises("file", start),
            "recognises: expected {what} to be no file of it"
        );
    }
    let sound = must("a sound file", read(format, file_name, &mut &*bytes, usual()));
    assert!(!sound.0.is_empty(), "a sound file: expected annotations, found none");
    sound.0.iter().for_each(is_sound);
    reading_is_the_same_always(format, file_name, bytes, &sound);
    errors_come_back(format, file_name, bytes);
    limits_are_kept(format, file_name, bytes, &sound.0);
    damage_is_survived(format, file_name, bytes);
}

type Outcome = (Vec<Annotation>, LeftOutShapes);

fn usual() -> AnnotationLimits {
    AnnotationLimits::default()
}

fn read(
    format: &dyn AnnotationFormat,
    name: &str,
    file: &mut dyn Read,
    limits: AnnotationLimits,
) -> Result<Outcome> {
    let request = AnnotationRequest { path: Path::new(name), limits: &limits };
    let mut found = Vec::new();
    let left_out = format.read(&request, file, &mut |annotation| {
        found.push(annotation);
        Ok(())
    })?;
    Ok((found, left_out))
}

fn is_sound(annotation: &Annotation) {
    let id = &annotation.id;
    assert!(!id.is_empty(), "id: expected a name, found an empty string");
    assert!(annotation.class.as_deref() != Some(""), "{id}: expected a class or none, found \"\"");
    assert!(annotation.shape.n_corners() > 0, "{id}: expected a shape, found one without corners");
    let bounds = annotation.shape.bounds();
    let is_finite =
        |b: eosin_core::Rectangle| b.area().is_finite() && b.left <= b.right && b.top <= b.bottom;
    assert!(bounds.is_some_and(is_finite), "{id}: expected finite bounds, found {bounds:?}");
    let Shape::Outlines(outlines) = &annotation.shape else { return };
    for ring in outlines.iter().flat_map(|outline| outline.holes.iter().chain([&outline.outer])) {
        assert!(ring.len() >= 3, "{id}: expected rings of three corners, found {}", ring.len());
        assert!(
            ring.first() != ring.last(),
            "{id}: expected the first corner once, found it repeated"
        );
    }
}

fn reading_is_the_same_always(
    format: &dyn AnnotationFormat,
    name: &str,
    bytes: &[u8],
    sound: &Outcome,
) {
    let again = must("reading again", read(format, name, &mut &*bytes, usual()));
    assert!(again == *sound, "reading again: expected the same annotations");
    let drop_by_drop = read(format, name, &mut Drops(bytes), usual());
    let drop_by_drop = must("reading byte by byte", drop_by_drop);
    assert!(drop_by_drop == *sound, "reading byte by byte: expected the same annotations");
    on_another_thread(|| {
        let there = must("reading on another thread", read(format, name, &mut &*bytes, usual()));
        assert!(there == *sound, "reading on another thread: expected the same annotations");
    });
}

/// A file of which a read gives one byte.
struct Drops<'a>(&'a [u8]);

impl Read for Drops<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = buffer.len().min(1);
        self.0.read(&mut buffer[..n])
    }
}

/// A file that breaks in its middle.
struct Broken<'a>(&'a [u8]);

impl Read for Broken<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.0.is_empty() { Err(io::Error::other("it broke")) } else { self.0.read(buffer) }
    }
}

fn errors_come_back(format: &dyn AnnotationFormat, name: &str, bytes: &[u8]) {
    let (limits, n_calls) = (usual(), Cell::new(0));
    let request = AnnotationRequest { path: Path::new(name), limits: &limits };
    let refused = format.read(&request, &mut &*bytes, &mut |_| {
        n_calls.set(n_calls.get() + 1);
        Err(Error::input("the visitor", "less", "enough", "stop"))
    });
    let is_own = matches!(&refused, Err(Error::Input { subject, .. }) if subject == "the visitor");
    assert!(is_own, "the visitor's error: expected it back, found {refused:?}");
    let n = n_calls.get();
    assert!(n == 1, "the visitor's error: expected no further call, found {n} calls");
    let broken = read(format, name, &mut Broken(&bytes[..bytes.len() / 2]), usual());
    assert!(broken.is_err(), "a file that cannot be read on: expected an error, found success");
}

fn limits_are_kept(format: &dyn AnnotationFormat, name: &str, bytes: &[u8], sound: &[Annotation]) {
    let most = sound.iter().map(|annotation| annotation.shape.n_corners()).max().unwrap_or(0);
    let few = AnnotationLimits { corners_of_one: most - 1, ..usual() };
    let refused = read(format, name, &mut &*bytes, few);
    assert!(refused.is_err(), "corners_of_one: expected an error, found success");
    let short = AnnotationLimits { text_bytes: 0, ..usual() };
    let refused = read(format, name, &mut &*bytes, short);
    assert!(refused.is_err(), "text_bytes: expected an error, found success");
    let small = AnnotationLimits { bytes: bytes.len() as u64 / 2, ..usual() };
    let refused = read(format, name, &mut &*bytes, small);
    assert!(refused.is_err(), "bytes: expected an error, found success");
}

fn damage_is_survived(format: &dyn AnnotationFormat, name: &str, bytes: &[u8]) {
    for part in 1..8 {
        let end = bytes.len() * part / 8;
        let cut = read(format, name, &mut &bytes[..end], usual());
        assert!(cut.is_err(), "a file cut after {end} bytes: expected an error, found success");
    }
    // Whatever a flipped byte makes of the file, what is found is sound.
    for at in (0..bytes.len()).step_by(bytes.len().div_ceil(400)) {
        let mut damaged = bytes.to_vec();
        damaged[at] ^= 0x11;
        if let Ok((found, _)) = read(format, name, &mut &*damaged, usual()) {
            found.iter().for_each(is_sound);
        }
    }
}
