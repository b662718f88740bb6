//! What stands in the parentheses of an attribute.

use crate::Mistake;
use proc_macro::{TokenStream, TokenTree};
use std::iter::Peekable;

type Tokens = Peekable<proc_macro::token_stream::IntoIter>;

#[derive(Default)]
pub(crate) struct Options {
    pub(crate) flavour: Option<Flavour>,
    /// Where it was asked for.
    pub(crate) virtual_time: Option<proc_macro::Span>,
}

pub(crate) enum Flavour {
    /// So many; any expression.
    Workers(TokenStream),
    CurrentThread,
}

impl Options {
    pub(crate) fn parse(attribute: &str, arguments: TokenStream) -> Result<Self, Mistake> {
        let mut options = Self::default();
        let mut tokens = arguments.into_iter().peekable();
        while let Some(token) = tokens.next() {
            let name = token.to_string();
            let at = token.span();
            let mistake = |text: String| Err(Mistake::new(at, text));
            match name.as_str() {
                "workers" => {
                    let count = value(&mut tokens, at)?;
                    options.choose(Flavour::Workers(count), at)?;
                }
                "current_thread" => options.choose(Flavour::CurrentThread, at)?,
                "virtual_time" if options.virtual_time.is_some() => {
                    return mistake("`virtual_time` is said twice".into());
                }
                "virtual_time" => options.virtual_time = Some(at),
                _ => {
                    return mistake(format!(
                        "`#[kasasagi::{attribute}]` knows no `{name}`: write `workers = n`, `current_thread` or \
                         `virtual_time`, or build a `kasasagi::Runtime` for anything else"
                    ));
                }
            }
            match tokens.next() {
                None => break,
                Some(TokenTree::Punct(comma)) if comma.as_char() == ',' => {}
                Some(other) => {
                    let text = format!("a comma was expected after `{name}`");
                    return Err(Mistake::new(other.span(), text));
                }
            }
        }
        Ok(options)
    }

    fn choose(&mut self, flavour: Flavour, at: proc_macro::Span) -> Result<(), Mistake> {
        if self.flavour.replace(flavour).is_some() {
            return Err(Mistake::new(at, "say either `workers = n` or `current_thread`, and once"));
        }
        Ok(())
    }
}

/// What follows the equals sign, up to the next comma.
fn value(tokens: &mut Tokens, at: proc_macro::Span) -> Result<TokenStream, Mistake> {
    let text = "a number was expected: `workers = 4`";
    match tokens.next() {
        Some(TokenTree::Punct(equals)) if equals.as_char() == '=' => {}
        Some(other) => return Err(Mistake::new(other.span(), text)),
        None => return Err(Mistake::new(at, text)),
    }
    let is_comma =
        |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ',');
    let mut value = Vec::new();
    while let Some(token) = tokens.next_if(|token| !is_comma(token)) {
        value.push(token);
    }
    if value.is_empty() {
        return Err(Mistake::new(at, text));
    }
    Ok(value.into_iter().collect())
}
