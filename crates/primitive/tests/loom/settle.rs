//! A value that is settled once: one wins, everybody sees it whole, and the last one frees it (FUT-23).

use kasasagi_primitive::explore::explore;
use kasasagi_primitive::settle::{Note, Settle};
use kasasagi_primitive::sync::{Arc, Mutex};
use kasasagi_primitive::thread;

type Shared = Settle<Arc<u32>, Mutex<Vec<&'static str>>>;

fn pair() -> (Shared, Shared) {
    Settle::pair(|| Mutex::new(Vec::new()))
}

/// Race: two settle it, and a third looks: one of them wins, the other gets its value back, and what is seen is whole.
///
/// Mutation `primitive-settle-relaxed`: the value is published without Release: the data race is reported.
#[test]
fn settle_is_won_once() {
    explore("settle_is_won_once", || {
        let (mine, theirs) = pair();
        let looker = mine.clone();
        let other = thread::spawn(move || theirs.settle(Arc::new(1)).is_ok());
        let looker = thread::spawn(move || looker.get().map(|value| **value));
        let won = mine.settle(Arc::new(2)).is_ok();
        let other = other.join().expect("the other does not panic");
        let seen = looker.join().expect("the looker does not panic");
        assert!(won != other, "one of the two wins");
        let value = if won { 2 } else { 1 };
        assert!(seen.is_none_or(|seen| seen == value));
        assert_eq!(mine.get().map(|value| **value), Some(value));
    });
}

/// Race: one begins to listen while another settles it: it is told, or sees the value, and never neither.
///
/// Mutation `primitive-settle-note-unseen`: who settles it does not look whether somebody has noted: nobody is told.
#[test]
fn settle_meets_note() {
    explore("settle_meets_note", || {
        let (mine, theirs) = pair();
        let settler = thread::spawn(move || {
            if theirs.settle(Arc::new(7)).is_ok_and(|noted| noted) {
                let told = std::mem::take(&mut *theirs.beside().lock());
                return told.len();
            }
            0
        });
        let mut list = mine.beside().lock();
        let note = mine.note();
        if note == Note::Taken {
            list.push("me");
        }
        drop(list);
        let told = settler.join().expect("the settler does not panic");
        assert_eq!(told, usize::from(note == Note::Taken));
        assert_eq!(mine.get().map(|value| **value), Some(7));
        assert!(mine.beside().lock().is_empty());
    });
}

/// Race: three shares go at once, one of which settles it and one of which was cloned: the block is freed once, after
/// the last of them. loom reports a value that is leaked, or dropped while somebody looks at it.
///
/// Mutation `primitive-settle-alone-relaxed`: who is alone does not see what the others did before they left.
#[test]
fn settle_is_freed_by_the_last() {
    explore("settle_is_freed_by_the_last", || {
        let (mine, theirs) = pair();
        let settler = thread::spawn(move || drop(theirs.settle(Arc::new(7))));
        let third = mine.clone();
        let third = thread::spawn(move || {
            let _ = third.get().map(|value| **value);
        });
        let _ = mine.get().map(|value| **value);
        drop(mine);
        settler.join().expect("the settler does not panic");
        third.join().expect("the third does not panic");
    });
}
