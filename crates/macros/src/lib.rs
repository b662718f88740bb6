//! `#[kasasagi::main]` and `#[kasasagi::test]`: an `async fn` that brings its runtime along.
//!
//! Written on the compiler's own tokens, without a parser of Rust: all that has to be known of a function is where its
//! body is, that it is `async`, and what the attribute says. The rest goes through as it came, spans included, so that
//! the compiler's messages point to the program.
#![forbid(unsafe_code)]

mod function;
mod options;

use function::Function;
use options::{Flavour, Options};
use proc_macro::{Delimiter, Group, Ident, Literal, Punct, Spacing, Span, TokenStream, TokenTree};

/// Something that the attribute cannot make sense of, and where it stands.
struct Mistake {
    at: Span,
    text: String,
}

impl Mistake {
    fn new(at: Span, text: impl Into<String>) -> Self {
        Self { at, text: text.into() }
    }

    /// What the compiler is to say.
    fn into_tokens(self) -> TokenStream {
        let mut text = Literal::string(&self.text);
        text.set_span(self.at);
        let mut told = Group::new(Delimiter::Brace, TokenTree::Literal(text).into());
        told.set_span(self.at);
        let mut tokens: Vec<TokenTree> = vec![
            Punct::new(':', Spacing::Joint).into(),
            Punct::new(':', Spacing::Alone).into(),
            Ident::new("core", self.at).into(),
            Punct::new(':', Spacing::Joint).into(),
            Punct::new(':', Spacing::Alone).into(),
            Ident::new("compile_error", self.at).into(),
            Punct::new('!', Spacing::Alone).into(),
            told.into(),
        ];
        tokens.iter_mut().for_each(|token| token.set_span(self.at));
        tokens.into_iter().collect()
    }
}

/// Runs an `async fn`, mostly `main`, as `kasasagi::run` runs a future: on a runtime made for it, with the calling thread
/// as its first worker, Ctrl-C included; then the tasks that are left are cancelled and awaited.
///
/// | argument | |
/// |---|---|
/// | `workers = n` | how many threads run tasks; as many as the machine runs at once, if it is not said |
/// | `current_thread` | every task runs on the calling thread |
/// | `virtual_time` | time jumps when nothing can run |
///
/// Arguments, attributes and the return type of the function stay what they are.
///
/// # Panics
/// As `kasasagi::run`; if the runtime cannot be built.
///
/// # Examples
/// ```
/// #[kasasagi::main]
/// async fn main() -> Result<(), std::num::ParseIntError> {
///     let task = kasasagi::spawn(async { "42".parse::<u32>() });
///     assert_eq!(task.await.expect("it ends")?, 42);
///     Ok(())
/// }
/// ```
///
/// What it cannot run is an error at the place:
/// ```compile_fail
/// #[kasasagi::main]
/// fn main() {} // there is no `async`
/// ```
/// ```compile_fail
/// #[kasasagi::main(threads = 4)] // `workers = 4`
/// async fn main() {}
/// ```
///
/// Counterpart: `asyncio.run(main())`.
#[proc_macro_attribute]
pub fn main(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand("main", arguments, item)
}

/// Makes an `async fn` a test, with a runtime of its own: one worker, if nothing else is said.
///
/// The arguments are those of [`macro@main`]. A test may return a `Result`, and other attributes of tests
/// (`#[should_panic]`) work as ever. Ctrl-C is left to the harness.
///
/// # Examples
/// ```
/// #[kasasagi::test]
/// async fn a_task_gives_its_output() {
///     assert_eq!(kasasagi::spawn(async { 42 }).await.expect("it ends"), 42);
/// }
///
/// #[kasasagi::test(workers = 2)]
/// async fn several_workers() -> Result<(), kasasagi::JoinError> {
///     kasasagi::spawn(async {}).await
/// }
/// ```
///
/// Counterpart: `unittest.IsolatedAsyncioTestCase`.
#[proc_macro_attribute]
pub fn test(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand("test", arguments, item)
}

fn expand(name: &str, arguments: TokenStream, item: TokenStream) -> TokenStream {
    let function = match Function::parse(name, item.clone()) {
        Ok(function) => function,
        Err(mistake) => {
            // The item as it was: what else is wrong with it is said too, and nothing that follows from its absence.
            let mut tokens = mistake.into_tokens();
            tokens.extend(item);
            return tokens;
        }
    };
    let options = match Options::parse(name, arguments) {
        Ok(options) => options,
        Err(mistake) => {
            let mut tokens = mistake.into_tokens();
            tokens.extend(function.with_body(&[], endless()));
            return tokens;
        }
    };
    let mut call = parse(&format!("::kasasagi::__macros::{name}"));
    let mut inside = builder(name, options);
    inside.extend(parse(", async move"));
    inside.extend([TokenTree::Group(function.body.clone())]);
    call.extend([TokenTree::Group(Group::new(Delimiter::Parenthesis, inside))]);
    let mut body = Group::new(Delimiter::Brace, call);
    // What is wrong with the value of the body is wrong there.
    body.set_span(function.body.span());
    let before = if name == "test" { "#[::core::prelude::v1::test]" } else { "" };
    function.with_body(&parse(before).into_iter().collect::<Vec<_>>(), body)
}

/// The builder that the arguments ask for.
fn builder(name: &str, options: Options) -> TokenStream {
    let mut tokens = parse("::kasasagi::Runtime::builder()");
    match options.flavour {
        Some(Flavour::Workers(count)) => {
            tokens.extend(parse(".workers"));
            tokens.extend([TokenTree::Group(Group::new(Delimiter::Parenthesis, count))]);
        }
        Some(Flavour::CurrentThread) => tokens.extend(parse(".current_thread()")),
        None if name == "test" => tokens.extend(parse(".current_thread()")),
        None => {}
    }
    if let Some(at) = options.virtual_time {
        tokens.extend(parse("."));
        // At the argument: where there is no such method, the message points to it.
        tokens.extend([TokenTree::Ident(Ident::new("virtual_time", at))]);
        tokens.extend(parse("()"));
    }
    tokens
}

/// The body of a function that is only there to be found.
fn endless() -> Group {
    Group::new(Delimiter::Brace, parse("loop {}"))
}

fn parse(text: &str) -> TokenStream {
    text.parse().expect("the macro's own tokens are tokens")
}
