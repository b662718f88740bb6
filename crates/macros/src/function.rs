//! A function as tokens: what comes before `async`, what comes after it, and the body.

use crate::Mistake;
use proc_macro::{Delimiter, Group, Span, TokenStream, TokenTree};

pub(crate) struct Function {
    /// Attributes, visibility, qualifiers.
    before: Vec<TokenTree>,
    /// From what follows `async` to the body.
    signature: Vec<TokenTree>,
    pub(crate) body: Group,
}

impl Function {
    /// Takes a function apart, for the attribute `name`.
    pub(crate) fn parse(name: &str, item: TokenStream) -> Result<Self, Mistake> {
        let mut tokens: Vec<_> = item.into_iter().collect();
        let attributes = attributes(&tokens);
        // The words before the name: `pub(crate) async unsafe extern "C" fn`.
        let Some(keyword) = tokens.iter().skip(attributes).position(|token| is(token, "fn")) else {
            let at = tokens.get(attributes).map_or_else(Span::call_site, TokenTree::span);
            return Err(Mistake::new(
                at,
                format!("`#[kasasagi::{name}]` belongs to an `async fn`"),
            ));
        };
        let keyword = attributes + keyword;
        if name == "test" {
            if let Some(at) = second_test(&tokens[..attributes]) {
                let text = "`#[kasasagi::test]` makes it a test already: leave this `#[test]` out";
                return Err(Mistake::new(at, text));
            }
        }
        let Some(asynchronous) =
            tokens[attributes..keyword].iter().position(|token| is(token, "async"))
        else {
            let text = format!(
                "`#[kasasagi::{name}]` runs an `async fn`: write `async fn` here, or leave the attribute out"
            );
            return Err(Mistake::new(tokens[keyword].span(), text));
        };
        let Some(TokenTree::Group(body)) = tokens.pop() else {
            return Err(no_body(name, tokens[keyword].span()));
        };
        if body.delimiter() != Delimiter::Brace {
            return Err(no_body(name, body.span()));
        }
        if name == "test" {
            if let Some(at) = arguments(&tokens[keyword..]) {
                return Err(Mistake::new(
                    at,
                    "a test takes no arguments: nobody is there to give them",
                ));
            }
        }
        let signature = tokens.split_off(attributes + asynchronous + 1);
        tokens.pop();
        Ok(Self { before: tokens, signature, body })
    }

    /// The function, no longer `async`, with another body, and something before it.
    pub(crate) fn with_body(&self, first: &[TokenTree], body: Group) -> TokenStream {
        let tokens = first.iter().chain(&self.before).chain(&self.signature).cloned();
        tokens.chain([TokenTree::Group(body)]).collect()
    }
}

fn no_body(name: &str, at: Span) -> Mistake {
    Mistake::new(at, format!("`#[kasasagi::{name}]` runs a function's body, and this one has none"))
}

fn is(token: &TokenTree, word: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident.to_string() == word)
}

/// How many tokens the attributes take: `#` and a group each.
fn attributes(tokens: &[TokenTree]) -> usize {
    let is_hash =
        |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == '#');
    2 * tokens.chunks(2).take_while(|pair| is_hash(&pair[0])).count()
}

/// Where an attribute says `test` a second time.
fn second_test(attributes: &[TokenTree]) -> Option<Span> {
    attributes.iter().find_map(|token| {
        let TokenTree::Group(group) = token else { return None };
        let mut inside = group.stream().into_iter();
        let first = inside.next()?;
        (is(&first, "test") && inside.next().is_none()).then(|| first.span())
    })
}

/// Where a function has arguments.
fn arguments(signature: &[TokenTree]) -> Option<Span> {
    let list = signature.iter().find_map(|token| match token {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Parenthesis => Some(group),
        _ => None,
    })?;
    list.stream().into_iter().next().map(|first| first.span())
}
