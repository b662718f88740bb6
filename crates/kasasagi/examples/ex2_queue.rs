//! Exercise: a producer, consumers and a queue with ten places, in a task group; and the proof that the queue holds the
//! producer back. The consumers go round for ever, and are cancelled once everything is done.
//!
//! The queue is fair: items go to consumers in the order in which they asked.
//!
//! ```sh
//! cargo run --example ex2_queue
//! ```

use kasasagi::sync::{Closed, Queue};
use kasasagi::{FutureExt, Runtime, TaskGroup, promise, time};
use std::error::Error;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const ITEMS: u32 = 100;
/// Of all items: where it is reached, all were consumed.
const SUM: u32 = ITEMS * (ITEMS + 1) / 2;
const PLACES: usize = 10;

async fn program() -> Result<(), Box<dyn Error + Send + Sync>> {
    let start = time::now();
    let queue = Queue::bounded(PLACES);
    let (all_done, done) = promise::<u32, String>();
    let tally = Arc::new(Mutex::new((0_u32, Some(all_done))));

    let group = TaskGroup::<Closed>::scope(|tg| async move {
        for name in ["a", "b"] {
            let (queue, tally) = (queue.clone(), Arc::clone(&tally));
            let consumer = async move {
                while let Ok(item) = queue.get().await {
                    time::sleep(Duration::from_millis(20)).await;
                    let mut tally = tally.lock().expect("nobody panics with it");
                    tally.0 += item;
                    if tally.0 == SUM {
                        let done = tally.1.take().expect("there is one last item");
                        done.set_result(tally.0).expect("the body waits for it");
                    }
                }
            };
            tg.spawn(consumer.named(format!("consumer {name}")));
        }

        let producer = async move {
            let (mut waited, mut most) = (0, 0);
            for item in 1..=ITEMS {
                time::sleep(Duration::from_millis(1)).await;
                let before = time::now();
                queue.put(item).await?;
                most = most.max(queue.len());
                waited += u32::from(time::now() > before);
            }
            let took = time::now() - start;
            println!(
                "produced {ITEMS} items in {took:?}; waited {waited} times; most inside: {most}"
            );
            assert_eq!(most, PLACES, "it runs ahead as far as there is room");
            assert!(took > 8 * Duration::from_millis(ITEMS.into()), "the queue holds it back");
            Ok(())
        };
        // If a child fails, this is cancelled, and so is everything else.
        let _ = tg.spawn(producer.named("producer")).await;

        // The last item is done: nobody needs the consumers any more.
        let sum = done.await;
        tg.cancel();
        Ok(sum)
    });
    let sum = group.await??;
    println!("consumed after {:?}; the sum is {sum}", time::now() - start);
    Ok(())
}

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let runtime = Runtime::builder().current_thread().virtual_time().build()?;
    runtime.run(program())?
}
