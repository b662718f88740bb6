//! All benches, in one program: `cargo bench -p kasasagi-benches -- [BENCH ...]`.

mod channels;
mod fetch;
mod fork_join;
mod gather;
mod http_hello;
mod lending;
mod locks;
mod memory;
mod ping_pong;
mod process_pool;
mod promise;
mod queues;
mod spawn;
mod tcp_echo;
mod timeouts;
mod timers;
mod wake;
mod yield_now;

use kasasagi_benches::{Suite, server};

fn main() {
    let suite = Suite::from_arguments();
    server::run_if_asked(&suite);
    suite.bench("spawn", spawn::rows);
    suite.bench("gather", gather::rows);
    suite.bench("yield_now", yield_now::rows);
    suite.bench("ping_pong", ping_pong::rows);
    suite.bench("promise", promise::rows);
    suite.bench("locks", locks::rows);
    suite.bench("channels", channels::rows);
    suite.bench("queues", queues::rows);
    suite.bench("lending", lending::rows);
    suite.bench("wake", wake::rows);
    suite.bench("timers", timers::rows);
    suite.bench("timeouts", timeouts::rows);
    suite.bench("memory", memory::rows);
    suite.bench("tcp_echo", tcp_echo::rows);
    suite.bench("http_hello", http_hello::rows);
    suite.bench("fetch", fetch::rows);
    suite.bench("process_pool", process_pool::rows);
    assert!(suite.ran() > 0, "no such row");
}
