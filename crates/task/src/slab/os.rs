//! Giving memory back to the operating system, where it can be done without losing the address.
#![allow(unsafe_code, reason = "madvise is a foreign function")]

use std::ptr::NonNull;

/// Drops the contents of the whole system pages in `start..start + len`; says whether it did. They read as zero
/// afterwards and cost nothing until written to. If it says no, the contents are what they were.
///
/// # Safety
///
/// The range is private memory of one allocation, and nothing in it but zero words is read again before it is
/// written.
#[cfg(target_os = "linux")]
pub(super) unsafe fn give_back(start: NonNull<u8>, len: usize) -> bool {
    // SAFETY: sysconf only reads its argument.
    let unit = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    let Ok(unit) = usize::try_from(unit) else { return false };
    let skip = start.as_ptr().addr().next_multiple_of(unit) - start.as_ptr().addr();
    // Never the system page that the range ends in: the allocator keeps words of its own behind it.
    let Some(len) = len.checked_sub(skip).map(|rest| rest / unit * unit).filter(|&n| n > 0) else {
        return false;
    };
    // SAFETY: `skip <= len` was just checked, and the caller says that the range is one allocation.
    let from = unsafe { start.add(skip) };
    // SAFETY: the caller gives the contents up; the range is whole system pages inside its allocation.
    unsafe { libc::madvise(from.as_ptr().cast(), len, libc::MADV_DONTNEED) == 0 }
}

/// As on Linux, but memory cannot be given back here: the contents stay.
///
/// # Safety
///
/// As on Linux.
#[cfg(not(target_os = "linux"))]
pub(super) unsafe fn give_back(_: NonNull<u8>, _: usize) -> bool {
    false
}
