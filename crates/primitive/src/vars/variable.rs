//! One variable: what it is called, what it is where nobody has set it, and whether children inherit it.

use super::{Context, Value, with};
use crate::counter::Number;
use std::error::Error;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

/// A variable whose value belongs to the running task, and to those that it spawns.
///
/// It is a static. What a task sets is seen by itself and by the tasks that it spawns from then on, which get a copy;
/// not by its parent, nor by tasks that run beside it. Outside tasks it belongs to the thread. For what belongs to
/// one function, an argument is better.
///
/// # Examples
/// ```
/// use kasasagi_primitive::vars::ContextVar;
///
/// static REQUEST: ContextVar<u64> = ContextVar::with_default("REQUEST", || 0);
///
/// let token = REQUEST.set(7);
/// assert_eq!(REQUEST.get(), 7);
/// assert!(REQUEST.reset(token).is_ok());
/// assert_eq!(REQUEST.get(), 0);
/// ```
///
/// Counterpart: `contextvars.ContextVar`.
pub struct ContextVar<T> {
    number: Number,
    name: &'static str,
    default: Option<fn() -> T>,
    inherited: bool,
}

/// What a variable was before [`ContextVar::set`]; given to [`ContextVar::reset`], it is that again.
///
/// Counterpart: `contextvars.Token`.
pub struct Token<T> {
    variable: u64,
    context: Context,
    before: Option<Value>,
    _value: PhantomData<fn() -> T>,
}

/// A token did not fit: nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenError {
    /// It is another variable's.
    OtherVariable,
    /// It was made in another context: by another task, or outside [`Context::run`].
    OtherContext,
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OtherVariable => {
                "the token is another variable's: give it to the variable whose `set` returned it"
            }
            Self::OtherContext => {
                "the token was made in another context: reset the variable in the task, and the `Context::run`, in \
                 which it was set"
            }
        })
    }
}

impl Error for TokenError {}

impl<T> ContextVar<T> {
    /// A variable without a value where nobody has set it.
    pub const fn new(name: &'static str) -> Self {
        Self { number: Number::new(), name, default: None, inherited: true }
    }

    /// A variable that is `default` where nobody has set it.
    pub const fn with_default(name: &'static str, default: fn() -> T) -> Self {
        Self { number: Number::new(), name, default: Some(default), inherited: true }
    }

    /// The same, but a task that is spawned begins without the value of its parent.
    #[must_use = "it says so of the variable that it returns"]
    pub const fn not_inherited(self) -> Self {
        Self { number: Number::new(), name: self.name, default: self.default, inherited: false }
    }

    /// What it is called.
    pub fn name(&self) -> &'static str {
        self.name
    }
}

impl<T: Clone + Send + Sync + 'static> ContextVar<T> {
    /// Its value here, cloned; its default where nobody has set it.
    ///
    /// # Panics
    /// Where nobody has set it and it has no default; [`try_get`](Self::try_get) asks first.
    ///
    /// Counterpart: `contextvars.ContextVar.get`.
    #[track_caller]
    pub fn get(&self) -> T {
        match self.try_get() {
            Some(value) => value,
            None => panic!(
                "the context variable `{0}` has no value here and no default: call `{0}.set(…)` before, in this \
                 task or in the one that spawned it, or use `try_get`",
                self.name
            ),
        }
    }

    /// Its value here, cloned; its default, if it has one, where nobody has set it.
    pub fn try_get(&self) -> Option<T> {
        let (number, inherited) = (self.number.get(), self.inherited);
        let value = with(|context| context.and_then(|context| context.get(number, inherited)));
        match value.as_deref().and_then(|value| value.downcast_ref::<T>()) {
            Some(value) => Some(value.clone()),
            None => self.default.map(|default| default()),
        }
    }

    /// Sets it here, for this task and those that it will spawn; gives a token to undo it with.
    ///
    /// Counterpart: `contextvars.ContextVar.set`.
    pub fn set(&self, value: T) -> Token<T> {
        let context = Context::current();
        let variable = self.number.get();
        let before = context.put(variable, self.inherited, Some(Arc::new(value)));
        Token { variable, context, before, _value: PhantomData }
    }

    /// Makes it what it was before the `set` that gave this token.
    ///
    /// # Errors
    /// [`TokenError`] if it was not this variable that was set, or not here.
    ///
    /// Counterpart: `contextvars.ContextVar.reset`.
    pub fn reset(&self, token: Token<T>) -> Result<(), TokenError> {
        if token.variable != self.number.get() {
            return Err(TokenError::OtherVariable);
        }
        if !with(|context| context.is_some_and(|context| context.is(&token.context))) {
            return Err(TokenError::OtherContext);
        }
        let now = token.context.put(token.variable, self.inherited, token.before);
        // Outside the lock.
        drop(now);
        Ok(())
    }
}

impl<T> fmt::Debug for ContextVar<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<ContextVar name='{}'>", self.name)
    }
}

impl<T> fmt::Debug for Token<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("had_value", &self.before.is_some()).finish_non_exhaustive()
    }
}
