//! Models of attending: interrupts that are folded into one, and a look that sees their edge first.

use super::*;
use crate::io::poller::Traits;
use kasasagi_primitive::explore::explore;
use kasasagi_primitive::sync::Condvar;
use kasasagi_primitive::sync::atomic::{AtomicUsize, Ordering};
use kasasagi_primitive::thread;
use std::io;
use std::os::fd::BorrowedFd;

/// An edge-triggered eventfd: a wait ends when there were writes since the last one that saw some.
#[derive(Default)]
struct Edges {
    writes: Mutex<(usize, usize)>,
    written: Condvar,
}

struct Hand(Arc<Edges>);

impl Registrar for Hand {
    fn add(&self, _: BorrowedFd<'_>, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn arm(&self, _: BorrowedFd<'_>, _: u64, _: bool, _: bool) -> io::Result<()> {
        Ok(())
    }

    fn delete(&self, _: BorrowedFd<'_>) -> io::Result<()> {
        Ok(())
    }

    fn notify(&self) -> io::Result<()> {
        self.0.writes.lock().0 += 1;
        self.0.written.notify_all();
        Ok(())
    }

    fn traits(&self) -> Traits {
        Traits { hangups: true, oneshot: false }
    }
}

struct Wait(Arc<Edges>);

impl Harvester for Wait {
    fn wait(&mut self, patience: Patience, _: usize, _: &mut Vec<Event>) -> io::Result<()> {
        let mut writes = self.0.writes.lock();
        while matches!(patience, Patience::Forever) && writes.0 == writes.1 {
            self.0.written.wait(&mut writes);
        }
        writes.1 = writes.0;
        Ok(())
    }
}

fn sources() -> (Arc<Shared>, Arc<Edges>) {
    let edges = Arc::new(Edges::default());
    let poller: Poller = (Box::new(Hand(Arc::clone(&edges))), Box::new(Wait(Arc::clone(&edges))));
    (Arc::new(Shared::new(poller)), edges)
}

/// Whatever is done before an interrupt is seen by a thread that attends until it sees it; two interrupts may
/// cost one write, and are both heard.
///
/// Mutation `reactor-interrupt-not-taken`: the flag stays up after a wait, and swallows the next interrupt.
#[test]
fn loom_rct_09_interrupts_are_folded_and_not_lost() {
    explore("rct_09_interrupts_are_folded_and_not_lost", || {
        let (sources, edges) = sources();
        let done = Arc::new(AtomicUsize::new(0));
        let threads = [0, 1].map(|_| {
            let (sources, done) = (Arc::clone(&sources), Arc::clone(&done));
            thread::spawn(move || {
                done.fetch_add(1, Ordering::Relaxed);
                sources.interrupt();
            })
        });
        while done.load(Ordering::Relaxed) < 2 {
            sources.attend(64, || Patience::Forever);
        }
        threads.into_iter().for_each(|thread| thread.join().expect("interrupting does not panic"));
        assert!(edges.writes.lock().0 <= 2);
    });
}

/// A look may use up the edge of an interrupt: the next to attend comes back all the same.
///
/// Mutation `reactor-interrupt-unseen`: who attends does not look at the flag before it waits.
#[test]
fn loom_rct_09_a_look_does_not_swallow_an_interrupt() {
    explore("rct_09_a_look_does_not_swallow_an_interrupt", || {
        let (sources, _) = sources();
        let done = Arc::new(AtomicUsize::new(0));
        let looking = {
            let sources = Arc::clone(&sources);
            thread::spawn(move || sources.look(64))
        };
        let interrupting = {
            let (sources, done) = (Arc::clone(&sources), Arc::clone(&done));
            thread::spawn(move || {
                done.fetch_add(1, Ordering::Relaxed);
                sources.interrupt();
            })
        };
        while done.load(Ordering::Relaxed) < 1 {
            sources.attend(64, || Patience::Forever);
        }
        looking.join().expect("looking does not panic");
        interrupting.join().expect("interrupting does not panic");
    });
}
