//! The sequence lock around a wait site.

use kasasagi_primitive::explore::explore;
use kasasagi_primitive::sync::Arc;
use kasasagi_primitive::thread;
use kasasagi_primitive::wait_site::{WaitKind, WaitSite};
use std::panic::Location;

/// Race: the task goes from one wait to the next while a dump copies the words.
///
/// Mutation `primitive-wait-site-no-fence`: without the writer's Release fence the words of the second site may be
/// seen under the number of the first.
/// Mutation `primitive-wait-site-no-recheck`: the reader does not look at the number a second time.
#[test]
fn wait_site_is_never_seen_torn() {
    let first = Location::caller();
    explore("wait_site_is_never_seen_torn", move || {
        let second = Location::caller();
        let site = Arc::new(WaitSite::new());
        site.set(WaitKind::Sleep, 1, first, 10);
        let writer = {
            let site = Arc::clone(&site);
            thread::spawn(move || site.set(WaitKind::Lock, 2, second, 20))
        };
        if let Some(wait) = site.get() {
            let place = wait.place.expect("a site that was set has a place");
            match wait.kind {
                WaitKind::Sleep => assert_eq!((1, first, 10), (wait.resource, place, wait.since)),
                WaitKind::Lock => assert_eq!((2, second, 20), (wait.resource, place, wait.since)),
                other => panic!("nobody waits for {other:?}"),
            }
        }
        writer.join().expect("the writer does not panic");
    });
}

/// Race: two waits in a row, so that the number comes by twice.
#[test]
fn wait_site_is_whole_after_two_changes() {
    let place = Location::caller();
    explore("wait_site_is_whole_after_two_changes", move || {
        let site = Arc::new(WaitSite::new());
        let writer = {
            let site = Arc::clone(&site);
            thread::spawn(move || {
                site.set(WaitKind::Sleep, 1, place, 10);
                site.set(WaitKind::Lock, 2, place, 20);
            })
        };
        if let Some(wait) = site.get() {
            let whole = (wait.kind, wait.resource, wait.since);
            assert!(whole == (WaitKind::Sleep, 1, 10) || whole == (WaitKind::Lock, 2, 20));
        }
        writer.join().expect("the writer does not panic");
    });
}
