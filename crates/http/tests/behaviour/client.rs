use crate::flavour::{echo, echo_server, for_each_flavour, listener};
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Bytes;
use hyper::{Request, Uri};
use kasasagi_http::{Io, Timer};
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

fn url(addr: std::net::SocketAddr, path: &str) -> Uri {
    format!("http://{addr}{path}").parse().expect("a URL")
}

/// The innermost error.
fn root(error: &dyn Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

#[test]
fn a_thousand_requests_in_a_row_use_a_connection_again_and_again() {
    for_each_flavour(async || {
        let (listener, addr) = listener().await;
        let accepted = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&accepted);
        drop(kasasagi::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.expect("the listener is sound");
                count.fetch_add(1, Ordering::SeqCst);
                let service = hyper::service::service_fn(echo);
                let mut http = hyper::server::conn::http1::Builder::new();
                let connection =
                    http.timer(Timer::new()).serve_connection(Io::new(stream), service);
                drop(kasasagi::spawn(connection));
            }
        }));
        let client = kasasagi_http::client::<Empty<Bytes>>();
        for n in 0..1000 {
            let path = format!("/{n}");
            let response = client.get(url(addr, &path)).await.expect("it answers");
            let body = response.into_body().collect().await.expect("it ends").to_bytes();
            assert_eq!(body, path);
        }
        // With workers, the second request may come before the first connection is back in the pool.
        let connections = accepted.load(Ordering::SeqCst);
        assert!((1..=2).contains(&connections), "{connections} connections");
    });
}

#[test]
fn a_large_body_goes_there_and_comes_back() {
    for_each_flavour(async || {
        let addr = echo_server().await;
        let client = kasasagi_http::client::<Full<Bytes>>();
        let body: Vec<u8> = (0..3 << 20).map(|n: u32| n.wrapping_mul(7) as u8).collect();
        let request =
            Request::post(url(addr, "/")).body(Full::from(body.clone())).expect("a request");
        let response = client.request(request).await.expect("it answers");
        let back = response.into_body().collect().await.expect("it ends").to_bytes();
        assert!(back[0] == b'/' && back[1..] == body[..]);
    });
}

#[test]
fn a_url_with_https_is_refused_in_so_many_words() {
    for_each_flavour(async || {
        let client = kasasagi_http::client::<Empty<Bytes>>();
        let url = Uri::from_static("https://127.0.0.1/");
        let error = client.get(url).await.expect_err("there is no TLS");
        assert!(root(&error).contains("https is not supported"), "{}", root(&error));
    });
}

#[test]
fn an_error_names_the_address() {
    for_each_flavour(async || {
        let (listener, addr) = listener().await;
        drop(listener);
        let client = kasasagi_http::client::<Empty<Bytes>>();
        let error = client.get(url(addr, "/")).await.expect_err("nobody listens");
        let chain: &dyn Error = &error;
        let io = chain.source().expect("the connector's error").to_string();
        assert!(io.starts_with(&format!("connect to {addr}: Connection refused")), "{io}");
    });
}
