//! Report: from the lines that the benches wrote to the tables and charts of the book, and the README's sentences.
//!
//! The same lines give the same files, to the byte.

mod chart;
mod goal_table;
mod goals;
mod measured;
mod tables;
mod text;

use measured::Measurements;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Begins a generated part of a page.
const BEGIN: &str = "<!-- report: begin -->";
/// Ends it.
const END: &str = "<!-- report: end -->";

/// What is to be reported.
#[derive(Debug, Default)]
pub struct Report {
    /// Files of JSON lines; several runs count as one, with more rounds.
    pub files: Vec<PathBuf>,
    /// Whether only to look if every row of the table of goals was measured; nothing is written.
    pub check: bool,
    /// A folder for what is generated, instead of the pages of this repository.
    pub to: Option<PathBuf>,
}

impl Report {
    /// Reads the files, and writes what comes of them; says what it did.
    ///
    /// # Errors
    /// What is missing: a file, a row, a mark in a page.
    pub fn run(&self) -> Result<String, String> {
        let text = |path: &PathBuf| {
            fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
        };
        let mut lines = String::new();
        for path in &self.files {
            lines.push_str(&text(path)?);
        }
        let measured = Measurements::parse(&lines)?;
        let missing = goals::missing(&measured);
        if !missing.is_empty() && self.to.is_none() {
            return Err(format!("not measured:\n  {}", missing.join("\n  ")));
        }
        if self.check {
            return Ok(format!(
                "{} rows of the table of goals were measured",
                goals::entries().len()
            ));
        }
        match &self.to {
            Some(folder) => write_apart(&measured, folder),
            None => write_pages(&measured, Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))),
        }
        .map_err(|error| error.to_string())
    }
}

/// The pages of the repository, between their marks.
fn write_pages(measured: &Measurements, root: &Path) -> io::Result<String> {
    if let Some(why) = measured.unfit() {
        return Err(io::Error::other(format!(
            "not for the book: {why}; --to FOLDER writes elsewhere"
        )));
    }
    let performance = root.join("docs/src/performance");
    between_marks(&performance.join("results.md"), &tables::page(measured))?;
    between_marks(&root.join("README.md"), &tables::readme(measured))?;
    write_charts(measured, &performance.join("charts"))?;
    Ok("written: docs/src/performance/results.md, docs/src/performance/charts, README.md".into())
}

fn write_apart(measured: &Measurements, folder: &Path) -> io::Result<String> {
    fs::create_dir_all(folder)?;
    fs::write(folder.join("results.md"), tables::page(measured))?;
    fs::write(folder.join("README.md"), tables::readme(measured))?;
    write_charts(measured, &folder.join("charts"))?;
    Ok(format!("written: {}", folder.display()))
}

fn write_charts(measured: &Measurements, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for family in goals::FAMILIES {
        fs::write(folder.join(format!("{}.svg", family.file)), chart::svg(measured, family))?;
    }
    Ok(())
}

fn between_marks(path: &Path, text: &str) -> io::Result<()> {
    let page = fs::read_to_string(path)?;
    let page = replaced(&page, text)
        .ok_or_else(|| io::Error::other(format!("{}: no {BEGIN} before {END}", path.display())))?;
    fs::write(path, page)
}

fn replaced(page: &str, text: &str) -> Option<String> {
    let (head, rest) = page.split_once(BEGIN)?;
    let (_, tail) = rest.split_once(END)?;
    Some(format!("{head}{BEGIN}\n\n{}\n\n{END}{tail}", text.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_keeps_what_is_outside_its_marks() {
        let page = format!("before\n{BEGIN}\nold\n{END}\nafter");
        let new = replaced(&page, "new\n").expect("the marks are there");
        assert_eq!(new, format!("before\n{BEGIN}\n\nnew\n\n{END}\nafter"));
        assert_eq!(replaced(&new, "new").as_deref(), Some(new.as_str()));
        assert_eq!(replaced("no marks", "new"), None);
    }
}
