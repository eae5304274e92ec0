// SPDX-License-Identifier: MIT OR Apache-2.0

use std::io::Read;

use eosin_core::{
    Annotation, AnnotationFormat, AnnotationRequest, Error, LeftOutShapes, ObjectKind, Outline,
    Result, Shape,
};

use super::clock;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    None,
    KnowsAll,
    KnowsNone,
    EmptyClass,
    Infinite,
    NoId,
    Closed,
    Clock,
    OneRead,
    GoesOn,
    Swallows,
    IgnoresCorners,
    IgnoresTexts,
    IgnoresBytes,
    TakesTheBeginning,
}

/// A format of lines: a class and numbers x y x y; `end` is the last line.
pub struct Points(pub Fault);

/// A sound file of it.
pub const SAMPLE: &[u8] =
    b"points\ntumour 1 2 3 4 5 1\nstroma 10 20 30 40 50 10 7 7\nfat 0 0 9 0 0 9\nend\n";

impl AnnotationFormat for Points {
    fn kind(&self) -> &'static str {
        "points"
    }

    fn recognises(&self, _file_name: &str, start: &[u8]) -> bool {
        match self.0 {
            Fault::KnowsAll => true,
            Fault::KnowsNone => false,
            _ => start.starts_with(b"points"),
        }
    }

    fn read(
        &self,
        request: &AnnotationRequest,
        file: &mut dyn Read,
        visit: &mut dyn FnMut(Annotation) -> Result<()>,
    ) -> Result<LeftOutShapes> {
        let fault = |found: &str| Error::data(request.path, "points", found, "replace it");
        let (mut bytes, limits) = (vec![0; 4096], request.limits);
        if self.0 == Fault::OneRead {
            let n = file.read(&mut bytes).map_err(|e| Error::io("read", request.path, e))?;
            bytes.truncate(n);
        } else {
            bytes.clear();
            file.read_to_end(&mut bytes).map_err(|e| Error::io("read", request.path, e))?;
        }
        if bytes.len() as u64 > limits.bytes && self.0 != Fault::IgnoresBytes {
            return Err(fault("too many bytes"));
        }
        let text = String::from_utf8(bytes).map_err(|e| fault(&e.to_string()))?;
        if !text.ends_with("\nend\n") && self.0 != Fault::TakesTheBeginning {
            // A single read has no more than the beginning, and says nothing of it.
            if self.0 == Fault::OneRead && text.len() < 3 {
                return Ok(LeftOutShapes::new());
            }
            return Err(fault("its end"));
        }
        for (i, line) in text.lines().skip(1).filter(|line| *line != "end").enumerate() {
            let mut words = line.split(' ');
            let class = words.next().unwrap_or_default();
            if class.len() > limits.text_bytes && self.0 != Fault::IgnoresTexts {
                return Err(fault("a long class"));
            }
            let numbers: Option<Vec<f64>> = words.map(|word| word.parse().ok()).collect();
            let numbers = match numbers {
                Some(numbers) if numbers.len() >= 6 && numbers.len() % 2 == 0 => numbers,
                _ if self.0 == Fault::TakesTheBeginning => continue,
                _ => return Err(fault("no numbers")),
            };
            let mut outer: Vec<[f64; 2]> = numbers.chunks(2).map(|p| [p[0], p[1]]).collect();
            if outer.iter().flatten().any(|value| !value.is_finite()) {
                return Err(fault("a number that is none"));
            }
            if outer.len() > limits.corners_of_one && self.0 != Fault::IgnoresCorners {
                return Err(fault("too many corners"));
            }
            while outer.first() == outer.last() {
                outer.pop();
            }
            if outer.len() < 3 {
                continue;
            }
            match self.0 {
                Fault::Closed => outer.push(outer[0]),
                Fault::Infinite => outer[1][0] = f64::INFINITY,
                Fault::Clock => outer[0][0] = f64::from(clock()),
                _ => {}
            }
            let class = if self.0 == Fault::EmptyClass { "" } else { class };
            let outcome = visit(Annotation {
                shape: Shape::Outlines(vec![Outline { outer, holes: Vec::new() }]),
                class: (!class.is_empty() || self.0 == Fault::EmptyClass)
                    .then(|| class.to_string()),
                id: if self.0 == Fault::NoId { String::new() } else { i.to_string() },
                kind: ObjectKind::Annotation,
                is_locked: false,
                image: None,
            });
            match self.0 {
                Fault::Swallows => {}
                Fault::GoesOn if outcome.is_err() && i == 0 => {}
                _ => outcome?,
            }
        }
        Ok(LeftOutShapes::new())
    }
}
