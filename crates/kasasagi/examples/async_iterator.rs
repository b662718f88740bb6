//! An asynchronous generator, and tasks for the items of a stream: `async for` of asyncio.
//!
//! Run with `cargo run --example async_iterator`.

use futures_util::{Stream, StreamExt};
use kasasagi::stream;
use kasasagi::time::{Duration, sleep};

/// Said when the generator is gone, however its consumer left.
struct Closed;

impl Drop for Closed {
    fn drop(&mut self) {
        println!("the generator is closed");
    }
}

fn counter(to: u32) -> impl Stream<Item = u32> + Unpin {
    stream::from_fn(move |y| async move {
        let _closed = Closed;
        for i in 1..=to {
            sleep(Duration::from_millis(1)).await;
            y.emit(i).await;
        }
    })
}

fn main() {
    kasasagi::run(async {
        let mut numbers = counter(3);
        while let Some(i) = numbers.next().await {
            println!("{i}");
        }

        // Whoever stops early drops the generator, and what it owns.
        let mut numbers = counter(1_000);
        println!("the first of many: {:?}", numbers.next().await);
        drop(numbers);

        // Four at a time, as tasks; the outputs in the order of the stream.
        let squares = stream::buffered(counter(8).map(|i| async move { i * i }), 4);
        let squares: Vec<u32> = squares.map(|square| square.expect("it ends")).collect().await;
        println!("{squares:?}");
    });
}
