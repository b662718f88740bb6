//! Peers that do not behave: that reset, stop half way, do not listen, or come all at once.

use crate::echo::{Notes, limited, serve, with_runtime};
use crate::outcome::{Outcome, Settings};
use futures_util::io::AsyncReadExt;
use kasasagi::net::{ListenOptions, TcpListener, TcpStream};
use kasasagi::{spawn, yield_now};
use std::io;
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(5);

/// Runs `peer` for each of `n` numbers against the echo server, all at once.
fn against<F>(settings: &Settings, n: u64, peer: impl Fn(u64, SocketAddr) -> F) -> Outcome
where
    F: Future<Output = io::Result<Outcome>> + Send + 'static,
{
    let notes = Arc::new(Notes::default());
    let main = async {
        let mut all = Outcome { wanted: n, ..Outcome::default() };
        let options = ListenOptions::new().backlog(settings.number("backlog", 4096) as u32);
        let listener = TcpListener::bind_with(("127.0.0.1", 0), &options).await?;
        let address = listener.local_addr()?;
        let idle = settings.time("idle_ms", 5000);
        let server = spawn(serve(listener, idle, Arc::clone(&notes)));
        let peers: Vec<_> = (0..n).map(|i| spawn(peer(i, address))).collect();
        for peer in peers {
            match peer.await.expect("a peer does not panic") {
                Ok(outcome) => {
                    all.done += 1;
                    all.add(outcome);
                }
                Err(error) => {
                    all.lost += 1;
                    all.error("peer", &error);
                }
            }
        }
        // The answers to peers that went away end too.
        let gone = async {
            while kasasagi::task::all().len() > 2 {
                kasasagi::time::sleep(Duration::from_millis(1)).await;
            }
            Ok(())
        };
        if limited(LIMIT, gone).await.is_err() {
            all.fail("the server does not see that its peers have gone");
        }
        server.cancel();
        Ok::<_, io::Error>(all)
    };
    let result = with_runtime(settings, &notes, main);
    let mut outcome = notes.take();
    match result {
        Some(Ok(peers)) => outcome.add(peers),
        Some(Err(error)) => outcome.error("bind", &error),
        None => {}
    }
    outcome
}

/// Peers that write, and reset the connection: at once, or after they have read a part.
pub(crate) fn resets(settings: &Settings) -> Outcome {
    against(settings, settings.number("n", 100), |i, address| async move {
        let stream = limited(LIMIT, TcpStream::connect(address)).await?;
        limited(LIMIT, stream.write_all(&[7; 4096])).await?;
        if i % 2 == 0 {
            limited(LIMIT, stream.read_exact(&mut [0; 100])).await?;
        } else if i % 3 == 0 {
            yield_now().await;
        }
        stream.set_linger(Some(Duration::ZERO))?;
        drop(stream);
        Ok(Outcome { injected: 1, ..Outcome::default() })
    })
}

/// Peers that end their direction with the request, and read the answer and the end.
pub(crate) fn half_close(settings: &Settings) -> Outcome {
    against(settings, settings.number("n", 100), |_, address| async move {
        let mut stream = limited(LIMIT, TcpStream::connect(address)).await?;
        limited(LIMIT, stream.write_all(&[7; 4096])).await?;
        stream.shutdown(Shutdown::Write)?;
        let mut back = Vec::new();
        limited(LIMIT, stream.read_to_end(&mut back)).await?;
        let whole = back.len() == 4096 && back.iter().all(|byte| *byte == 7);
        let outcome = Outcome { injected: 1, ..Outcome::default() };
        if whole { Ok(outcome) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    })
}

/// Peers that ask for more and more and read nothing: the server's writes wait, until its patience ends.
pub(crate) fn deaf(settings: &Settings) -> Outcome {
    against(settings, settings.number("n", 8), |_, address| async move {
        let stream = limited(LIMIT, TcpStream::connect(address)).await?;
        let chunk = vec![7; 64 * 1024];
        loop {
            // Ends when the server has closed the connection.
            if limited(LIMIT, stream.write_all(&chunk)).await.is_err() {
                return Ok(Outcome { injected: 1, ..Outcome::default() });
            }
        }
    })
}

/// More peers at once than the queue of the listener takes.
pub(crate) fn backlog(settings: &Settings) -> Outcome {
    against(settings, settings.number("n", 200), |_, address| async move {
        let stream = limited(LIMIT, TcpStream::connect(address)).await?;
        limited(LIMIT, stream.write_all(b"hello")).await?;
        limited(LIMIT, stream.read_exact(&mut [0; 5])).await?;
        Ok(Outcome { injected: 1, ..Outcome::default() })
    })
}
