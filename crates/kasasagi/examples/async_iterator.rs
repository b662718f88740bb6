//! A stream by hand, and the same from an `async` block.
//!
//! ```sh
//! cargo run --example async_iterator
//! ```

use futures_util::{Stream, StreamExt};
use kasasagi::{stream, time};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

/// By hand: what is there at once.
struct Countdown(u32);

impl Stream for Countdown {
    type Item = u32;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<u32>> {
        let now = self.0;
        self.0 = now.saturating_sub(1);
        Poll::Ready((now > 0).then_some(now))
    }
}

/// Says when it is dropped.
struct Connection;

impl Drop for Connection {
    fn drop(&mut self) {
        println!("connection closed");
    }
}

fn pages() -> impl Stream<Item = String> {
    stream::from_fn(|y| async move {
        let _connection = Connection;
        for n in 1.. {
            time::sleep(Duration::from_millis(10)).await;
            y.emit(format!("page {n}")).await;
        }
    })
}

fn main() {
    kasasagi::run(async {
        println!("{:?}", Countdown(3).collect::<Vec<_>>().await);

        // An endless generator: who has seen enough leaves, and its guards run at once.
        println!("{:?}", pages().take(2).collect::<Vec<_>>().await);

        let mut pages = pin!(pages());
        while let Some(page) = pages.next().await {
            println!("{page}");
            if page.ends_with('3') {
                break;
            }
        }

        // A task for each item, two at a time.
        stream::for_each_concurrent(Countdown(4), 2, |n| async move {
            time::sleep(Duration::from_millis(10)).await;
            println!("done: {n}");
        })
        .await;
    });
}
