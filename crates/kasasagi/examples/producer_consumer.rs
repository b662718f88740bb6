//! Producers, consumers, and a queue between them that knows when all is done: `asyncio.Queue` with `join`.
//!
//! Two producers make five items each. Three consumers go round for ever; each item is done when its guard is dropped,
//! which is what `task_done` in a `finally` is for. When the producers have ended and `join` has returned, nothing is
//! left in the queue or in anybody's hands, and the consumers are cancelled.
//!
//! ```sh
//! cargo run --example producer_consumer
//! ```

use kasasagi::sync::Queue;
use kasasagi::{FutureExt, Runtime, Task, gather, spawn, time};
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

const PRODUCERS: u32 = 2;
const EACH: u32 = 5;
const CONSUMERS: u32 = 3;

#[derive(Clone, Copy)]
struct Item {
    producer: u32,
    number: u32,
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.producer, self.number)
    }
}

fn ms(n: u32) -> Duration {
    Duration::from_millis(n.into())
}

async fn produce(queue: Queue<Item>, producer: u32) {
    for number in 0..EACH {
        // No two take the same time.
        time::sleep(ms(100 + 70 * producer + 30 * number)).await;
        let item = Item { producer, number };
        queue.put(item).await.expect("nobody shuts it down");
        println!("producer {producer}: {item}; {} in the queue", queue.len());
    }
}

async fn consume(queue: Queue<Item>, consumer: u32, done: Arc<AtomicU32>) {
    // Ends when it is cancelled, or when the queue is shut down.
    while let Ok(item) = queue.get_guarded().await {
        println!("    consumer {consumer}: begins {}", *item);
        time::sleep(ms(150 + 90 * consumer)).await;
        println!("    consumer {consumer}: done  {}", *item);
        done.fetch_add(1, Ordering::Relaxed);
        // Here the guard goes, and the item is done; so it would be if this task were cancelled or panicked above.
    }
}

async fn program() -> Result<(), Box<dyn Error + Send + Sync>> {
    let queue = Queue::bounded(10);
    let done = Arc::new(AtomicU32::new(0));

    let consumers: Vec<Task<()>> = (0..CONSUMERS)
        .map(|n| {
            let consumer = consume(queue.clone(), n, Arc::clone(&done));
            spawn(consumer.named(format!("consumer {n}")))
        })
        .collect();
    for produced in gather((0..PRODUCERS).map(|n| produce(queue.clone(), n))).await {
        produced?;
    }
    println!("all are put, {} not done yet", queue.unfinished());

    queue.join().await;
    println!("all are done");
    assert_eq!((queue.len(), queue.unfinished()), (0, 0));
    assert_eq!(done.load(Ordering::Relaxed), PRODUCERS * EACH);

    // They wait for more, which never comes. `queue.shutdown(false)` would end them as well.
    for consumer in &consumers {
        consumer.cancel();
    }
    for ended in gather(consumers).await {
        assert!(ended.is_err_and(|error| error.is_cancelled()));
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    // Time is virtual: it prints the same each time, at once.
    let runtime = Runtime::builder().current_thread().virtual_time().build()?;
    runtime.run(program())?
}
