//! Indexes beside a model.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::disk::OsDisk;

fn folder(dir: &tempfile::TempDir) -> Folder {
    Folder::new(Arc::new(OsDisk), dir.path(), 4)
}

fn entry(n: usize) -> OffsetEntry {
    OffsetEntry { relative_offset: n as u32 * 10, position: n as u32 * 100 }
}

#[derive(Clone, Debug)]
enum Step {
    Push(usize),
    Write,
    Truncate(prop::sample::Index),
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (1..3000usize).prop_map(Step::Push),
        Just(Step::Write),
        any::<prop::sample::Index>().prop_map(Step::Truncate),
        Just(Step::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// Model: a number, for entries are known by their place.
    #[test]
    fn agrees_with_a_count(steps in prop::collection::vec(step(), 1..12)) {
        let dir = tempfile::tempdir().unwrap();
        let mut index: Index<OffsetEntry> = Index::open(folder(&dir), "x.index".into()).unwrap();
        let mut count = 0;
        for step in steps {
            match step {
                Step::Push(n) => {
                    (count..count + n).for_each(|n| index.push(entry(n)));
                    count += n;
                }
                Step::Write => index.write().unwrap(),
                Step::Truncate(to) => {
                    count = to.index(count + 1);
                    index.truncate(count).unwrap();
                }
                Step::Reopen => {
                    index.sync().unwrap();
                    index = Index::open(folder(&dir), "x.index".into()).unwrap();
                }
            }
            prop_assert_eq!(index.len(), count);
            prop_assert_eq!(index.last().unwrap(), count.checked_sub(1).map(entry));
            prop_assert_eq!(index.get(count / 2).unwrap(), (count > 0).then(|| entry(count / 2)));
            let wanted = (count / 3) as u32 * 10;
            let point = index.partition_point(|e| e.relative_offset < wanted).unwrap();
            prop_assert_eq!(point, count / 3);
        }
    }
}

#[test]
fn an_empty_index_replaces_what_the_file_had() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("x.index"), [7; 800]).unwrap();
    let mut index: Index<OffsetEntry> = Index::empty(folder(&dir), "x.index".into());
    index.push(entry(3));
    index.sync().unwrap();
    assert_eq!(std::fs::read(dir.path().join("x.index")).unwrap().len(), 8);
}
