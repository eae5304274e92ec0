// SPDX-License-Identifier: MIT OR Apache-2.0

//! What an XML description may ask of its parser, which compares the attributes of an element with
//! each other and hands every namespace on to the elements in it.

use crate::codec::Fault;

/// Elements within elements.
const MAX_DEPTH: usize = 64;

/// Attributes of an element.
const MAX_ATTRIBUTES: usize = 256;

/// Namespaces that the elements around an element declare.
const MAX_NAMESPACES: usize = 64;

/// Walks over the text once, by its tags alone; what is not well-formed is the parser's to refuse.
pub(super) fn check(text: &str) -> Result<(), Fault> {
    let mut rest = text;
    // Namespaces that each element around the present place declares.
    let mut around: Vec<usize> = Vec::new();
    let mut namespaces = 0;
    while let Some(start) = rest.find('<') {
        rest = &rest[start + 1..];
        let passed = [("!--", "-->"), ("![CDATA[", "]]>"), ("?", "?>"), ("!", ">")]
            .iter()
            .find_map(|(begin, end)| rest.strip_prefix(*begin).map(|inside| (inside, end)));
        if let Some((inside, end)) = passed {
            let Some(at) = inside.find(*end) else { return Ok(()) };
            rest = &inside[at + end.len()..];
            continue;
        }
        if rest.starts_with('/') {
            namespaces -= around.pop().unwrap_or(0);
            continue;
        }
        let Some(tag) = Tag::read(rest) else { return Ok(()) };
        if tag.n_attributes > MAX_ATTRIBUTES {
            return Err(format!("an element of more than {MAX_ATTRIBUTES} attributes"));
        }
        if namespaces + tag.n_namespaces > MAX_NAMESPACES {
            return Err(format!("more than {MAX_NAMESPACES} namespaces in one another"));
        }
        if !tag.closed {
            around.push(tag.n_namespaces);
            namespaces += tag.n_namespaces;
            if around.len() > MAX_DEPTH {
                return Err(format!("elements nested deeper than {MAX_DEPTH}"));
            }
        }
        rest = &rest[tag.len..];
    }
    Ok(())
}

/// A start tag.
struct Tag {
    len: usize,
    n_attributes: usize,
    n_namespaces: usize,
    closed: bool,
}

impl Tag {
    fn read(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let (mut at, mut n_attributes, mut n_namespaces) = (0, 0, 0);
        loop {
            match bytes.get(at)? {
                b'>' => break,
                quote @ (b'"' | b'\'') => {
                    n_attributes += 1;
                    at += 1 + bytes[at + 1..].iter().position(|byte| byte == quote)?;
                }
                b'x' if bytes[at..].starts_with(b"xmlns") => n_namespaces += 1,
                _ => {}
            }
            at += 1;
        }
        let closed = at > 0 && bytes[at - 1] == b'/';
        Some(Self { len: at + 1, n_attributes, n_namespaces, closed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_descriptions_pass() {
        let xml = "<?xml version=\"1.0\"?><!-- <a> --><OME xmlns=\"o\"><Image Name='>'/>\
            <![CDATA[<x><y>]]></OME>";
        assert_eq!(check(xml), Ok(()));
        assert_eq!(check(&"<a xmlns='n'></a>".repeat(1000)), Ok(()));
        for cut in 0..xml.len() {
            let _ = check(&xml[..cut]);
        }
    }

    #[test]
    fn depth_attributes_and_namespaces_are_limited() {
        assert!(check(&"<a>".repeat(65)).unwrap_err().contains("nested"));
        let attributes = (0..300).map(|i| format!(" a{i}=''")).collect::<Vec<_>>().concat();
        assert!(check(&format!("<a{attributes}/>")).unwrap_err().contains("attributes"));
        let spaces = (0..33).map(|i| format!(" xmlns:a{i}=''")).collect::<Vec<_>>().concat();
        assert!(check(&format!("<a{spaces}><b{spaces}/></a>")).unwrap_err().contains("namespaces"));
    }
}
