//! How a pending result is shown: its state, what it came to, and who will be called.

use super::{Outcome, Pending};
use std::cell::RefCell;
use std::fmt;

thread_local! {
    /// Those that this thread is showing: a result may hold the very promise it belongs to.
    static SHOWN: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

/// The promise is being shown until this is dropped.
struct Showing;

impl Showing {
    fn begin(address: usize) -> Option<Self> {
        SHOWN.with_borrow_mut(|shown| {
            let is_new = !shown.contains(&address);
            if is_new {
                shown.push(address);
            }
            // Not `then_some`: a value that is made and dropped here would borrow the list again.
            is_new.then(|| Self)
        })
    }
}

impl Drop for Showing {
    fn drop(&mut self) {
        SHOWN.with_borrow_mut(Vec::pop);
    }
}

impl<T: fmt::Debug, E: fmt::Debug> fmt::Debug for Pending<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<Pending {}", self.state().as_str())?;
        match Showing::begin(self.shared.address()) {
            None => f.write_str(" ...")?,
            Some(_showing) => match self.shared.get() {
                Some(Outcome::Value(value)) => write!(f, " result={value:?}")?,
                Some(Outcome::Failed(failure)) => write!(f, " exception={:?}", failure.glance())?,
                Some(Outcome::Broken) => f.write_str(" exception=Broken")?,
                Some(Outcome::Cancelled) | None => {}
            },
        }
        let (names, between) = self.shared.beside().names();
        if let Some((first, others)) = names.split_first() {
            write!(f, " cb=[{first}()")?;
            if between > 0 {
                write!(f, ", <{between} more>")?;
            }
            for other in others {
                write!(f, ", {other}()")?;
            }
            f.write_str("]")?;
        }
        f.write_str(">")
    }
}
