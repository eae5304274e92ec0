// SPDX-License-Identifier: MIT OR Apache-2.0

//! Draws a page again from its numbers: `render report.json report.html`.

use std::path::Path;

use eosin_core::{Error, Result};
use eosin_report::{RunReport, render_html};

fn main() -> Result<()> {
    let paths: Vec<String> = std::env::args().skip(1).collect();
    let [json, html] = paths.as_slice() else {
        return Err(Error::input(
            "arguments",
            "report.json report.html",
            paths.join(" "),
            "give both",
        ));
    };
    let text = std::fs::read_to_string(json).map_err(|e| Error::io("read", Path::new(json), e))?;
    let page = render_html(&RunReport::from_json(&text)?)?;
    std::fs::write(html, page).map_err(|e| Error::io("write", Path::new(html), e))
}
