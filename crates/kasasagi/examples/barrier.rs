//! Going on together: a barrier between the phases of a computation.
//!
//! Cells on a ring, each a task: every round each becomes the mean of its neighbours, as they were the round before. So
//! nobody may write before all have read, and nobody may read before all have written.
//!
//! ```sh
//! cargo run --example barrier
//! ```

use kasasagi::spawn;
use kasasagi::sync::{Barrier, Broken};
use std::error::Error;
use std::sync::{Arc, Mutex};

const CELLS: usize = 8;
const ROUNDS: usize = 50;

struct Ring {
    cells: [Mutex<f64>; CELLS],
    barrier: Barrier,
}

impl Ring {
    fn read(&self, cell: usize) -> f64 {
        *self.cells[cell % CELLS].lock().expect("nobody panics with it")
    }
}

async fn live(ring: Arc<Ring>, cell: usize) -> Result<(), Broken> {
    for round in 0..ROUNDS {
        let next = (ring.read(cell + CELLS - 1) + ring.read(cell) + ring.read(cell + 1)) / 3.0;
        // All have read; each gets a number, and one of them may do what is to be done once.
        ring.barrier.wait().await?;
        *ring.cells[cell].lock().expect("nobody panics with it") = next;
        if ring.barrier.wait().await? == 0 && round % 10 == 0 {
            let all: Vec<_> = (0..CELLS).map(|cell| format!("{:5.2}", ring.read(cell))).collect();
            println!("round {round:>2}: {}", all.join(" "));
        }
        // He who prints reads; the others wait until he has.
        ring.barrier.wait().await?;
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    kasasagi::run(async {
        let cells = std::array::from_fn(|cell| Mutex::new(if cell == 0 { 80.0 } else { 0.0 }));
        let ring = Arc::new(Ring { cells, barrier: Barrier::new(CELLS) });
        let tasks: Vec<_> = (0..CELLS).map(|cell| spawn(live(Arc::clone(&ring), cell))).collect();
        for task in tasks {
            task.await??;
        }
        let sum: f64 = (0..CELLS).map(|cell| ring.read(cell)).sum();
        assert!((sum - 80.0).abs() < 1e-6, "warmth is not lost");

        // One fails before it gets there: it breaks the barrier, so that the others do not wait for ever.
        let waiter = spawn({
            let ring = Arc::clone(&ring);
            async move { ring.barrier.wait().await }
        });
        ring.barrier.abort();
        println!("aborted: {}", waiter.await?.expect_err("it is broken"));
        ring.barrier.reset();
        assert!(!ring.barrier.broken());
        Ok(())
    })
}
