//! What members of classic groups should not send: Kafka's error, and nobody else is disturbed.

use klamm_broker::{Broker, BrokerConfig};
use klamm_protocol::ErrorCode;
use klamm_protocol::messages::join_group_request::{JoinGroupRequest, JoinGroupRequestProtocol};
use klamm_protocol::messages::join_group_response::JoinGroupResponse;
use klamm_tests::admin::create;
use klamm_tests::client::Client;
use klamm_tests::groups::{Member, subscription};

fn start() -> (Broker, Client) {
    let broker = Broker::start(BrokerConfig::for_test()).unwrap();
    let mut client = Client::connect(&broker);
    create(&mut client, "t", 2, &[]);
    (broker, client)
}

fn member(broker: &Broker, group: &str) -> Member {
    Member::new(Client::connect(broker), group)
}

/// A group of one, with everything, and an offset.
fn bystander(broker: &Broker) -> Member {
    let mut own = member(broker, "bystander");
    assert_eq!(own.join(&["t"]).error_code, 0);
    let id = own.id.to_string();
    assert_eq!(own.sync(&[(&id, "everything")]).error_code, 0);
    assert_eq!(own.commit("t", 5), 0);
    own
}

fn assert_undisturbed(own: &mut Member) {
    assert_eq!((own.beat(), own.generation, own.committed("t")), (0, 1, 5));
}

/// Joins in the first version, where no id has to be asked for.
fn join(client: &mut Client, group: &str, session_ms: i32, metadata: Vec<u8>) -> JoinGroupResponse {
    let protocol = JoinGroupRequestProtocol { name: "range".into(), metadata: metadata.into() };
    let request = JoinGroupRequest {
        group_id: group.into(),
        session_timeout_ms: session_ms,
        protocol_type: "consumer".into(),
        protocols: vec![protocol],
        ..JoinGroupRequest::default()
    };
    client.call(&request, 0)
}

#[test]
fn sessions_are_as_long_as_the_settings_say() {
    let (broker, mut client) = start();
    let mut own = bystander(&broker);
    let config = BrokerConfig::for_test().groups;
    let millis = |time: std::time::Duration| i32::try_from(time.as_millis()).unwrap();
    let (least, most) = (millis(config.min_session_timeout), millis(config.max_session_timeout));
    for (session, want) in
        [(least, 0), (least - 1, 26), (most, 0), (most + 1, 26), (-1, 26), (0, 26), (i32::MAX, 26)]
    {
        let told = join(&mut client, &format!("g{session}"), session, subscription(&["t"]));
        assert_eq!(told.error_code, want, "{session}");
    }
    assert_undisturbed(&mut own);
}

/// To the coordinator they are bytes, whatever they say.
#[test]
fn words_of_members_are_carried_as_they_are() {
    let (broker, mut client) = start();
    let mut own = bystander(&broker);
    let mut topics = subscription(&["t"]);
    topics.truncate(5);
    for (group, metadata) in [("empty", Vec::new()), ("noise", vec![0xff; 64]), ("cut", topics)] {
        let told = join(&mut client, group, 10_000, metadata.clone());
        assert_eq!((told.error_code, &told.members[0].metadata[..]), (0, &metadata[..]), "{group}");
    }
    assert_undisturbed(&mut own);
}

/// Of a group that is too large for a batch the assignment is refused, as Kafka does, and the group
/// goes on without it.
#[test]
fn words_that_cannot_be_logged_are_refused() {
    let (broker, _client) = start();
    let mut own = bystander(&broker);
    let mut large = member(&broker, "large");
    assert_eq!(large.join(&["t"]).error_code, 0);
    let (id, words) = (large.id.to_string(), "w".repeat(2 << 20));
    assert_eq!(large.sync(&[(&id, &words)]).error_code, ErrorCode::UnknownServerError.code());
    assert_eq!(large.beat(), ErrorCode::RebalanceInProgress.code());
    assert_eq!(large.join(&["t"]).error_code, 0);
    assert_eq!(large.sync(&[(&id, "everything")]).error_code, 0);
    assert_eq!(large.beat(), 0);
    assert_undisturbed(&mut own);
}

#[test]
fn a_subscription_of_a_hundred_thousand_topics_is_carried() {
    let (broker, mut client) = start();
    let mut own = bystander(&broker);
    let names: Vec<String> = (0..100_000).map(|number| format!("{number:x}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut metadata = subscription(&[]);
    metadata[2..6].copy_from_slice(&100_000_u32.to_be_bytes());
    let words = metadata.split_off(6);
    for name in &names {
        metadata.extend(u16::try_from(name.len()).unwrap().to_be_bytes());
        metadata.extend(name.as_bytes());
    }
    metadata.extend(words);
    let told = join(&mut client, "many", 10_000, metadata.clone());
    assert_eq!((told.error_code, told.members[0].metadata.len()), (0, metadata.len()));
    let mut large = member(&broker, "many");
    (large.id, large.generation, large.version) = (told.member_id, told.generation_id, 0);
    let id = large.id.to_string();
    assert_eq!(large.sync(&[(&id, "everything")]).error_code, 0);
    assert_eq!((large.beat(), large.commit("t", 1)), (0, 0));
    assert_undisturbed(&mut own);
}

/// Who names another's `group.instance.id`, or the id of one that has been replaced, is fenced; ids
/// of dynamic members are no secret, and as good from whoever sends them.
#[test]
fn members_that_send_each_others_ids_are_told() {
    let (broker, _client) = start();
    let mut own = bystander(&broker);
    let mut members = ["one", "two"].map(|instance| {
        let mut member = member(&broker, "g");
        member.instance = Some(instance.into());
        member
    });
    let [first, second] = &mut members;
    assert_eq!(first.join(&["t"]).error_code, 0);
    second.send_join(&["t"]);
    while first.beat() == 0 {
        std::thread::yield_now();
    }
    assert_eq!(first.join(&["t"]).leader, first.id);
    assert_eq!(second.read_join().error_code, 0);
    let ids = [first.id.to_string(), second.id.to_string()];
    assert_eq!(first.sync(&[(&ids[0], "t-0"), (&ids[1], "t-1")]).error_code, 0);
    assert_eq!(second.sync(&[]).error_code, 0);
    let (fenced, unknown) = (ErrorCode::FencedInstanceId.code(), ErrorCode::UnknownMemberId.code());
    for (id, instance, want) in [
        (&*ids[1], Some("one"), fenced),
        ("nobody", Some("one"), fenced),
        (&*ids[0], Some("nobody"), unknown),
        ("nobody", None, unknown),
        ("", None, unknown),
    ] {
        let mut forged = member(&broker, "g");
        (forged.id, forged.generation) = (id.into(), members[0].generation);
        forged.instance = instance.map(Into::into);
        let told = [forged.beat(), forged.sync(&[]).error_code, forged.commit("t", 9), forged.leave()];
        assert_eq!(told, [want; 4], "{id} {instance:?}");
    }
    let mut elsewhere = member(&broker, "g");
    (elsewhere.id, elsewhere.generation) = (own.id.clone(), own.generation);
    assert_eq!([elsewhere.beat(), elsewhere.commit("t", 9)], [unknown; 2], "a member of another group");
    assert!(members.iter_mut().all(|member| member.beat() == 0));
    assert_eq!(members[0].committed("t"), -1);
    assert_undisturbed(&mut own);
}
