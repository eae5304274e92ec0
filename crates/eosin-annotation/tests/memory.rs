// SPDX-License-Identifier: MIT OR Apache-2.0

//! Files of any size are read in little memory.

use std::io::{self, Read};
use std::path::Path;

use eosin_annotation::{AsapFormat, GeoJsonFormat, ImageScopeFormat};
use eosin_core::{AnnotationFormat, AnnotationLimits, AnnotationRequest};
use eosin_testkit::mutants::{Limited, peak_of_process};

#[global_allocator]
static ALLOCATOR: Limited = Limited;

/// A file that is made while it is read: a beginning, a part many times, an end.
struct Repeated<'a> {
    parts: [&'a [u8]; 3],
    times: usize,
    part: usize,
    at: usize,
}

impl Read for Repeated<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let Some(part) = self.parts.get(self.part) else { return Ok(0) };
            let n = (&part[self.at..]).read(buffer)?;
            self.at += n;
            if n > 0 {
                return Ok(n);
            }
            self.at = 0;
            if self.part == 1 && self.times > 1 {
                self.times -= 1;
            } else {
                self.part += 1;
            }
        }
    }
}

#[test]
fn what_is_not_kept_takes_no_memory() {
    let measurements: Vec<String> =
        (0..200).map(|i| format!(r#"{{"name":"Feature {i}","value":{i}.25}}"#)).collect();
    let feature = format!(
        r#",{{"type":"Feature","geometry":{{"type":"Polygon","coordinates":[[[0,0],[9,0],[9,9],[0,0]]]}},"properties":{{"measurements":[{}]}}}}"#,
        measurements.join(",")
    );
    let dot = br#"<Annotation Name="a" Type="Dot" PartOfGroup="None"><Coordinates><Coordinate Order="0" X="1" Y="2"/></Coordinates></Annotation>"#;
    let layer = br#"<Annotation Name="a"><Regions><Region Id="1" Type="0"><Vertices><Vertex X="1" Y="2"/><Vertex X="3" Y="2"/><Vertex X="1" Y="4"/></Vertices></Region></Regions></Annotation>"#;
    let first = br#"[{"type":"Feature","geometry":null}"#;
    let cases: [(&dyn AnnotationFormat, [&[u8]; 3], usize); 3] = [
        (&GeoJsonFormat, [first, feature.as_bytes(), b"]"], 10_000),
        (&AsapFormat, [b"<ASAP_Annotations>", dot, b"</ASAP_Annotations>"], 100_000),
        (&ImageScopeFormat, [b"<Annotations>", layer, b"</Annotations>"], 100_000),
    ];
    for (format, parts, times) in cases {
        let limits = AnnotationLimits::default();
        let request = AnnotationRequest { path: Path::new("large"), limits: &limits };
        let (mut file, mut n) = (Repeated { parts, times, part: 0, at: 0 }, 0);
        let read = || {
            format.read(&request, &mut file, &mut |_| {
                n += 1;
                Ok(())
            })
        };
        let (outcome, peak) = peak_of_process(64 << 20, read);
        outcome.unwrap();
        assert_eq!(n, times, "{}", format.kind());
        let megabytes = parts[1].len() * times / 1_000_000;
        println!("{}: {megabytes} MB in {peak} bytes", format.kind());
        assert!(megabytes > 10 && peak < 1 << 20, "{}: {peak} bytes", format.kind());
    }
}
