use klamm_log::*;
fn main() {
    let dir = LogDir::open("/tmp/pf/data").unwrap();
    let log = dir.log("t", 0).unwrap();
    let value = [b'v'; 100];
    for _ in 0..2_000_000 { log.append(&NewRecord::new(&value), Durability::Written).unwrap(); }
}
