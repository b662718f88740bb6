//! Calls that block, on threads lent for them: hashes the files of a folder while a heartbeat shows that the worker is
//! free.
//!
//! ```sh
//! cargo run --example to_thread [FOLDER]
//! ```

use kasasagi::{JobExt, Runtime, gather, spawn, time, to_thread};
use std::error::Error;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hasher};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Reads and hashes one file, as code does that knows nothing of tasks.
fn hash(path: &Path) -> io::Result<u64> {
    let mut file = File::open(path)?;
    let (mut hasher, mut buffer) = (DefaultHasher::new(), vec![0; 64 * 1024]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.finish()),
            n => hasher.write(&buffer[..n]),
        }
    }
}

/// The files of a folder; this blocks as well.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

/// Says how late the worker was at most, until it is cancelled.
async fn heartbeat() -> Duration {
    let mut late = Duration::ZERO;
    for _ in 0..10 {
        let due = Instant::now() + Duration::from_millis(1);
        time::sleep_until(due).await;
        late = late.max(due.elapsed());
    }
    late
}

/// A folder to hash, if none was given.
fn sample() -> io::Result<PathBuf> {
    let folder = std::env::temp_dir().join(format!("kasasagi-to-thread-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    for n in 0..12_u8 {
        fs::write(folder.join(format!("{n:02}.bin")), vec![n; 200_000])?;
    }
    Ok(folder)
}

fn main() -> Result<(), Box<dyn Error>> {
    let given = std::env::args_os().nth(1).map(PathBuf::from);
    let folder = match &given {
        Some(folder) => folder.clone(),
        None => sample()?,
    };
    // One worker: whatever blocked it would be seen at once.
    let runtime = Runtime::builder().current_thread().max_blocking_threads(4).build()?;
    let hashed = runtime.run(async {
        let heart = spawn(heartbeat());
        let listed = folder.clone();
        let files = to_thread(move || files(&listed)).await??;
        // Each file is a task with a name, begun here, on at most four threads.
        let tasks: Vec<_> = files
            .into_iter()
            .map(|path| {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                let job = move || hash(&path);
                to_thread(job.named(name))
            })
            .collect();
        let names: Vec<_> = tasks.iter().map(|task| task.name()).collect();
        for (name, hash) in names.iter().zip(gather(tasks).await) {
            match hash? {
                Ok(hash) => println!("{hash:016x}  {name}"),
                Err(error) => println!("{error:>16}  {name}"),
            }
        }
        println!("meanwhile the worker was {:.0?} late at most", heart.await?);
        Ok::<_, Box<dyn Error>>(names.len())
    })??;
    println!("{hashed} files");
    if given.is_none() {
        fs::remove_dir_all(&folder)?;
    }
    Ok(())
}
