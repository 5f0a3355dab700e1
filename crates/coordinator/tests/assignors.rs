//! What Kafka 4.3.1's own classes have assigned, and what ours do with the same input. `assignors.txt` has a line a case: topics with the
//! racks of each partition; members as `id;instance;rack;topics;owned;generation`; who got what. Range and round robin are the same.
//! Where sticky differs, for Kafka's depends on the order of a hash table there, it is valid, as even, and moves no more.
//! `ASSIGNORS=FILE` takes other cases.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use klamm_coordinator::MemberId;
use klamm_coordinator::assignor::{
    Assignment, Assignor, CooperativeSticky, Range, RoundRobin, Sticky, Subscriber, TopicPartition, Topics,
};

struct Case {
    kind: String,
    topics: Topics,
    /// Partitions of each topic.
    counts: BTreeMap<String, usize>,
    members: Vec<Subscriber>,
    kafkas: Assignment,
}

impl Case {
    fn parse(line: &str) -> Case {
        let [kind, topics, members, out] = line.split(" | ").collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let (mut all, mut counts) = (Topics::default(), BTreeMap::new());
        for (name, partitions) in words(topics).map(|topic| topic.split_once(':').unwrap()) {
            let racks = |text: &str| -> Vec<Arc<str>> {
                let names = text.split('+').filter(|name| *name != "-");
                names.map(Arc::from).collect()
            };
            let racks: Vec<_> = partitions.split(',').map(racks).collect();
            counts.insert(name.to_owned(), racks.len());
            all = all.with_racks(name, racks);
        }
        let given = words(out).map(|member| member.split_once('=').unwrap());
        Case {
            kind: kind.to_owned(),
            topics: all,
            counts,
            members: words(members).map(member).collect(),
            kafkas: given.map(|(id, own)| (MemberId::new(id), partitions(own))).collect(),
        }
    }

    /// Each partition that somebody wants.
    fn wanted(&self) -> BTreeSet<TopicPartition> {
        let topics: BTreeSet<_> = self.members.iter().flat_map(|member| &member.topics).collect();
        let of = |topic: &&klamm_coordinator::Topic| {
            let count = self.counts.get(topic.as_str()).copied().unwrap_or(0);
            (0..i32::try_from(count).unwrap())
                .map(|number| TopicPartition::new(topic.as_str(), number))
                .collect::<Vec<_>>()
        };
        topics.iter().flat_map(of).collect()
    }

    /// What is wrong with an assignment: a partition twice, one for who does not want it, one for nobody without need.
    fn check(&self, given: &Assignment, may_wait: bool) -> Result<(), String> {
        let mut seen = BTreeSet::new();
        for member in &self.members {
            for partition in given.get(&member.id).ok_or_else(|| format!("{} is not there", member.id))? {
                if !member.topics.contains(&partition.topic) {
                    return Err(format!("{} does not want {partition:?}", member.id));
                }
                if !seen.insert(partition.clone()) {
                    return Err(format!("{partition:?} is given twice"));
                }
            }
        }
        let owned: BTreeSet<_> = self.members.iter().flat_map(|member| member.owned.clone()).collect();
        let left = self
            .wanted()
            .difference(&seen)
            .find(|partition| !may_wait || !owned.contains(*partition))
            .cloned();
        left.map_or(Ok(()), |partition| Err(format!("{partition:?} is given to nobody")))
    }

    /// Partitions that a member had and has not any more.
    fn moves(&self, given: &Assignment) -> usize {
        let lost = |member: &Subscriber| {
            let own = &given[&member.id];
            member.owned.iter().filter(|partition| !own.contains(partition)).count()
        };
        self.members.iter().map(lost).sum()
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(' ').filter(|word| !word.is_empty())
}

fn partitions(text: &str) -> Vec<TopicPartition> {
    let named = text.split(',').filter(|name| !name.is_empty()).map(|name| name.rsplit_once(':').unwrap());
    named.map(|(topic, number)| TopicPartition::new(topic, number.parse().unwrap())).collect()
}

fn member(text: &str) -> Subscriber {
    let [id, instance, rack, topics, owned, generation] = text.split(';').collect::<Vec<_>>()[..] else {
        panic!("{text}")
    };
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    Subscriber {
        id: id.into(),
        instance: some(instance).map(|name| name.as_str().into()),
        rack: some(rack).map(Arc::from),
        topics: topics.split(',').filter(|name| !name.is_empty()).map(Into::into).collect(),
        owned: partitions(owned),
        user_data: None,
        generation: generation.parse().ok().filter(|generation| *generation >= 0),
    }
}

fn sets(given: &Assignment) -> BTreeMap<&MemberId, BTreeSet<&TopicPartition>> {
    given.iter().map(|(id, own)| (id, own.iter().collect())).collect()
}

/// The sum of the squares: the less, the more even.
fn unevenness(given: &Assignment) -> usize {
    given.values().map(|own| own.len() * own.len()).sum()
}

fn cases() -> Vec<(String, Case)> {
    let text = match std::env::var("ASSIGNORS") {
        Ok(file) => std::fs::read_to_string(file).unwrap(),
        Err(_) => include_str!("assignors.txt").to_owned(),
    };
    text.lines().map(|line| (line.to_owned(), Case::parse(line))).collect()
}

#[test]
fn what_kafka_determines_is_kafkas() {
    let mut count = 0;
    for (line, case) in cases() {
        let assignor: &dyn Assignor = match &*case.kind {
            "range" => &Range,
            "roundrobin" => &RoundRobin,
            _ => continue,
        };
        let given = assignor.assign(&case.topics, &case.members);
        case.check(&given, false).unwrap_or_else(|wrong| panic!("{wrong}: {line}"));
        assert_eq!(sets(&given), sets(&case.kafkas), "{line}");
        if case.kind == "roundrobin" {
            assert_eq!(given, case.kafkas, "{line}");
        }
        count += 1;
    }
    assert!(count >= 400, "{count} cases");
}

#[test]
fn sticky_is_kafkas_or_valid_as_even_and_moves_no_more() {
    let (mut count, mut differ) = (0, 0);
    for (line, case) in cases() {
        let assignor: &dyn Assignor = match &*case.kind {
            "sticky" => &Sticky,
            "coop" => &CooperativeSticky,
            _ => continue,
        };
        let given = assignor.assign(&case.topics, &case.members);
        let is_cooperative = case.kind == "coop";
        case.check(&given, is_cooperative).unwrap_or_else(|wrong| panic!("{wrong}: {line}\n{given:?}"));
        count += 1;
        // Kafka gives partitions to members that do not want them: to one that had them in an earlier generation, or one that wants nothing.
        let is_kafkas_valid = case.check(&case.kafkas, is_cooperative).is_ok();
        if sets(&given) == sets(&case.kafkas) || !is_kafkas_valid {
            continue;
        }
        differ += 1;
        // What waits to be given up is not there to be counted.
        if !is_cooperative {
            let (own, kafkas) = (unevenness(&given), unevenness(&case.kafkas));
            assert!(own <= kafkas, "{own} to {kafkas}: {line}\n{given:?}");
            let (own, kafkas) = (case.moves(&given), case.moves(&case.kafkas));
            assert!(own <= kafkas, "{own} moves to {kafkas}: {line}\n{given:?}");
        }
    }
    println!("{differ} of {count} differ from Kafka's");
    assert!(count >= 400 && differ * 25 <= count, "{differ} of {count} differ");
}
