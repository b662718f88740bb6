//! What a task promises, through its public face.

mod after_the_end;
mod auto_traits;
mod lifecycle;
mod nested;
mod panics;
mod plain;
mod support;
