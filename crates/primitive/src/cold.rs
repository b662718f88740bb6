//! The cold part of a task: what most tasks never need, allocated when they do.
//!
//! Its pointer stands in the task's context, so that leaves reach it without knowing tasks. Whoever has the task
//! may read and write what stands behind a lock; the scopes are touched only by the thread that polls the task.

use crate::defer::{Callback, Job};
use crate::report::Hook;
use crate::request::Request;
use crate::scope::Scopes;
use crate::sync::Mutex;
use crate::sync::atomic::AtomicBool;
use crate::vars::Context;
use std::fmt;
use std::sync::{Arc, OnceLock};

/// What most tasks never need.
#[derive(Default)]
pub struct Cold {
    /// The name that the program gave the task.
    pub name: Mutex<Option<Arc<str>>>,
    /// What was asked of the task: to be cancelled, and the cleanups that it owes. Any thread may ask.
    pub request: Mutex<Request>,
    /// Where the runtime that the task failed in wants it reported, should nobody look.
    pub hook: Mutex<Option<Hook>>,
    /// The context variables of the task, once it has any. std's cell also in a model: its words are behind a lock.
    pub vars: OnceLock<Context>,
    /// What is called when the task is done, until somebody takes it to call it.
    pub callbacks: Mutex<Vec<Callback<Job>>>,
    /// Nobody is to be told if nobody looks: the one who had the handle knows already, or does not care.
    pub disregarded: AtomicBool,
    pub(crate) scopes: Scopes,
}

impl Cold {
    /// Whether the task has context variables.
    #[cold]
    pub(crate) fn has_vars(&self) -> bool {
        self.vars.get().is_some()
    }
}

impl fmt::Debug for Cold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cold").field("request", &self.request).finish_non_exhaustive()
    }
}
