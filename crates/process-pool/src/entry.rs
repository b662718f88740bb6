//! Where functions lie in the running executable, of which build it is, and how a worker is entered before `main`.
//!
//! A job's function has no bytes: its type says all. For each the compiler makes a trampoline, and a worker of the same
//! build finds it at the same distance from `ANCHOR`. That it is the same build is known before a distance is believed:
//! the headers of frames are checked against the build, and the distance against the segments of code.
#![allow(
    unsafe_code,
    reason = "a function is called by its place, and the system is asked for places"
)]

use crate::codec::{self, Answer};
use crate::frame::digest;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
use libc::{c_char, c_int};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::OnceLock;

/// What distances are measured from.
static ANCHOR: u8 = 0;

/// Decodes an argument, calls a function, and appends its result; the last is how long that may be.
type Trampoline = fn(&[u8], &mut Vec<u8>, usize) -> Answer;

/// A function that a worker can call: where its trampoline lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Function {
    address: usize,
}

impl Function {
    /// The function of type `F`; that there is a value of it is what the argument shows.
    pub(crate) fn of<F, A, R>(_: F) -> Self
    where
        F: Fn(A) -> R + Copy + Send + Sync + 'static,
        A: DeserializeOwned,
        R: Serialize,
    {
        const {
            assert!(
                size_of::<F>() == 0,
                "a job is a function, or a closure that captures nothing: give it what it needs as its argument"
            );
        }
        let trampoline: Trampoline = trampoline::<F, A, R>;
        Self { address: trampoline as *const () as usize }
    }

    /// How far it lies from the anchor; `None` if it belongs to a shared library, which the worker may have elsewhere.
    pub(crate) fn distance(self) -> Option<i64> {
        let distance = self.address.wrapping_sub(anchor()) as i64;
        image().holds(self.address).then_some(distance)
    }

    /// The function at that distance; `None` if there can be none.
    pub(crate) fn at(distance: i64) -> Option<Self> {
        let address = anchor().wrapping_add(distance as usize);
        (address != 0 && image().holds(address)).then_some(Self { address })
    }

    /// Calls it.
    ///
    /// It came out of a frame whose header was checked against this build, or out of [`of`](Self::of).
    pub(crate) fn call(self, argument: &[u8], reply: &mut Vec<u8>, limit: usize) -> Answer {
        let place = std::ptr::with_exposed_provenance::<()>(self.address);
        // SAFETY: `of` took the address of a trampoline, and `distance` and `at` are each other's inverse in one build;
        // the seeded check of a frame's header, kept by `Header::from_bytes`, lets no other build's distance through.
        let trampoline = unsafe { std::mem::transmute::<*const (), Trampoline>(place) };
        trampoline(argument, reply, limit)
    }
}

fn trampoline<F, A, R>(argument: &[u8], reply: &mut Vec<u8>, limit: usize) -> Answer
where
    F: Fn(A) -> R + Copy + Send + Sync + 'static,
    A: DeserializeOwned,
    R: Serialize,
{
    // SAFETY: nothing is read: `of`, the only one to name this function, asserts that `F` has no bytes. And it was shown a
    // value, of which this is a copy; in the worker, of a value in its parent. That it holds there as well, the bounds of
    // `of` see to (it stands for no thread and no borrow), and for the state of a whole process the docs of `submit`.
    let function = unsafe { NonNull::<F>::dangling().read() };
    codec::answer(function, argument, reply, limit)
}

fn anchor() -> usize {
    (&raw const ANCHOR).expose_provenance()
}

/// What the loader knows of the object that this code belongs to.
#[derive(Debug, Default)]
pub(crate) struct Image {
    /// Segments of code; none where the system does not say.
    code: Vec<Range<usize>>,
    /// Notes of the build id, digested.
    notes: Option<u64>,
    /// Where the table lies that `BEFORE_MAIN` stands in; none where the system does not say.
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    entries: Option<Range<usize>>,
    /// It is the program itself, or the system does not say.
    pub(crate) is_program: bool,
    /// It is known of which build it is.
    pub(crate) has_identity: bool,
    /// Of which build it is.
    pub(crate) build: u64,
}

impl Image {
    fn holds(&self, address: usize) -> bool {
        self.code.is_empty() || self.code.iter().any(|segment| segment.contains(&address))
    }
}

/// The object that this code belongs to. Asked once.
pub(crate) fn image() -> &'static Image {
    static IMAGE: OnceLock<Image> = OnceLock::new();
    IMAGE.get_or_init(|| {
        let mut image = loader::own_image();
        let identity = image.notes.or_else(crate::sys::file_identity);
        image.has_identity = identity.is_some();
        image.build = digest(env!("CARGO_PKG_VERSION").as_bytes()) ^ identity.unwrap_or_default();
        image
    })
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod loader {
    use super::{Image, anchor, digest};
    use libc::{c_int, c_void, dl_phdr_info, size_t};

    /// `PF_X` (elf(5)), which libc has not everywhere.
    const EXECUTABLE: u32 = 1;

    /// Segments of the object that the anchor lies in, from the loader's list.
    pub(super) fn own_image() -> Image {
        let mut seen = Seen::default();
        let data = (&raw mut seen).cast::<c_void>();
        // SAFETY: the callback takes `data` for what it is, and keeps nothing of what it is shown.
        unsafe { libc::dl_iterate_phdr(Some(look), data) };
        seen.image.unwrap_or(Image { is_program: true, ..Image::default() })
    }

    #[derive(Default)]
    struct Seen {
        objects: usize,
        image: Option<Image>,
    }

    extern "C" fn look(info: *mut dl_phdr_info, _: size_t, data: *mut c_void) -> c_int {
        // SAFETY: `own_image` passes a `Seen` that nobody else touches meanwhile.
        let seen = unsafe { &mut *data.cast::<Seen>() };
        // SAFETY: the loader gives a description that is there until this returns.
        let info = unsafe { &*info };
        let count = usize::from(info.dlpi_phnum);
        // SAFETY: as the loader describes it: so many headers, which stay mapped with the object.
        let headers = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, count) };
        let base = info.dlpi_addr as usize;
        let span = |at: usize| {
            let start = base.wrapping_add(headers[at].p_vaddr as usize);
            start..start.wrapping_add(headers[at].p_memsz as usize)
        };
        let of_type = |kind| (0..count).filter(move |&at| headers[at].p_type == kind);
        // The program stands first in the list.
        let is_program = seen.objects == 0;
        seen.objects += 1;
        if !of_type(libc::PT_LOAD).any(|at| span(at).contains(&anchor())) {
            return 0;
        }
        let is_code = |at: &usize| headers[*at].p_flags & EXECUTABLE != 0;
        let code = of_type(libc::PT_LOAD).filter(is_code).map(span).collect();
        let notes = of_type(libc::PT_NOTE).find_map(|at| {
            let start = std::ptr::with_exposed_provenance::<u8>(span(at).start);
            // SAFETY: a segment of notes is part of a loaded one, readable, and never written.
            build_id(unsafe { std::slice::from_raw_parts(start, span(at).len()) })
        });
        #[cfg(all(target_os = "linux", target_env = "gnu"))]
        let entries = of_type(libc::PT_DYNAMIC).find_map(|at| {
            let start = std::ptr::with_exposed_provenance::<[usize; 2]>(span(at).start);
            let count = span(at).len() / size_of::<[usize; 2]>();
            // SAFETY: the dynamic section is part of a loaded segment, and the loader wrote to it before any entry ran.
            entries(unsafe { std::slice::from_raw_parts(start, count) }, base)
        });
        seen.image = Some(Image {
            code,
            notes,
            #[cfg(all(target_os = "linux", target_env = "gnu"))]
            entries,
            is_program,
            has_identity: false,
            build: 0,
        });
        1
    }

    /// The table of functions that run before `main`: the loader leaves its place as the linker wrote it, so it is
    /// counted from the base (elf(5)).
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    pub(super) fn entries(dynamic: &[[usize; 2]], base: usize) -> Option<std::ops::Range<usize>> {
        const END: usize = 0;
        const TABLE: usize = 25;
        const SIZE: usize = 27;
        let said = |tag| {
            let mut valid = dynamic.iter().take_while(|entry| entry[0] != END);
            valid.find(|entry| entry[0] == tag).map(|entry| entry[1])
        };
        let start = base.checked_add(said(TABLE)?)?;
        Some(start..start.checked_add(said(SIZE)?)?)
    }

    /// The note of type `NT_GNU_BUILD_ID` (3) and name `GNU`, digested: name length, content length, type, then name and
    /// content, each filled up to four bytes (elf(5)).
    pub(super) fn build_id(mut notes: &[u8]) -> Option<u64> {
        let word = |at: usize, notes: &[u8]| {
            notes
                .get(at..at + 4)
                .map(|word| u32::from_ne_bytes([word[0], word[1], word[2], word[3]]) as usize)
        };
        loop {
            let (name, content, kind) = (word(0, notes)?, word(4, notes)?, word(8, notes)?);
            let start = 12_usize.checked_add(name.checked_next_multiple_of(4)?)?;
            let end = start.checked_add(content)?;
            if kind == 3 && notes.get(12..12 + name)? == b"GNU\0" {
                return notes.get(start..end).map(digest);
            }
            notes = notes.get(end.checked_next_multiple_of(4)?..)?;
        }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod loader {
    use super::Image;

    /// Nothing is known: the file's identity has to do.
    pub(super) fn own_image() -> Image {
        Image { is_program: true, ..Image::default() }
    }
}

/// Run by the loader before `main`, in every program that this crate is linked into.
#[used]
#[cfg_attr(
    any(
        target_os = "linux",
        target_os = "android",
        target_os = "freebsd",
        target_os = "netbsd",
        target_os = "openbsd",
        target_os = "dragonfly"
    ),
    unsafe(link_section = ".init_array")
)]
#[cfg_attr(target_vendor = "apple", unsafe(link_section = "__DATA,__mod_init_func"))]
static BEFORE_MAIN: Entry = before_main;

/// What stands in the table; glibc gives it what it gives to `main`.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
type Entry = extern "C" fn(c_int, Words, Words);
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
type Entry = extern "C" fn();

#[cfg(all(target_os = "linux", target_env = "gnu"))]
type Words = *const *const c_char;

#[cfg(all(target_os = "linux", target_env = "gnu"))]
extern "C" fn before_main(count: c_int, arguments: Words, environment: Words) {
    crate::worker::enter(|| run_later_entries(count, arguments, environment));
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
extern "C" fn before_main() {
    // Where the file is known by its name alone, before another can have that name.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _ = image();
    crate::worker::enter(|| {});
}

/// Runs the entries behind our own, which does not return in a worker: constructors of libraries that were linked later.
/// Jobs may use those.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn run_later_entries(count: c_int, arguments: Words, environment: Words) {
    let own = (&raw const BEFORE_MAIN).addr();
    let Some(table) = image().entries.clone().filter(|table| table.contains(&own)) else { return };
    for at in (own..table.end).step_by(size_of::<Entry>()).skip(1) {
        let place = std::ptr::with_exposed_provenance::<Option<Entry>>(at);
        // SAFETY: the loader said where the table ends, and `own` is in it, so this is another of its elements: a function,
        // relocated before the first of them ran.
        if let Some(entry) = unsafe { place.read() } {
            entry(count, arguments, environment);
        }
    }
}

/// Whether the program has rights that who started it has not: of its file's owner, or of its file's capabilities. Then
/// nobody may tell it what to call.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn is_privileged() -> bool {
    // SAFETY: reads a word that the kernel gave the process.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}

/// Whether the program has rights that who started it has not: those of its file's owner. Then nobody may tell it what to
/// call.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn is_privileged() -> bool {
    use rustix::process::{getegid, geteuid, getgid, getuid};
    getuid() != geteuid() || getgid() != getegid()
}

/// Writing to a pipe that nobody reads is an error from now on and not the end, as std has it in a `main`.
pub(crate) fn ignore_sigpipe() {
    // SAFETY: no handler is installed.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
}

#[cfg(test)]
mod tests;
