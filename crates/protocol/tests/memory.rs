//! No frame makes decoding take more memory than a small multiple of its length: every message and version, with frames that
//! declare as much as they can. The allocator counts, so that this test is alone in its process.
#![allow(unsafe_code, clippy::cast_possible_truncation)]

mod generated;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use klamm_protocol::Message;

struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: hands everything to the system's allocator and only counts.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(now, Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

struct Read(Bytes, i16);

impl generated::Visit for Read {
    type Out = ();

    fn visit<M: Message>(self) {
        let _ = M::decode(self.0, self.1);
    }
}

/// The most bytes in use at one time while `name` was read, beyond what was in use before.
fn peak(name: &str, version: i16, frame: &Bytes) -> usize {
    let before = NOW.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    generated::with(name, Read(frame.clone(), version));
    PEAK.load(Ordering::Relaxed) - before
}

/// Frames in which every length is as large as the bytes that follow allow, or that are full of the smallest elements.
fn hostile(length: usize) -> Vec<Bytes> {
    let big = u32::try_from(length / 2).unwrap().to_be_bytes();
    let compact =
        [0x80 | (length / 2 % 128) as u8, 0x80 | (length / 256 % 128) as u8, (length / 32_768) as u8];
    let mut frames: Vec<Vec<u8>> = [0, 1, 2, 3, 0x7f, 0xff].map(|byte| vec![byte; length]).into();
    for lead in 0..24 {
        for filler in [0, 1, 2] {
            for count in [&big[..], &compact[..]] {
                let mut frame = vec![filler; length];
                frame[lead..lead + count.len()].copy_from_slice(count);
                frames.push(frame);
            }
        }
    }
    frames.into_iter().map(Bytes::from).collect()
}

#[test]
fn no_frame_takes_more_memory_than_a_small_multiple_of_its_length() {
    let length = 32 * 1024;
    let (frames, mut worst) = (hostile(length), (0, ""));
    for (name, low, high) in generated::ALL {
        for (version, frame) in (*low..=*high).flat_map(|v| frames.iter().map(move |frame| (v, frame))) {
            let took = peak(name, version, frame);
            worst = worst.max((took, name));
            assert!(
                took <= MULTIPLE * length,
                "{name} {version} took {took} bytes for {length}: {:x?}",
                &frame[..32]
            );
        }
    }
    println!("the most: {} bytes for {length} ({})", worst.0, worst.1);
    assert!(worst.0 > length, "no frame was taken apart: the test tries nothing");
}

/// What elements may take, and as much again while a collection grows.
const MULTIPLE: usize = 48;
