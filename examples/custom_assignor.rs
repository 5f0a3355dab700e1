//! An assignor of one's own: members that can do more get more. Each writes its weight beside its
//! subscription, and the leader, whoever that is, gives out partitions by weight. Shown with the
//! bytes that would be on the wire, so that no broker is needed:
//!
//! `cargo run --release --example custom_assignor -- --partitions 12 small=1 large=3`

use bytes::Bytes;
use clap::Parser;
use klamm_coordinator::assignor::{Assignment, Assignor, GroupSpec, Subscriber, TopicPartition, Topics};
use klamm_coordinator::consumer_protocol::{Subscription, decode_assignment, encode_assignment};

#[derive(Parser)]
#[command(about = "Assigns the partitions of a topic to members by weight")]
struct Args {
    /// Partitions of the topic.
    #[arg(long, default_value_t = 12)]
    partitions: usize,
    /// Members and their weights: NAME=WEIGHT.
    #[arg(required = true, value_parser = member)]
    members: Vec<(String, u8)>,
}

/// By weight: who has least for its weight is next.
struct Weighted;

impl Weighted {
    /// What a member writes beside its subscription.
    fn words(weight: u8) -> Bytes {
        Bytes::copy_from_slice(&[weight])
    }
}

impl Assignor for Weighted {
    fn name(&self) -> &'static str {
        "weighted"
    }

    fn assign(&self, group: &GroupSpec<'_>) -> Assignment {
        let weights: Vec<usize> = group.members().iter().map(|member| weight(member)).collect();
        let mut sizes = vec![0; weights.len()];
        let mut given = Assignment::none(group);
        for (topic, subscribers) in group.subscribers(group.by_id()).iter().enumerate() {
            for partition in group.partitions(topic) {
                let load = |member: &&usize| (1 + sizes[**member]) * 1000 / weights[**member];
                if let Some(next) = subscribers.iter().min_by_key(load) {
                    given.give(partition, *next);
                    sizes[*next] += 1;
                }
            }
        }
        given
    }
}

/// One that writes none has a weight of 1.
fn weight(member: &Subscriber) -> usize {
    member.user_data.as_ref().and_then(|words| words.first()).map_or(1, |weight| usize::from(*weight).max(1))
}

fn member(text: &str) -> Result<(String, u8), String> {
    let (name, weight) = text.split_once('=').ok_or("expected NAME=WEIGHT")?;
    let weight =
        weight.parse().ok().filter(|weight| *weight > 0).ok_or("a weight is a number from 1 to 255")?;
    Ok((name.to_owned(), weight))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args = Args::parse();
    let mut members = Vec::new();
    for (name, weight) in &args.members {
        let user_data = Some(Weighted::words(*weight));
        let sent =
            Subscription { topics: vec!["jobs".into()], user_data, ..Subscription::default() }.encode()?;
        // What the leader finds in its answer to JoinGroup.
        members.push(Weighted.subscriber(Subscription::decode(&sent)?, name.as_str().into(), None));
    }
    let topics = Topics::default().with("jobs", args.partitions);
    let group = GroupSpec::new(&topics, &members);
    for (member, partitions) in group.named(&Weighted.assign(&group)) {
        let sent = encode_assignment(&partitions)?;
        let told: Vec<TopicPartition> = decode_assignment(&sent)?;
        let numbers: Vec<_> = told.iter().map(|own| own.partition.to_string()).collect();
        println!("{member}: {} partitions: {}", told.len(), numbers.join(" "));
    }
    Ok(())
}
