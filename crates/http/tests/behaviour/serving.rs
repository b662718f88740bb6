use crate::flavour::{for_each_flavour, listener};
use futures_util::{AsyncReadExt, AsyncWriteExt};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use kasasagi::net::TcpStream;
use kasasagi::{spawn, time};
use std::convert::Infallible;
use std::io::ErrorKind;
use std::sync::{Arc, Mutex};
use std::time::Duration;

type Gate = futures_util::future::Shared<futures_channel::oneshot::Receiver<()>>;

/// A service whose answer waits for a gate, and which says when it has a request.
async fn wait_for(
    gate: Gate,
    entered: Arc<Mutex<Option<futures_channel::oneshot::Sender<()>>>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    if let Some(entered) = entered.lock().expect("nobody panics with it").take() {
        let _ = entered.send(());
    }
    let _ = gate.await;
    Ok(Response::new(Full::from("late")))
}

#[test]
fn a_stop_lets_the_request_under_way_end_and_refuses_new_ones() {
    use futures_util::FutureExt;
    for_each_flavour(async || {
        let (listener, addr) = listener().await;
        let (open, gate) = futures_channel::oneshot::channel();
        let (enter, entered) = futures_channel::oneshot::channel();
        let (stop, stopping) = futures_channel::oneshot::channel::<()>();
        let (gate, enter) = (gate.shared(), Arc::new(Mutex::new(Some(enter))));
        let service = service_fn(move |_: Request<Incoming>| wait_for(gate.clone(), enter.clone()));
        let server =
            spawn(kasasagi_http::serve(listener, service).until(async { _ = stopping.await }));
        let mut idle = TcpStream::connect(addr).await.expect("it listens");
        let mut busy = TcpStream::connect(addr).await.expect("it listens");
        AsyncWriteExt::write_all(&mut busy, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            .await
            .expect("sent");
        entered.await.expect("the service gets it");
        stop.send(()).expect("the server waits for it");
        let mut nothing = Vec::new();
        idle.read_to_end(&mut nothing).await.expect("an idle connection is closed at once");
        let refused = TcpStream::connect(addr).await.expect_err("the listener is closed");
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        open.send(()).expect("the service waits for it");
        let mut answer = String::new();
        busy.read_to_string(&mut answer).await.expect("the answer, then the end");
        assert!(answer.ends_with("late"), "{answer}");
        let stopped = server.await.expect("no panic").expect("the listener was sound");
        assert_eq!(stopped.cut, 0);
    });
}

#[test]
fn what_is_still_busy_after_the_grace_is_cut() {
    for_each_flavour(async || {
        let (listener, addr) = listener().await;
        let (enter, entered) = futures_channel::oneshot::channel();
        let enter = Arc::new(Mutex::new(Some(enter)));
        let service = service_fn(move |_: Request<Incoming>| {
            if let Some(enter) = enter.lock().expect("nobody panics with it").take() {
                let _ = enter.send(());
            }
            std::future::pending::<Result<Response<Full<Bytes>>, Infallible>>()
        });
        let server = kasasagi_http::serve(listener, service).grace(Duration::from_millis(5));
        let server = spawn(server.until(async { _ = entered.await }));
        let mut client = TcpStream::connect(addr).await.expect("it listens");
        AsyncWriteExt::write_all(&mut client, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            .await
            .expect("sent");
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.expect("it is cut");
        assert!(answer.is_empty());
        assert_eq!(server.await.expect("no panic").expect("the listener was sound").cut, 1);
    });
}

#[test]
fn a_head_that_does_not_come_is_waited_for_no_longer_than_said() {
    for_each_flavour(async || {
        let (listener, addr) = listener().await;
        let server = kasasagi_http::serve(listener, service_fn(crate::flavour::echo));
        drop(spawn(server.head_timeout(Duration::from_millis(20)).run()));
        let mut client = TcpStream::connect(addr).await.expect("it listens");
        AsyncWriteExt::write_all(&mut client, b"GET / HT").await.expect("sent");
        let began = time::now();
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.expect("it is closed");
        assert!(time::now() - began < Duration::from_secs(10));
    });
}
