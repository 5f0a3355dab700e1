"""Frames with a story: names, groups, refusals and ids that clients have met, and a sample of damaged batches."""
import random, re

import topics as T
from frames import UNKNOWN, Frame
from schema import ZERO

# How many of the cases of `produce_codes.txt` are tried.
SAMPLE = 250


class Story:
    def __init__(self, broker):
        self.broker, self.told = broker, []

    def ask(self, name, version, value, about):
        frame = Frame(self.broker.by_name[name], version, f"named: {about}", len(self.told), value)
        outcome = settled(self.broker, frame)
        self.told.append((frame, outcome))
        return outcome


def is_being_created(frame, outcome):
    """Whether Metadata has told of a topic that will be there in a moment, or Kafka fetches its first producer ids."""
    if not isinstance(outcome, dict):
        return False
    if frame.api.name != "Metadata":
        return frame.api.name == "InitProducerId" and outcome["ErrorCode"] == 14
    may_create = frame.version < 4 or frame.value.get("AllowAutoTopicCreation")
    return any(is_coming(topic["ErrorCode"], topic["Name"] or "", may_create) for topic in outcome["Topics"])


def is_coming(code, name, may_create):
    is_legal = re.fullmatch(r"[a-zA-Z0-9._-]{1,249}", name) and name not in (".", "..", "__cluster_metadata")
    return code == 5 or (code == 3 and bool(may_create and is_legal))


def settled(broker, frame):
    """Kafka creates topics after it has answered: it is asked until they are there."""
    outcome = broker.outcome(frame)
    for _ in range(100):
        if not is_being_created(frame, outcome):
            break
        outcome = broker.outcome(frame)
    return outcome


def outcomes(broker, seed):
    """All stories, as frames with what came of them."""
    story = Story(broker)
    for tell in (topic_names, empty_group, refused_joins, software_names, ids, last_offset, fetches, unanswered, topics_named_twice):
        tell(story)
    damaged_batches(story, seed)
    return story.told


def topic_names(story):
    for name in ("", ".", "..", "x" * 249, "x" * 250, "a/b", "é", "a_b", "a.b", "__cluster_metadata", "__consumer_offsets", "__mine"):
        topics = [{"Name": name, "NumPartitions": 1, "ReplicationFactor": 1}]
        story.ask("CreateTopics", 7, {"Topics": topics, "TimeoutMs": 5000}, f"a topic {name[:12]!r}")
    for name in ("__debezium-heartbeat.server", "__cluster_metadata", "a_b", "bad/name", "on-demand", "__transaction_state"):
        value = {"Topics": [{"Name": name}], "AllowAutoTopicCreation": True}
        for version in (4, 9, 12):
            story.ask("Metadata", version, value, f"a topic {name!r} on demand")


def empty_group(story):
    commit = {"GroupId": "", "GenerationIdOrMemberEpoch": -1, "Topics": [
        {"Name": "t3", "Partitions": [{"PartitionIndex": 0, "CommittedOffset": 3}]}]}
    join = {"GroupId": "", "SessionTimeoutMs": 10_000, "ProtocolType": "consumer", "Protocols": [{"Name": "range"}]}
    for name, version, value in (
        ("OffsetCommit", 8, commit), ("DescribeGroups", 5, {"Groups": [""]}), ("ListGroups", 4, {}), ("JoinGroup", 3, join),
        ("OffsetFetch", 7, {"GroupId": "", "Topics": None}), ("OffsetFetch", 9, {"Groups": [{"GroupId": "", "Topics": None}]}),
        ("Heartbeat", 3, {"GroupId": ""}), ("LeaveGroup", 3, {"GroupId": "", "Members": [{"MemberId": "m"}]}),
        ("SyncGroup", 3, {"GroupId": ""}), ("FindCoordinator", 3, {"Key": ""}), ("FindCoordinator", 4, {"CoordinatorKeys": [""]}),
        ("ConsumerGroupDescribe", 1, {"GroupIds": [""]}), ("ConsumerGroupHeartbeat", 1, {"GroupId": "", "MemberId": "m"}),
        ("OffsetDelete", 0, {"GroupId": "", "Topics": [{"Name": "t3", "Partitions": [{"PartitionIndex": 0}]}]}),
        ("DeleteGroups", 2, {"GroupsNames": [""]}), ("DescribeGroups", 5, {"Groups": [""]}), ("ListGroups", 4, {}),
    ):
        story.ask(name, version, value, "the group without a name")


def refused_joins(story):
    good = {"GroupId": "refuses", "SessionTimeoutMs": 10_000, "RebalanceTimeoutMs": 1000, "ProtocolType": "consumer",
            "Protocols": [{"Name": "range", "Metadata": ""}]}
    odd = {"session too short": {"SessionTimeoutMs": 1}, "session too long": {"SessionTimeoutMs": 1_800_001},
           "unknown member": {"MemberId": "nobody"}, "no protocols": {"Protocols": []}, "no type": {"ProtocolType": ""},
           "a group of the newer protocol": {"GroupId": "newer", "MemberId": "nobody"},
           "another type": {"GroupId": "live", "ProtocolType": "connect", "MemberId": "nobody"},
           "another protocol": {"GroupId": "live", "Protocols": [{"Name": "other"}], "MemberId": "nobody"},
           "unknown static member": {"MemberId": "nobody", "GroupInstanceId": "one"}}
    for version in range(10):
        for about, change in odd.items():
            story.ask("JoinGroup", version, {**good, **change}, about)


def software_names(story):
    for name in ("", "a", "A.b-9", "-a", "a-", ".a", "a.", "a b", "a_b", "é", "a" * 1000, "a/b", "apache-kafka-java"):
        for version in (3, 4):
            for value in ({"ClientSoftwareName": name, "ClientSoftwareVersion": "1"},
                          {"ClientSoftwareName": "a", "ClientSoftwareVersion": name}):
                story.ask("ApiVersions", version, value, f"software {name[:10]!r}")


def ids(story):
    for version in (10, 11, 12, 13):
        for asked in (["$t3"], [UNKNOWN], ["$t1", UNKNOWN]):
            topics = [{"TopicId": each, "Name": None} for each in asked]
            story.ask("Metadata", version, {"Topics": topics}, "by id")
    for order in (["$t3", UNKNOWN], [UNKNOWN, "$t3"], [UNKNOWN], [ZERO, "$t1"]):
        topics = [{"TopicId": each, "PartitionIndexes": [0, 1]} for each in order]
        story.ask("OffsetFetch", 10, {"Groups": [{"GroupId": "offsets", "Topics": topics}]}, "unknown ids")
        topics = [{"TopicId": each, "Partitions": [{"PartitionIndex": 0, "CommittedOffset": 9}]} for each in order]
        story.ask("OffsetCommit", 10, {"GroupId": "commits", "Topics": topics}, "unknown ids")


def last_offset(story):
    partition = {"PartitionIndex": 0, "CommittedOffset": 3}
    commit = {"GroupId": "kept", "GenerationIdOrMemberEpoch": -1, "Topics": [{"Name": "t1", "Partitions": [partition]}]}
    story.ask("OffsetCommit", 8, commit, "one offset")
    delete = {"GroupId": "kept", "Topics": [{"Name": "t1", "Partitions": [{"PartitionIndex": 0}]}]}
    story.ask("OffsetDelete", 0, delete, "the last offset")
    for name, version, value in (("DescribeGroups", 5, {"Groups": ["kept"]}), ("ListGroups", 4, {}),
                                 ("OffsetFetch", 7, {"GroupId": "kept", "Topics": None}), ("DeleteGroups", 2, {"GroupsNames": ["kept"]})):
        story.ask(name, version, value, "a group without offsets")


def fetches(story):
    for version in (12, 13, 16, 18):
        for epoch, offset, current in ((0, 0, 0), (0, 999_999, 0), (5, 0, 0), (0, 4, -1), (-1, 999_999, -1), (0, 4, 7), (7, 999_999, 0)):
            partition = {"Partition": 0, "FetchOffset": offset, "LastFetchedEpoch": epoch, "CurrentLeaderEpoch": current,
                         "PartitionMaxBytes": 500}
            story.ask("Fetch", version, fetch(version, partition), "last fetched epoch")
        for replica in (-1, 0, 1, 2, -2, -3):
            value = fetch(version, {"Partition": 0, "FetchOffset": 0, "CurrentLeaderEpoch": 0, "PartitionMaxBytes": 100})
            value |= {"ReplicaId": replica} if version < 15 else {"ReplicaState": {"ReplicaId": replica, "ReplicaEpoch": 1}}
            story.ask("Fetch", version, value, f"replica {replica}")


def fetch(version, partition):
    topic = {"Topic": "t3"} if version < 13 else {"TopicId": "$t3"}
    return {"MaxBytes": 1000, "SessionEpoch": -1, "Topics": [{**topic, "Partitions": [partition]}]}


def unanswered(story):
    """What Kafka leaves without an answer: a protocol named twice, a partition without records, a setting named twice."""
    join = {"GroupId": "twice", "SessionTimeoutMs": 10_000, "ProtocolType": "consumer", "Protocols": [{"Name": "range"}] * 2}
    story.ask("JoinGroup", 3, join, "a protocol named twice")
    data = [{"Name": "t1", "PartitionData": [{"Index": 0, "Records": None}]}]
    story.ask("Produce", 8, {"Acks": -1, "TimeoutMs": 1000, "TopicData": data}, "no records")
    data = [{"Name": name, "PartitionData": [{"Index": 0, "Records": records.hex()}]}
            for name, records in (("codes", b"\xff" * 20), ("compacted", T.keyed()))]
    story.ask("Produce", 8, {"Acks": -1, "TimeoutMs": 1000, "TopicData": data}, "records of no batch, and a good batch")
    resource = {"ResourceType": 2, "ResourceName": "settings", "Configs": [{"Name": "retention.ms", "Value": "9"}] * 2}
    story.ask("AlterConfigs", 1, {"Resources": [resource], "ValidateOnly": True}, "a setting named twice")


def topics_named_twice(story):
    for version, value in ((5, {"TopicNames": ["on-demand"] * 2}), (6, {"Topics": [{"Name": "on-demand", "TopicId": ZERO}] * 2})):
        story.ask("DeleteTopics", version, {**value, "TimeoutMs": 5000}, "a topic named twice")


def damaged_batches(story, seed):
    rng = random.Random(seed)
    for words in rng.sample(T.CASES, min(SAMPLE, len(T.CASES))):
        topic, batch, change = words[1], words[2], words[3:-2]
        bit = rng.randint(*map(int, change[1].split("-"))) if change[0].startswith("bit") else 0
        records = T.changed(T.BATCHES[batch], change, bit).hex()
        data = [{"Name": topic, "PartitionData": [{"Index": 0, "Records": records}]}]
        value = {"Acks": -1, "TimeoutMs": 5000, "TopicData": data}
        story.ask("Produce", 8, value, f"{batch} {' '.join(change)} bit {bit}")
