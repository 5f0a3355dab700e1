//! Any bytes under each codec: no panic, and never more than the limit comes out.
#![no_main]

use klamm_record::{BatchBuilder, BatchOptions, Compression, Depth, NewRecord, validate};
use libfuzzer_sys::fuzz_target;

const LIMIT: usize = 1 << 18;

fuzz_target!(|data: (u8, Vec<u8>)| {
    let (codec, body) = data;
    let mut builder = BatchBuilder::new(Vec::new(), BatchOptions::default());
    builder.append(&NewRecord::new("")).expect("an empty record fits");
    let mut bytes = builder.finish().expect("one record").buffer;
    bytes.truncate(61);
    bytes.extend_from_slice(&body);
    bytes[22] = Compression::ALL[usize::from(codec) % 5].id();
    let length = u32::try_from(bytes.len() - 12).expect("small");
    bytes[8..12].copy_from_slice(&length.to_be_bytes());
    klamm_fuzz::mend_crc(&mut bytes);
    let _ = validate(&bytes, Depth::Records { limit: LIMIT });
});
