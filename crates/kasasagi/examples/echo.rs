//! A server that sends back what it reads, and three clients; it ends when they have gone.
//!
//! ```sh
//! cargo run --example echo
//! ```

use kasasagi::net::{TcpListener, TcpStream};
use kasasagi::{FutureExt, spawn};
use std::io;
use std::net::SocketAddr;

fn main() -> io::Result<()> {
    kasasagi::run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        println!("listening at {address}");
        // Dropped or cancelled, the server ends where it waits; `run` sees to that at the latest.
        let server = spawn(serve(listener).named("server"));

        let clients: Vec<_> = ["one for sorrow", "two for joy", "three for a girl"]
            .map(|line| spawn(say(address, line).named(line)))
            .into();
        for client in clients {
            let name = client.name();
            let answer = client.await.map_err(io::Error::other)??;
            println!("{name}: {answer}");
        }
        server.cancel();
        Ok(())
    })
}

async fn serve(listener: TcpListener) -> io::Result<()> {
    loop {
        let (stream, peer) = listener.accept().await?;
        // A task for each connection: one that is slow, or fails, holds up nobody.
        drop(spawn(
            async move {
                if let Err(error) = echo(stream).await {
                    eprintln!("{peer}: {error}");
                }
            }
            .named(peer),
        ));
    }
}

async fn echo(stream: TcpStream) -> io::Result<()> {
    let mut buffer = vec![0; 4096];
    loop {
        match stream.read(&mut buffer).await? {
            0 => return Ok(()),
            n => stream.write_all(&buffer[..n]).await?,
        }
    }
}

async fn say(address: SocketAddr, line: &str) -> io::Result<String> {
    let stream = TcpStream::connect(address).await?;
    stream.write_all(line.as_bytes()).await?;
    let mut back = vec![0; line.len()];
    stream.read_exact(&mut back).await?;
    Ok(String::from_utf8_lossy(&back).into_owned())
}
