//! A server and its clients, connections that are reset, dropped and outlive their runtime, all of which are gone when
//! `main` returns. A program of its own, so that valgrind sees nothing but the runtime: `.ci/valgrind`.

use futures_util::io::{AsyncReadExt, AsyncWriteExt};
use kasasagi::net::{TcpListener, TcpStream, lookup_host};
use kasasagi::task::all;
use kasasagi::time::timeout;
use kasasagi::{Runtime, spawn, yield_now};
use std::io;
use std::time::Duration;

async fn answer(stream: TcpStream) -> io::Result<()> {
    let (mut reader, mut writer) = AsyncReadExt::split(stream);
    futures_util::io::copy(&mut reader, &mut writer).await?;
    writer.close().await
}

async fn exchange(mut stream: TcpStream, size: usize) -> io::Result<()> {
    let payload: Vec<u8> = (0..size).map(|i| i as u8).collect();
    let mut back = vec![0; size];
    for _ in 0..5 {
        AsyncWriteExt::write_all(&mut stream, &payload).await?;
        AsyncReadExt::read_exact(&mut stream, &mut back).await?;
        assert_eq!(back, payload);
    }
    Ok(())
}

/// Returns a connection that outlives the runtime.
async fn main_of() -> io::Result<TcpStream> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            drop(spawn(answer(stream)));
        }
    });
    let clients: Vec<_> = (0..10)
        .map(|n| {
            spawn(async move { exchange(TcpStream::connect(address).await?, 100 * (n + 1)).await })
        })
        .collect();
    for client in clients {
        client.await.expect("a client does not panic")?;
    }
    // One that is reset, one that is dropped while it waits, one that nobody answers.
    let reset = TcpStream::connect(address).await?;
    reset.set_linger(Some(Duration::ZERO))?;
    drop(reset);
    let waiting = TcpStream::connect(address).await?;
    let wait = spawn(async move {
        let mut waiting = waiting;
        AsyncReadExt::read(&mut waiting, &mut [0]).await
    });
    let id = wait.id();
    let waits = || all().iter().any(|task| task.id == id && task.wait.is_some());
    while !waits() {
        yield_now().await;
    }
    wait.cancel();
    assert!(wait.await.is_err_and(|error| error.is_cancelled()));
    let deaf = std::net::TcpListener::bind("127.0.0.1:0")?;
    let mut unanswered = TcpStream::connect(deaf.local_addr()?).await?;
    let limit = Duration::from_millis(5);
    assert!(timeout(limit, AsyncReadExt::read(&mut unanswered, &mut [0])).await.is_err());
    assert!(!lookup_host("localhost:80").await?.is_empty());
    let last = TcpStream::connect(address).await?;
    server.cancel();
    Ok(last)
}

fn main() {
    for workers in [1, 2] {
        let runtime = Runtime::builder().workers(workers).build().expect("a runtime can be built");
        let last = runtime.run(main_of()).expect("main ends").expect("the system has sockets");
        let report = runtime.shutdown(Duration::from_secs(60));
        assert!(report.is_clean(), "{report}");
        drop(last);
    }
    println!("sockets: all closed");
}
