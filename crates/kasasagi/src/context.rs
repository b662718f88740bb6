//! `context_var!`: context variables, written as statics are.

/// Declares context variables: `static NAME: Type = default;`, or without a default.
///
/// The default is computed where it is asked for. `#[not_inherited]` before `static` says that a task which is spawned
/// begins without the value of its parent.
///
/// # Examples
/// ```
/// kasasagi::context_var! {
///     /// Which request this is; 0 outside requests.
///     pub static REQUEST: u64 = 0;
///     static USER: String;
/// }
///
/// kasasagi::run(async {
///     REQUEST.set(7);
///     let child = kasasagi::spawn(async { REQUEST.get() });
///     assert_eq!(child.await.expect("it ends"), 7);
///     assert_eq!(USER.try_get(), None);
/// });
/// assert_eq!(REQUEST.get(), 0);
/// ```
///
/// Counterpart: `contextvars.ContextVar(name, default=…)`.
#[macro_export]
macro_rules! context_var {
    () => {};
    ($(#[doc = $doc:expr])* #[not_inherited] $vis:vis static $name:ident: $t:ty = $default:expr; $($rest:tt)*) => {
        $(#[doc = $doc])*
        $vis static $name: $crate::ContextVar<$t> =
            $crate::ContextVar::with_default(::core::stringify!($name), || $default).not_inherited();
        $crate::context_var!($($rest)*);
    };
    ($(#[doc = $doc:expr])* #[not_inherited] $vis:vis static $name:ident: $t:ty; $($rest:tt)*) => {
        $(#[doc = $doc])*
        $vis static $name: $crate::ContextVar<$t> =
            $crate::ContextVar::new(::core::stringify!($name)).not_inherited();
        $crate::context_var!($($rest)*);
    };
    ($(#[$attr:meta])* $vis:vis static $name:ident: $t:ty = $default:expr; $($rest:tt)*) => {
        $(#[$attr])*
        $vis static $name: $crate::ContextVar<$t> =
            $crate::ContextVar::with_default(::core::stringify!($name), || $default);
        $crate::context_var!($($rest)*);
    };
    ($(#[$attr:meta])* $vis:vis static $name:ident: $t:ty; $($rest:tt)*) => {
        $(#[$attr])*
        $vis static $name: $crate::ContextVar<$t> =
            $crate::ContextVar::new(::core::stringify!($name));
        $crate::context_var!($($rest)*);
    };
}
