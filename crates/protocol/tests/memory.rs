//! No frame makes decoding take more memory than a small multiple of its length: every message and
//! version, with frames that declare as much as they can. The allocator counts, so that this test
//! is alone in its process.
#![allow(clippy::cast_possible_truncation)]

mod generated;

use bytes::Bytes;
use klamm_protocol::Message;
use klamm_protocol::codec::Reader;
use klamm_sim::CountingAllocator;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator::new();

struct Read(Bytes, i16);

impl generated::Visit for Read {
    type Out = ();

    fn visit<M: Message>(self) {
        let _ = M::read(&mut Reader::new(self.0), self.1);
    }
}

struct Measure(Bytes, i16);

impl generated::Visit for Measure {
    type Out = Option<usize>;

    fn visit<M: Message>(self) -> Option<usize> {
        M::measure(self.0, self.1).ok().map(|measured| measured.elements + measured.replaced)
    }
}

/// The most bytes in use at one time during `work`, beyond what was in use before, and what came of
/// it.
fn peak<T>(work: impl FnOnce() -> T) -> (usize, T) {
    let before = ALLOCATOR.begin();
    let done = work();
    (ALLOCATOR.peak() - before, done)
}

/// Frames in which every length is as large as the bytes that follow allow, or that are full of the
/// smallest elements.
fn hostile(length: usize) -> Vec<Bytes> {
    let big = u32::try_from(length / 2).unwrap().to_be_bytes();
    let compact =
        [0x80 | (length / 2 % 128) as u8, 0x80 | (length / 256 % 128) as u8, (length / 32_768) as u8];
    let mut frames: Vec<Vec<u8>> = [0, 1, 2, 3, 0x7f, 0xff].map(|byte| vec![byte; length]).into();
    // Strings of one malformed byte, compact and not, and collections of them.
    for malformed in [&[2, 0xff][..], &[0, 1, 0xff], &[0, 0, 0, 1, 0, 1, 0xff]] {
        for lead in (0..24).step_by(3) {
            let mut frame = vec![1; lead];
            frame.extend(malformed.iter().cycle().take(length - lead));
            frames.push(frame);
        }
    }
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
    let (frames, mut worst, mut readable) = (hostile(length), (0, ""), 0);
    for (name, low, high) in generated::ALL {
        for (version, frame) in (*low..=*high).flat_map(|v| frames.iter().map(move |frame| (v, frame))) {
            let (took, ()) = peak(|| generated::with(name, Read(frame.clone(), version)));
            let (extra, measured) = peak(|| generated::with(name, Measure(frame.clone(), version)));
            assert!(extra <= ONCE, "{name} {version}: measuring took {extra} bytes");
            if let Some(measured) = measured {
                readable += 1;
                assert!(took <= measured + ONCE, "{name} {version} took {took} bytes, measured {measured}");
            }
            worst = worst.max((took, name));
            assert!(
                took <= MULTIPLE * length,
                "{name} {version} took {took} bytes for {length}: {:x?}",
                &frame[..32]
            );
        }
    }
    println!("the most: {} bytes for {length} ({}); {readable} frames could be read", worst.0, worst.1);
    assert!(readable > 1000, "{readable}");
    assert!(worst.0 > length, "no frame was taken apart: the test tries nothing");
}

/// What elements may take.
const MULTIPLE: usize = 17;
/// Bytes of a message beside its collections: defaults, and what counts who shares a frame.
const ONCE: usize = 512;
