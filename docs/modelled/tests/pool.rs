//! The same pool in a program.

use modelled::Pool;
use std::sync::Arc;

#[test]
fn a_hundred_tasks_share_three_things() {
    kasasagi::run(async {
        let pool = Arc::new(Pool::new(vec![1, 2, 3]));
        let sums = (0..100).map(|_| {
            let pool = Arc::clone(&pool);
            async move {
                let thing = pool.get().await;
                kasasagi::yield_now().await;
                *thing
            }
        });
        for thing in kasasagi::gather(sums).await {
            assert!((1..=3).contains(&thing.expect("no task fails")));
        }
        assert_eq!(pool.free(), 3);
    });
}
