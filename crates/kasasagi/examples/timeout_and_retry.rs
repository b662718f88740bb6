//! Limits the time of each attempt, waits longer after each failure, and gives up in the end.
//!
//! A timeout drops the future where it waits. So what is given to it has to bear that: a read that is dropped has
//! taken nothing, and a connection that is dropped is closed.
//!
//! ```sh
//! cargo run --example timeout_and_retry
//! ```

use kasasagi::net::{TcpListener, TcpStream};
use kasasagi::{spawn, time};
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

const ATTEMPTS: u32 = 5;
const PATIENCE: Duration = Duration::from_millis(50);

fn main() -> io::Result<()> {
    kasasagi::run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let server = spawn(answer_the_third(listener));

        let start = Instant::now();
        let answer = fetch(address).await?;
        println!("`{answer}` after {:.0?}", start.elapsed());

        server.await.map_err(io::Error::other)?
    })
}

/// Asks until there is an answer.
async fn fetch(address: SocketAddr) -> io::Result<String> {
    let mut pause = Duration::from_millis(10);
    for attempt in 1..=ATTEMPTS {
        match time::timeout(PATIENCE, ask(address)).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => println!("attempt {attempt} failed: {error}"),
            Err(elapsed) => println!("attempt {attempt}: {elapsed}"),
        }
        time::sleep(pause).await;
        pause *= 2;
    }
    Err(io::Error::new(io::ErrorKind::TimedOut, format!("no answer in {ATTEMPTS} attempts")))
}

async fn ask(address: SocketAddr) -> io::Result<String> {
    let stream = TcpStream::connect(address).await?;
    let mut answer = [0; 7];
    stream.read_exact(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Keeps the first waiting, turns the second away, and answers the third.
async fn answer_the_third(listener: TcpListener) -> io::Result<()> {
    let (_first, _) = listener.accept().await?;
    let (second, _) = listener.accept().await?;
    drop(second);
    let (third, _) = listener.accept().await?;
    third.write_all(b"at last").await
}
