//! The heap of tasks against a list of blocks: nothing overlaps, nothing is lost, a scan shows what is in use.

use arbitrary::Arbitrary;
use kasasagi_task::slab::{BlockHead, Heap, free};
use std::alloc::Layout;
use std::collections::BTreeSet;
use std::ptr::NonNull;
use std::sync::atomic::Ordering;

/// What can be done to it.
#[derive(Arbitrary, Debug, Clone, Copy)]
pub enum Op {
    /// A block of so many bytes behind its head, to be aligned to 2^`align`.
    Alloc {
        /// Bytes.
        size: u16,
        /// Fewer than 128 of them: most sizes meet nothing special.
        small: bool,
        /// 0 to 7.
        align: u8,
    },
    /// Several of one size, to fill pages.
    AllocMany(u8, u8),
    /// One goes, by the owner or as by another thread.
    Free(u16, bool),
    /// All but a few go.
    FreeMany(u8, bool),
    /// What others freed comes home.
    Collect,
    /// What was not used goes back to the system.
    Trim,
}

const HEAD: usize = size_of::<BlockHead>();
const MOST: usize = 3000;

struct Block {
    at: NonNull<BlockHead>,
    /// Bytes, with the head.
    size: usize,
    mark: u8,
    /// It shares a page with others; else it is an allocation of its own, which `usage` does not count.
    paged: bool,
}

impl Block {
    /// The bytes behind the head.
    fn body(&self) -> &mut [u8] {
        // SAFETY: the block is this list's, of `size` bytes, and nobody else touches what lies behind its head.
        unsafe {
            let start = self.at.as_ptr().cast::<u8>().add(HEAD);
            std::slice::from_raw_parts_mut(start, self.size - HEAD)
        }
    }

    fn is_whole(&self) -> bool {
        self.body().iter().all(|byte| *byte == self.mark)
    }
}

struct Checker<'a> {
    heap: &'a Heap,
    model: Vec<Block>,
    made: u64,
}

impl Checker<'_> {
    fn alloc(&mut self, size: usize, align: usize) {
        if self.model.len() >= MOST {
            return;
        }
        let size = HEAD + size;
        let paged = size.max(96).next_multiple_of(align) <= 8192 && align <= 128;
        let at = self.heap.alloc(Layout::from_size_align(size, align).expect("a power of two"));
        assert_eq!(at.as_ptr() as usize % align.max(16), 0, "not aligned");
        // SAFETY: fresh out of the heap.
        let head = unsafe { at.as_ref() };
        assert_eq!(head.state.load(Ordering::Relaxed), 0, "a block in use was given out");
        self.made += 1;
        let block = Block { at, size, mark: self.made as u8, paged };
        block.body().fill(block.mark);
        head.state.store(self.made, Ordering::Release);
        self.model.push(block);
    }

    fn free(&mut self, which: usize, outside: bool) {
        if self.model.is_empty() {
            return;
        }
        let block = self.model.swap_remove(which % self.model.len());
        assert!(block.is_whole(), "another block wrote into it");
        // SAFETY: it is in the list no more, and was in use until now.
        let give = || unsafe { free(block.at) };
        if outside {
            // As a thread that owns another heap.
            Heap::new().enter(give);
        } else {
            give();
        }
    }

    fn paged(&self) -> usize {
        self.model.iter().filter(|block| block.paged).count()
    }

    fn compare(&self) {
        let mut shown = BTreeSet::new();
        self.heap.registry().scan(&mut |block| {
            assert!(shown.insert(block.as_ptr() as usize), "shown twice");
        });
        let live: BTreeSet<_> = self.model.iter().map(|block| block.at.as_ptr() as usize).collect();
        assert_eq!(shown, live, "shown by a scan, and in use");
        let mut spans: Vec<_> =
            self.model.iter().map(|b| (b.at.as_ptr() as usize, b.size)).collect();
        spans.sort_unstable();
        assert!(spans.windows(2).all(|w| w[0].0 + w[0].1 <= w[1].0), "two blocks overlap");
    }
}

/// Does what the bytes say to both.
pub fn run(bytes: &[u8]) {
    let ops: Vec<Op> = crate::operations(bytes, 60);
    let heap = Heap::new();
    heap.enter(|| {
        let mut checker = Checker { heap: &heap, model: Vec::new(), made: 0 };
        for op in ops {
            match op {
                Op::Alloc { size, small, align } => {
                    let size = if small { size % 128 } else { size };
                    checker.alloc(size.into(), 1 << (align % 8));
                }
                Op::AllocMany(n, size) => {
                    (0..n).for_each(|_| checker.alloc(usize::from(size) * 8, 8));
                }
                Op::Free(which, outside) => checker.free(which.into(), outside),
                Op::FreeMany(keep, outside) => {
                    while checker.model.len() > usize::from(keep) {
                        checker.free(keep.into(), outside);
                    }
                }
                Op::Collect => {
                    heap.collect();
                    assert_eq!(heap.usage().blocks, checker.paged(), "out, and in use");
                }
                Op::Trim => {
                    heap.trim();
                    let usage = heap.usage();
                    assert_eq!(usage.blocks, checker.paged(), "out, and in use");
                    assert!(usage.bare_pages <= usage.pages);
                }
            }
            checker.compare();
        }
        assert!(checker.model.iter().all(Block::is_whole), "another block wrote into it");
        while !checker.model.is_empty() {
            checker.free(0, false);
        }
        heap.collect();
        assert_eq!(heap.usage().blocks, 0, "blocks are left");
    });
}
