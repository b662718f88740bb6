//! Says something on stderr, where nobody may be listening.
//!
//! `eprintln!` panics when stderr is a closed pipe or a full disk; a runtime that tells of a trouble must not make
//! another one of it.

use std::fmt;
use std::io::Write;

/// Writes one line, the name of the house before it; if that cannot be done, nobody learns of it.
pub fn tell(what: impl fmt::Display) {
    // One buffer, one write: lines of several threads do not mix.
    let line = format!("kasasagi: {what}\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
}
