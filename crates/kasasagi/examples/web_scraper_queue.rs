//! A scraper that finds its own work: each page holds links, which go into the queue it came from.
//!
//! Three things go wrong in such programs, and do not here:
//!
//! - *A page is fetched twice*, when two workers look into the set of visited pages before either writes. Looking and
//!   writing is one step here, `insert`, under one lock; and it is done before a page is put, so the queue holds none
//!   twice either.
//! - *The end is missed*: an empty queue means nothing while somebody may still put. `join` counts what is in anybody's
//!   hands, and a page is done only after its links were put.
//! - *All wait for ever*, when workers put into a bounded queue that only they empty. Who feeds his own queue takes one
//!   without a bound; how many pages are fetched at a time is bounded by the number of workers.
//!
//! ```sh
//! cargo run --example web_scraper_queue
//! ```

use kasasagi::sync::Queue;
use kasasagi::{FutureExt, Runtime, TaskGroup, time};
use std::collections::HashSet;
use std::convert::Infallible;
use std::error::Error;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const WORKERS: u32 = 3;
/// Pages of the site; each links to four others, and so all are found again and again.
const PAGES: u64 = 60;

type Page = u64;

/// What a program would do with an HTTP client; one page is broken.
async fn fetch(page: Page) -> Result<Vec<Page>, String> {
    time::sleep(Duration::from_millis(20 + page % 7)).await;
    if page == 13 {
        return Err(format!("https://example.org/{page}: 500 Internal Server Error"));
    }
    Ok([page * 2 + 1, page * 2 + 2, page + 1, page * 3].map(|next| next % PAGES).into())
}

#[derive(Default)]
struct Visited(Mutex<HashSet<Page>>);

impl Visited {
    /// Whether it is new; and from now on it is not. Two who ask at once get one `true`.
    fn claim(&self, page: Page) -> bool {
        self.0.lock().expect("nobody panics with it").insert(page)
    }

    fn len(&self) -> usize {
        self.0.lock().expect("nobody panics with it").len()
    }
}

async fn work(queue: Queue<Page>, visited: Arc<Visited>, scraped: Arc<Mutex<Vec<Page>>>) {
    // The guard is dropped at the end of each round, on both ways: the page is done then, fetched or not.
    while let Ok(page) = queue.get_guarded().await {
        match fetch(*page).await {
            Ok(links) => {
                scraped.lock().expect("nobody panics with it").push(*page);
                for link in links {
                    if visited.claim(link) && queue.put(link).await.is_err() {
                        return;
                    }
                }
            }
            Err(error) => println!("skipped {error}"),
        }
    }
}

async fn program() -> Result<(), Box<dyn Error + Send + Sync>> {
    let start = time::now();
    let (visited, scraped) = (Arc::new(Visited::default()), Arc::default());
    let queue = Queue::unbounded();
    assert!(visited.claim(0));
    queue.put(0).await?;

    let group = TaskGroup::<Infallible>::scope(|tg| {
        let (queue, visited, scraped) = (queue.clone(), Arc::clone(&visited), Arc::clone(&scraped));
        async move {
            for n in 0..WORKERS {
                let worker = work(queue.clone(), Arc::clone(&visited), Arc::clone(&scraped));
                tg.spawn(worker.named(format!("worker {n}")));
            }
            queue.join().await;
            // Nothing is left, and nobody holds a page from which links could come: the workers end by themselves.
            queue.shutdown(false);
            Ok(())
        }
    });
    group.await?;

    let mut pages = std::mem::take(&mut *scraped.lock().expect("nobody panics with it"));
    let fetched = pages.len();
    println!("scraped {fetched} unique pages of {} in {:?}", visited.len(), time::now() - start);
    pages.sort_unstable();
    pages.dedup();
    assert_eq!(pages.len(), fetched, "a page was fetched twice");
    assert_eq!((fetched, visited.len()), (59, 60), "all but the broken one");
    Ok(())
}

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    // Two workers, so that workers do meet; time is virtual, so that nobody waits.
    let runtime = Runtime::builder().workers(2).virtual_time().build()?;
    runtime.run(program())?
}
