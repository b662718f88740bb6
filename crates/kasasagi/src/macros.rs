//! What the attributes `main` and `test` call.

use crate::builder::Builder;
use crate::interrupt::Policy;
use crate::run::run_on;

/// Runs `future` as [`run`](crate::run) does, on what `builder` builds.
#[track_caller]
pub fn main<F: Future>(mut builder: Builder, future: F) -> F::Output {
    builder.make_do = true;
    builder.ctrl_c = Policy::OnMainThread;
    run_on(builder, "#[kasasagi::main]", future)
}

/// As [`main`], and leaves Ctrl-C to the harness.
#[track_caller]
pub fn test<F: Future>(builder: Builder, future: F) -> F::Output {
    run_on(builder, "#[kasasagi::test]", future)
}
