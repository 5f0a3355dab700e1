//! What Kafka 4.3.1's own classes have assigned, and what ours do with the same input.
//! `assignors.txt` has a line a case: topics with the racks of each partition, and perhaps an id;
//! members as `id;instance;rack;topics;owned;generation`; who got what. Ours is the same, in sticky
//! too, but where Kafka's sticky gives somebody what it does not want, for a while or at the end.
//! `ASSIGNORS=FILE` takes other cases, such as `tests/kafka/oracle/AssignorOracle.java` makes with
//! any seed: `.ci/run oracle`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use klamm_coordinator::MemberId;
use klamm_coordinator::assignor::{
    Assignor, CooperativeSticky, GroupSpec, Invalid, NamedAssignment, Range, RoundRobin, ServerRange, Sticky,
    Subscriber, TopicPartition, Topics, Uniform, check, check_cooperative,
};
use klamm_protocol::Uuid;

struct Case {
    kind: String,
    topics: Topics,
    members: Vec<Subscriber>,
    /// `None` where Kafka's has failed.
    kafkas: Option<NamedAssignment>,
}

impl Case {
    fn parse(line: &str) -> Case {
        let [kind, topics, members, out] = line.split(" | ").collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let mut all = Topics::default();
        for (name, partitions) in words(topics).map(|topic| topic.split_once(':').unwrap()) {
            let racks = |text: &str| -> Vec<Arc<str>> {
                let names = text.split('+').filter(|name| *name != "-");
                names.map(Arc::from).collect()
            };
            let racks: Vec<_> = partitions.split(',').map(racks).collect();
            all = match name.split_once('@') {
                Some((name, id)) => {
                    all.with_id(name, Uuid(id.parse::<u128>().unwrap().to_be_bytes()), racks.len())
                }
                None => all.with_racks(name, racks),
            };
        }
        let given = words(out).map(|member| member.split_once('=').unwrap());
        Case {
            kind: kind.to_owned(),
            topics: all,
            members: words(members).map(member).collect(),
            kafkas: Some(
                given.map(|(id, own)| (MemberId::new(id), partitions(own))).collect::<NamedAssignment>(),
            )
            .filter(|given| !given.is_empty()),
        }
    }

    /// Ours, by Kafka's name for it in the file.
    fn assignor(&self) -> &'static dyn Assignor {
        match &*self.kind {
            "range" => &Range,
            "roundrobin" => &RoundRobin,
            "sticky" => &Sticky,
            "coop" => &CooperativeSticky,
            "srange" => &ServerRange,
            "suniform" => &Uniform,
            kind => panic!("{kind}"),
        }
    }

    fn assign(&self) -> NamedAssignment {
        let group = GroupSpec::new(&self.topics, &self.members);
        group.named(&self.assignor().assign(&group))
    }

    fn check(&self, given: &NamedAssignment) -> Result<(), Invalid> {
        let check = if self.kind == "coop" { check_cooperative } else { check };
        check(&self.topics, &self.members, given)
    }

    /// Whether Kafka's sticky goes astray: it gives a partition back to who had it in an earlier
    /// generation, wanted or not, and may give some to a member that wants nothing. Its answer may
    /// be valid again at the end, by detours that are not to be followed.
    fn leads_kafkas_astray(&self) -> bool {
        let latest = self.members.iter().map(|member| member.generation).max().flatten();
        let has_unwanted = |member: &Subscriber| {
            member.generation < latest && member.owned.iter().any(|own| !member.topics.contains(&own.topic))
        };
        let is_idle = |member: &Subscriber| member.topics.is_empty();
        self.members.iter().any(|member| is_idle(member) || has_unwanted(member))
    }

    /// The first partition of somebody who has two more than another that wants it.
    fn uneven(&self, given: &NamedAssignment) -> Option<TopicPartition> {
        let least = |topic| {
            let subscribers = self.members.iter().filter(|member| member.topics.contains(topic));
            subscribers.map(|member| given[&member.id].len()).min().unwrap_or(usize::MAX)
        };
        let all = given.values().flat_map(|own| own.iter().map(|partition| (own.len(), partition)));
        all.into_iter()
            .find(|(size, partition)| *size > least(&partition.topic) + 1)
            .map(|(_, own)| own.clone())
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

fn sets(given: &NamedAssignment) -> BTreeMap<&MemberId, BTreeSet<&TopicPartition>> {
    given.iter().map(|(id, own)| (id, own.iter().collect())).collect()
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
        if matches!(&*case.kind, "sticky" | "coop") {
            continue;
        }
        let given = case.assign();
        case.check(&given).unwrap_or_else(|wrong| panic!("{wrong}: {line}"));
        let kafkas = case.kafkas.expect("Kafka's does not fail");
        assert_eq!(sets(&given), sets(&kafkas), "{line}");
        if case.kind == "roundrobin" {
            assert_eq!(given, kafkas, "{line}");
        }
        count += 1;
    }
    assert!(count >= 800, "{count} cases");
}

#[test]
fn sticky_is_kafkas_and_valid_and_even_where_kafkas_goes_astray() {
    let (mut count, mut astray, mut differ) = (0, 0, 0);
    for (line, case) in cases() {
        if !matches!(&*case.kind, "sticky" | "coop") {
            continue;
        }
        count += 1;
        let given = case.assign();
        case.check(&given).unwrap_or_else(|wrong| panic!("{wrong}: {line}\n{given:?}"));
        // What waits to be given up is not there to be counted.
        let uneven = case.uneven(&given).filter(|_| case.kind == "sticky");
        assert_eq!(uneven, None, "{line}\n{given:?}");
        let is_kafkas = case.kafkas.as_ref().is_some_and(|kafkas| sets(&given) == sets(kafkas));
        if case.leads_kafkas_astray() {
            astray += 1;
            differ += usize::from(!is_kafkas);
        } else {
            assert!(is_kafkas, "{line}\n{given:?}");
        }
    }
    println!("{differ} of {count} differ from Kafka's, all of them among the {astray} that lead it astray");
    assert!(count >= 400 && astray * 3 <= count, "{astray} of {count} lead it astray");
}

fn assert_is_kafkas(line: &str) {
    let case = Case::parse(line);
    assert_eq!(sets(&case.assign()), sets(case.kafkas.as_ref().unwrap()), "{line}");
}

#[test]
fn topics_of_members_without_a_rack_are_not_given_together() {
    assert_is_kafkas(
        "range | nbtx:-,-+r0,-,r0 u3:r0+r0,r0+r0,r0,r0,-+r0,r0+r0,r0,r0,r0 z9em:r0+r0,r0,r0,r0,r0+r0 | mp;;;nbtx,u3,z9em;;5 \
         m7;;;z9em,u3,nbtx;;5 m04;;r0;nbtx;;-1 | m04=nbtx:1,nbtx:3 m7=nbtx:0,u3:0,u3:1,u3:2,u3:3,u3:4,z9em:0,z9em:1,z9em:2 \
         mp=nbtx:2,u3:5,u3:6,u3:7,u3:8,z9em:3,z9em:4",
    );
}

#[test]
fn who_of_many_keeps_one_more_is_settled_by_kafkas_hash_table() {
    assert_is_kafkas(
        "sticky | s:-,-+-,-+-,- | merrmg0;;;s;;-1 my4yb4;;;s;s:3,s:0;3 mj;;;s;s:2,s:1;3 | merrmg0=s:2 mj=s:1 my4yb4=s:0,s:3",
    );
}

#[test]
fn of_those_that_went_the_other_way_the_first_of_kafkas_hash_table_goes_back() {
    assert_is_kafkas(
        "coop | dc6njpkk:r0+r0 tua-pw:r0,r0+r0,r0+r0 ut:r1+r0,r0+r0,r0+r0,r1+r0,r0+r0,r0,r0 | miqjdb;;r0;tua-pw,ut,dc6njpkk;;-1 \
         madx99amwz;;r1;tua-pw,dc6njpkk;;3 m2886;;r1;dc6njpkk,ut,tua-pw;;3 | m2886=ut:0,ut:3,ut:1,ut:2 \
         madx99amwz=dc6njpkk:0,tua-pw:0,tua-pw:1 miqjdb=ut:5,ut:6,tua-pw:2,ut:4",
    );
}

#[test]
fn what_three_have_is_disputed_in_the_order_of_kafkas_hash_table() {
    assert_is_kafkas(
        "coop | 3z:r0+r0,r0,r0,r0,r0 l8iw5m:r0,r0,r1,r1+r0,r1 | mzm0x;;r0;l8iw5m,3z;3z:2,l8iw5m:3,l8iw5m:1,3z:1,3z:4;6 \
         mrs;;r0;3z,l8iw5m;3z:1,l8iw5m:2,l8iw5m:0,l8iw5m:4;5 m2wids5j;;r0;l8iw5m,3z;3z:3,3z:0;5 mi;;r2;3z,l8iw5m;3z:1,3z:4;5 \
         | m2wids5j=3z:0,3z:3 mi= mrs=l8iw5m:0 mzm0x=3z:1,l8iw5m:1,3z:2",
    );
}

/// Who had what in earlier generations once had partitions moved in circles, for ever.
#[test]
fn partitions_do_not_move_in_circles() {
    let case = Case::parse(
        "coop | 0galm5:r1+-,-+r1 b1vd7:r1,r1+r1,-+r1,r1,r1,-+r1 cahwbv:- \
         ktap:r1,r1,r1+r1,r1+-,-+r1,r1+r1,r1+r1,-+r1,r1+r1 u:r1,-,r1,r1,r1,r1+-,r1+r1 ya:r1,r1+r1,r1,r1+r1,r1 | \
         m-;;r0;cahwbv,0galm5,b1vd7;b1vd7:1,ktap:1,ktap:4,ya:3,b1vd7:3,0galm5:1,u:0,b1vd7:5,0galm5:0,ya:1,ktap:6,ktap:8,u:4,u:1,u:2,u:6;2 \
         mpa;;r1;cahwbv,ktap,ya,b1vd7;;3 mz;;r0;ktap,0galm5,cahwbv;;4 m2;;r1;ktap,ya,cahwbv;;-1 \
         mi5h;;r0;b1vd7,ktap,cahwbv,0galm5;;-1 mlcxn;;r0;u,b1vd7,0galm5,ktap,ya;;-1 | m-=",
    );
    let given = case.assign();
    assert_eq!(case.check(&given), Ok(()));
}

/// What is valid, and what is not, of an assignment that no assignor has made.
#[test]
fn the_check_finds_what_is_wrong() {
    let topics = Topics::default().with("a", 2).with("b", 1);
    let wants = |id: &str, topic: &str, owned: &str| Subscriber {
        id: id.into(),
        topics: vec![topic.into()],
        owned: partitions(owned),
        ..Subscriber::default()
    };
    let members = [wants("m", "a", ""), wants("n", "b", ""), wants("o", "a", "a:1")];
    let given = |text: &str| -> NamedAssignment {
        words(text)
            .map(|member| member.split_once('=').unwrap())
            .map(|(id, own)| (id.into(), partitions(own)))
            .collect()
    };
    let wrong = |text: &str| check(&topics, &members, &given(text)).unwrap_err().to_string();
    assert_eq!(check(&topics, &members, &given("m=a:0 n=b:0 o=a:1")), Ok(()));
    assert_eq!(wrong("m=a:0,a:1 n=b:0"), "o is not in it");
    assert_eq!(wrong("m=a:0 n=b:0,a:1 o="), "n has a-1, which it does not want");
    assert_eq!(wrong("m=a:0 n=b:0 o=a:0"), "a-0 is given twice");
    assert_eq!(wrong("m=a:0,a:1,a:2 n=b:0 o="), "a-2 is not there");
    assert_eq!(wrong("m=a:0 n=b:0 o="), "a-1 is given to nobody");
    assert_eq!(check_cooperative(&topics, &members, &given("m=a:0 n=b:0 o=")), Ok(()));
    assert!(check_cooperative(&topics, &members, &given("m=a:0 n= o=a:1")).is_err());
}
