//! One request, and what went wrong with it in words.

use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::{StatusCode, Uri};
use std::error::Error;
use std::io;

/// A client without request bodies.
pub(crate) type Client = kasasagi_http::Client<Empty<Bytes>>;

pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
}

/// Fetches `url` to the end of its body.
pub(crate) async fn get(client: &Client, url: &str) -> Result<Reply, String> {
    let uri: Uri = url.parse().map_err(|error| format!("not a URL: {error}"))?;
    if uri.scheme().is_none() || uri.host().is_none() {
        return Err("not a URL: it begins with http:// and a host".to_owned());
    }
    let response = client.get(uri).await.map_err(|error| explain(&error))?;
    let status = response.status();
    let body = response.into_body().collect().await.map_err(|error| explain(&error))?;
    Ok(Reply { status, body: body.to_bytes() })
}

/// The part of a chain of errors that says something to the user.
fn explain(error: &(dyn Error + 'static)) -> String {
    let mut link = Some(error);
    while let Some(error) = link {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return explain_io(error);
        }
        if let Some(http) = error.downcast_ref::<hyper::Error>() {
            if http.is_incomplete_message() {
                return "the server closed the connection half-way".to_owned();
            }
            if http.is_parse() {
                return format!("malformed reply: {http}");
            }
        }
        link = error.source();
    }
    error.to_string()
}

fn explain_io(error: &io::Error) -> String {
    let text = error.to_string();
    match error.kind() {
        io::ErrorKind::ConnectionReset => format!("the connection was reset half-way: {text}"),
        io::ErrorKind::UnexpectedEof => "the server closed the connection half-way".to_owned(),
        _ if text.starts_with("look up ") => format!("unknown host: {text}"),
        _ => text,
    }
}
