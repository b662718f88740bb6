//! Waiting until data is as it should be: a condition and its lock.
//!
//! An account that is never overdrawn: a withdrawal waits until there is enough, and no deposit is missed.
//!
//! ```sh
//! cargo run --example condition
//! ```

use kasasagi::sync::{Condition, Lock};
use kasasagi::{JoinError, spawn, time};
use std::sync::Arc;
use std::time::Duration;

#[derive(Default)]
struct Account {
    balance: Lock<u32>,
    grown: Condition,
}

impl Account {
    async fn deposit(&self, amount: u32) {
        let mut balance = self.balance.lock().await;
        *balance += amount;
        println!("+{amount:>3}: {balance:?}");
        // Each looks whether it is enough for him; those for whom it is not wait on.
        self.grown.notify_all();
    }

    async fn withdraw(&self, amount: u32) {
        let balance = self.balance.lock().await;
        // The lock is free while it waits, and held again when it goes on.
        let mut balance = self.grown.wait_for(balance, |now| *now >= amount).await;
        *balance -= amount;
        println!("-{amount:>3}: {balance:?}");
    }
}

fn main() -> Result<(), JoinError> {
    kasasagi::run(async {
        let account = Arc::new(Account::default());
        let withdrawals: Vec<_> = [50, 20, 80]
            .into_iter()
            .map(|amount| {
                let account = Arc::clone(&account);
                spawn(async move { account.withdraw(amount).await })
            })
            .collect();
        for amount in [30, 40, 90] {
            time::sleep(Duration::from_millis(5)).await;
            account.deposit(amount).await;
        }
        for withdrawal in withdrawals {
            withdrawal.await?;
        }
        // Too much, and nobody deposits: the wait is given up, and the lock is free.
        let waited = time::timeout(Duration::from_millis(10), account.withdraw(1_000)).await;
        assert!(waited.is_err());
        let rest = *account.balance.lock().await;
        println!("left: {rest}");
        assert_eq!(rest, 10);
        Ok(())
    })
}
