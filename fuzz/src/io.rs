//! The reactor's registration table and its direction words, read in as they are.

#[path = "../../crates/reactor/src/io/source.rs"]
pub(crate) mod source;
#[path = "../../crates/reactor/src/io/table.rs"]
pub(crate) mod table;
