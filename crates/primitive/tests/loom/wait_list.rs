//! Waiters that come, are served and go.

use kasasagi_primitive::explore::explore;
use kasasagi_primitive::park::{Parker, Unparker};
use kasasagi_primitive::sync::{Arc, Mutex};
use kasasagi_primitive::thread;
use kasasagi_primitive::wait_list::{Place, Turn, WaitList, Waiter};
use std::pin::{Pin, pin};
use std::task::Waker;

/// The least primitive there is: tokens, and a line of those who want one.
struct Tokens {
    lock: Mutex<(usize, WaitList<()>)>,
}

impl Tokens {
    fn new() -> Arc<Self> {
        Arc::new(Self { lock: Mutex::new((0, WaitList::new())) })
    }

    fn give(&self) {
        let waker = {
            let mut state = self.lock.lock();
            let waker = state.1.pop_front();
            if waker.is_none() {
                state.0 += 1;
            }
            waker
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn poll(&self, mut waiter: Pin<&mut Waiter<()>>, waker: &Waker) -> bool {
        let mut state = self.lock.lock();
        if !waiter.is_out() {
            return matches!(state.1.poll(waiter.as_mut(), waker), Turn::Served(()));
        }
        if state.0 > 0 {
            state.0 -= 1;
            return true;
        }
        state.1.push_back(waiter, waker.clone());
        false
    }

    fn leave(&self, waiter: Pin<&mut Waiter<()>>) {
        if waiter.is_out() {
            return;
        }
        let place = self.lock.lock().1.remove(waiter);
        if matches!(place, Place::Served(())) {
            self.give();
        }
    }
}

fn waker_of(unparker: Unparker) -> Waker {
    unparker.into_waker()
}

fn take(tokens: &Tokens) {
    let parker = Parker::new();
    let waker = waker_of(parker.unparker());
    let mut waiter = pin!(Waiter::new(()));
    while !tokens.poll(waiter.as_mut(), &waker) {
        parker.park();
    }
}

/// Race: a waiter is served while it leaves, with another behind it. The token must go to the other, in whichever
/// order the two happen, and no node may be touched after its future is gone.
///
/// Mutation `primitive-wait-list-grant-lost`: a served waiter that is removed is told to have been in line, and so its
/// token is lost: the other waits for ever.
#[test]
fn wait_list_loses_no_token_when_a_waiter_leaves() {
    explore("wait_list_loses_no_token_when_a_waiter_leaves", || {
        let tokens = Tokens::new();
        let giver = {
            let tokens = Arc::clone(&tokens);
            thread::spawn(move || tokens.give())
        };
        let other = {
            let tokens = Arc::clone(&tokens);
            thread::spawn(move || take(&tokens))
        };
        let got = {
            let mut waiter = pin!(Waiter::new(()));
            let got = tokens.poll(waiter.as_mut(), Waker::noop());
            tokens.leave(waiter.as_mut());
            got
        };
        if got {
            tokens.give();
        }
        giver.join().expect("the giver does not panic");
        other.join().expect("the other gets the token");
        assert_eq!(tokens.lock.lock().0, 0);
        assert!(tokens.lock.lock().1.is_empty());
    });
}

/// Race: two waiters come while two tokens are given.
///
/// Mutation `primitive-wait-list-not-marked`: `pop_front` does not mark the node as served: it waits for ever.
/// Mutation `primitive-wait-list-early-out`: `push_back` does not join the new node to the one before: it is lost.
#[test]
fn wait_list_serves_everybody_once() {
    explore("wait_list_serves_everybody_once", || {
        let tokens = Tokens::new();
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let tokens = Arc::clone(&tokens);
                thread::spawn(move || take(&tokens))
            })
            .collect();
        tokens.give();
        tokens.give();
        for thread in threads {
            thread.join().expect("everybody gets a token");
        }
        assert_eq!(tokens.lock.lock().0, 0);
        assert!(tokens.lock.lock().1.is_empty());
    });
}
