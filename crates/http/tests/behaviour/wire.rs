use crate::flavour::{echo, for_each_flavour, listener};
use futures_util::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use hyper::service::service_fn;
use kasasagi::net::TcpStream;
use kasasagi_http::{Io, Timer};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

/// A stream that remembers how many bytes each write took.
struct Recorder {
    stream: TcpStream,
    writes: Arc<Mutex<Vec<usize>>>,
}

impl Recorder {
    fn record(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(n)) = written {
            self.writes.lock().expect("nobody panics with it").push(n);
        }
        written
    }
}

impl AsyncRead for Recorder {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Recorder {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.record(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.record(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }
}

/// One system call, one segment: two would cost 40 ms where the peer delays its acknowledgement. And a peer
/// that reads to the end gets there, since closing shuts the writing side down.
#[test]
fn head_and_body_leave_in_one_write_and_the_end_follows() {
    for_each_flavour(async || {
        let (listener, addr) = listener().await;
        let writes = Arc::new(Mutex::new(Vec::new()));
        let theirs = Arc::clone(&writes);
        let server = kasasagi::spawn(async move {
            let (stream, _) = listener.accept().await.expect("a client comes");
            let recorder = Recorder { stream, writes: theirs };
            let mut http = hyper::server::conn::http1::Builder::new();
            http.timer(Timer::new()).serve_connection(Io::new(recorder), service_fn(echo)).await
        });
        let mut client = TcpStream::connect(addr).await.expect("it listens");
        let request =
            b"GET /the-body-of-the-answer HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        AsyncWriteExt::write_all(&mut client, request).await.expect("connected");
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.expect("it ends");
        assert!(answer.ends_with("\r\n\r\n/the-body-of-the-answer"), "{answer}");
        server.await.expect("no panic").expect("no error");
        assert_eq!(*writes.lock().expect("nobody panics with it"), [answer.len()]);
    });
}

#[test]
fn a_malformed_request_is_answered_with_400() {
    for_each_flavour(async || {
        let addr = crate::flavour::echo_server().await;
        let mut client = TcpStream::connect(addr).await.expect("it listens");
        AsyncWriteExt::write_all(&mut client, b"what is this\r\n\r\n").await.expect("connected");
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.expect("it ends");
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    });
}
