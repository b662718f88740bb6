//! A request: a function, its argument as bytes, and the type of what comes back.

use crate::codec;
use crate::entry::Function;
use crate::frame::LONGEST;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::any::type_name;
use std::fmt;
use std::marker::PhantomData;

/// A function and its argument, ready to be sent; made by
/// [`Workers::request`](crate::Workers::request).
pub struct Request<R> {
    pub(crate) plain: Plain,
    // Nothing of an `R` is here: it is what comes.
    result: PhantomData<fn() -> R>,
}

/// A request without the type of its result.
#[derive(Debug, Clone)]
pub(crate) struct Plain {
    pub(crate) distance: i64,
    pub(crate) argument: Vec<u8>,
    pub(crate) name: &'static str,
}

impl<R> Request<R> {
    /// A request whose argument may be as long as a message can be.
    ///
    /// # Errors
    /// Why it cannot be sent: the argument cannot be encoded or is too long, or the function belongs to a shared library.
    pub fn of<F, A>(function: F, argument: &A) -> Result<Self, String>
    where
        F: Fn(A) -> R + Copy + Send + Sync + 'static,
        A: Serialize + DeserializeOwned,
        R: Serialize + DeserializeOwned,
    {
        Self::new(function, argument, LONGEST)
    }

    pub(crate) fn new<F, A>(function: F, argument: &A, limit: usize) -> Result<Self, String>
    where
        F: Fn(A) -> R + Copy + Send + Sync + 'static,
        A: Serialize + DeserializeOwned,
        R: Serialize + DeserializeOwned,
    {
        let name = type_name::<F>();
        let distance = Function::of(function).distance().ok_or_else(|| {
            format!("`{name}` belongs to a shared library, which a worker may have elsewhere")
        })?;
        let mut bytes = Vec::new();
        codec::encode(argument, &mut bytes, limit)?;
        let plain = Plain { distance, argument: bytes, name };
        Ok(Self { plain, result: PhantomData })
    }

    /// The function, as the compiler names it.
    pub fn name(&self) -> &'static str {
        self.plain.name
    }
}

impl<R> fmt::Debug for Request<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("name", &self.plain.name)
            .field("bytes", &self.plain.argument.len())
            .finish()
    }
}

impl<R> Clone for Request<R> {
    fn clone(&self) -> Self {
        Self { plain: self.plain.clone(), result: PhantomData }
    }
}
