"""Requests for any API and version: valid ones, odd ones, and damaged frames. The same seed gives the same frames."""
import copy, random, struct, zlib

from schema import ENDLESS, INTEGERS, ZERO, request, varint, within
import topics as T

VALID, ODD, DAMAGED = 10, 14, 10
UNKNOWN = "7" * 32
# Kafka's own topic of metadata.
METADATA = "0" * 31 + "1"

# What a field may hold: values that a client sends, and odd ones. By API and field, by the kind of entity, or by field.
POOLS = {
    "topicName": (["t3", "t1", "compact"], ["nope", "", "a/b", "x" * 250, ".", "..", "__consumer_offsets", "é", "T1"]),
    "groupId": (["offsets", "live", "newer"], ["", "none", "é", "g" * 300, "offsets ", "gone-0"]),
    "brokerId": ([1], [-1, 0, 2, 99, -2]),
    "transactionalId": ([None], ["tx", "", "é"]),
    "producerId": ([-1], [0, 1, 9000, -2, 2**62]),
    "ReplicaId": ([-1], [0, 1, 2, -2, -3]),
    "TopicId": (["$t3", "$t1"], [ZERO, UNKNOWN, METADATA, "$compact"]),
    "PartitionIndex": ([0, 1, 2], [3, -1, 2**31 - 1, -(2**31)]),
    "MemberId": ([""], ["$live", "member-1", "nobody", "m" * 100]),
    "GroupInstanceId": ([None], ["static", "", "i" * 300]),
    "InstanceId": ([None], ["static", ""]),
    "TimeoutMs": ([5000], [60_000]),
    "MaxWaitMs": ([0], [-1, 1]),
    "MinBytes": ([0], [-1, 1]),
    "MaxBytes": ([1 << 20], [0, 1, -1, 300]),
    "PartitionMaxBytes": ([1 << 20], [0, 1, -1, 100]),
    "IsolationLevel": ([0, 1], [2, -1, 127]),
    "FetchOffset": ([0, 4, 10], [-1, -2, 11, 2**62]),
    "CurrentLeaderEpoch": ([-1, 0], [1, 7, -2, 2**31 - 1]),
    "LastFetchedEpoch": ([-1, 0], [1, 5, -2]),
    "LeaderEpoch": ([0], [1, 7, -1, -2]),
    "LogStartOffset": ([-1, 0], [5, -2]),
    "SessionId": ([0], [12345, -1]),
    "SessionEpoch": ([-1, 0], [1, 5, -2]),
    "Timestamp": ([-1, -2, -3, 1_700_000_000_003], [-4, -5, -6, -7, -8, 0, 2**62]),
    "CommittedOffset": ([0, 7, 123], [-1, -2, 2**62]),
    "CommittedMetadata": (["", "note"], [None, "n" * 4096, "n" * 4097]),
    "CommittedLeaderEpoch": ([-1, 0], [5, -2]),
    "GenerationIdOrMemberEpoch": ([-1], [0, 1, 2, -2]),
    "GenerationId": ([1], [0, -1, 2]),
    "MemberEpoch": ([-1], [0, 1, 2, -2]),
    "ResourceType": ([2], [0, 1, 3, 4, 8, 16, 32, 64, -1, 127]),
    "OffsetCommit.GroupId": (["offsets", "commits"], ["", "none", "live", "newer", "é"]),
    "SubscribedTopicNames": (["t3"], ["nope", ""]),
    "SubscribedTopicRegex": ([None], ["t.*", "(", ""]),
    "ServerAssignor": ([None, "uniform", "range"], ["nope", ""]),
    "SessionTimeoutMs": ([1_800_000], [0, -1, 5999, 1_800_001, 6000]),
    "RebalanceTimeoutMs": ([1_800_000], [0, -1]),
    "ProtocolType": (["consumer"], ["", "connect"]),
    "ProtocolName": (["range"], ["", "nope"]),
    "JoinGroup.Protocols.Name": (["range", "roundrobin"], ["", "x"]),
    "JoinGroup.Protocols.Metadata": (["0000000000010002743300000000", ""], ["00", "ffff"]),
    "Assignment": (["", "0000000000010002743300000001000000000000000000"], ["00"]),
    "Reason": ([None], ["why", "", "r" * 300]),
    "KeyType": ([0], [1, 2, 3, -1, 127]),
    "Key": (["offsets", "anything"], ["", "é"]),
    "CoordinatorKeys": (["offsets", "anything"], ["", "é", "g:7777:0"]),
    "ClientSoftwareName": (["apache-kafka-java", "a"], ["", "-a", "a-", "a b", "é", "a" * 300, "."]),
    "ClientSoftwareVersion": (["4.3.1", "1"], ["", "-1", "1 2", "ü"]),
    "StatesFilter": (["Stable", "Empty", "stable"], ["", "nope", "Dead", "Assigning"]),
    "TypesFilter": (["classic", "Consumer"], ["", "nope", "share"]),
    "ElectionType": ([0], [1, 2, -1]),
    "Acks": ([-1, 1], [0, 2, -2]),
    "Mechanism": (["PLAIN", "SCRAM-SHA-256"], ["", "nope"]),
    "AuthBytes": (["", "00610062"], ["ff"]),
    "EndpointType": ([1], [0, 2, 3, -1]),
    "Path": (["/nowhere"], ["", "relative"]),
    "ResponsePartitionLimit": ([2000, 2], [0, -1, 1]),
    "ListTransactions.StateFilters": (["Ongoing", "Empty"], ["nope", ""]),
    "DurationFilter": ([-1, 0], [5, -2]),
    "TransactionalIdPattern": ([None, "t.*"], ["(", ""]),
    "TransactionTimeoutMs": ([60_000], [0, -1, 2**31 - 1]),
    "ProducerEpoch": ([-1], [0, 1, -2]),
    "UnregisterBroker.BrokerId": ([0x7FFFFF00], [-1, 5, 99]),
    "AlterPartitionReassignments.Replicas": ([1], [2, -1, 0]),
    "BrokerIds": ([1], [2, -1, 0]),
    "Count": ([4], [-1, 0, 1, 3]),
    "NumPartitions": ([1, 2, -1], [0, -2, 20_000]),
    "ReplicationFactor": ([1, -1], [0, 2, -2]),
    "AlterClientQuotas.EntityType": (["client-id", "user", "ip"], ["", "nope", "clientid"]),
    "DescribeClientQuotas.EntityType": (["client-id", "user", "ip"], ["", "nope"]),
    "EntityName": (["somebody", None], ["", "é", "10.0.0.1"]),
    "AlterClientQuotas.Key": (["producer_byte_rate", "consumer_byte_rate"], ["", "nope", "request_percentage",
        "controller_mutation_rate", "connection_creation_rate"]),
    "AlterClientQuotas.Value": ([1e9, 5.0], [0.0, -1.0, 0.5, 1e300, 1.5]),
    "MatchType": ([0, 1, 2], [3, -1]),
    "Match": (["somebody", None], ["", "é"]),
    "ResourceTypeFilter": ([1, 2], [0, -1, 7, 127]),
    "ResourcePatternType": ([3], [0, 1, 2, 4, 127]),
    "PatternTypeFilter": ([1, 3], [0, 2, 4, 127]),
    "Principal": (["User:a"], ["", "a", "nope:b"]),
    "Host": (["*"], ["", "h"]),
    "Operation": ([3], [0, 1, 2, 127]),
    "PermissionType": ([3], [0, 1, 2, 127]),
    "Feature": (["group.version"], ["metadata.version", "nope", "", "kraft.version", "transaction.version"]),
    "MaxVersionLevel": ([1], [0, -1, 2, 100]),
    "UpgradeType": ([1], [2, 3, 0, -1]),
    "ResourceTypes": ([2, 4], [0, 8, 16, 32, 1, 127, -1]),
    "ConfigOperation": ([0, 1], [2, 3, 4, -1]),
    "ConfigurationKeys": (["segment.bytes", "retention.ms", "cleanup.policy"], ["nope", "", "Segment.Bytes"]),
    "AlterUserScramCredentials.Mechanism": ([1, 2], [0, 3, -1]),
    "Iterations": ([4096], [0, 4095, 16385]),
    "DeleteRecords.Name": (["cut"], ["nope", "", "compact", "__consumer_offsets"]),
    "DeleteRecords.Offset": ([0, 2], [-1, -2, 4, 2**62]),
    # The coordinator's topic stays: without it neither broker would answer for groups.
    "DeleteTopics.Name": (["nope"], ["", "a/b", ".", "é"]),
    "DeleteTopics.TopicId": ([ZERO], [UNKNOWN]),
    "DeleteTopics.TopicNames": (["nope"], ["", "a/b", ".", "é"]),
    "DescribeQuorum.TopicName": (["__cluster_metadata"], ["t3", "", "nope"]),
    "MaxLifetimeMs": ([-1, 1000], [0, -2]),
    "Hmac": (["0011"], [""]),
    "OwnerPrincipalType": ([None, "User"], ["", "nope"]),
}
for alias in ("Partition", "Index", "Partitions", "PartitionIndexes"):
    POOLS[alias] = POOLS["PartitionIndex"]
# Numbers whose extremes would keep a broker busy or a request waiting: they have the values of their pools alone.
BOUNDED = {"NumPartitions", "Count", "TimeoutMs", "MaxWaitMs", "SessionTimeoutMs", "RebalanceTimeoutMs", "BrokerId"}

# Odd requests of these are only tried: a quota for everybody would slow this client down.
TRIED = {"AlterClientQuotas", "UpdateFeatures"}
# Arrays whose elements are not repeated: Kafka then never answers, or leaves topics that Klamm deletes. Named frames
# repeat them once.
NOT_REPEATED = {("JoinGroup", "Protocols"), ("AlterConfigs", "Resources"), ("AlterConfigs", "Configs"),
                ("DeleteTopics", "TopicNames"), ("DeleteTopics", "Topics")}

TOPIC_SETTINGS = [("segment.bytes", "1048576"), ("retention.ms", "777777777"), ("cleanup.policy", "compact"),
    ("max.message.bytes", "9999"), ("min.insync.replicas", "1"), ("compression.type", "zstd")]
ODD_SETTINGS = [("nope", "1"), ("", ""), ("segment.bytes", "x"), ("segment.bytes", ""), ("segment.bytes", None),
    ("retention.ms", "-2"), ("cleanup.policy", "shred"), ("max.message.bytes", "-1"), ("segment.bytes", "1"),
    ("compression.type", "rar"), ("min.insync.replicas", "0"), ("message.timestamp.type", "Never"),
    ("cleanup.policy", "compact,delete"), ("flush.ms", "9223372036854775808"), ("preallocate", "maybe")]


class Frame:
    """A request, by its API, version and number; the change that damages it, if any."""

    def __init__(self, api, version, kind, number, value, damage=None):
        self.api, self.version, self.kind, self.number = api, version, kind, number
        self.value, self.damage = value, damage

    def name(self):
        return f"{self.api.name} v{self.version} #{self.number} ({self.kind}{f': {self.damage[0]}' if self.damage else ''})"

    def encode(self, correlation, symbols):
        data, body, lengths = request(self.api, self.version, correlation, self.value, symbols)
        if not self.damage:
            return struct.pack(">i", len(data)) + data
        flexible = self.api.request.is_flexible(self.version)
        return damaged(self.damage, bytearray(data), body, lengths, flexible)


def frames_of(api, version, seed):
    """All frames of one version of an API."""
    rng = random.Random(zlib.crc32(f"{seed} {api.name} {version}".encode()))
    numbers = iter(range(VALID + ODD + DAMAGED))
    for _ in range(VALID):
        number = next(numbers)
        yield Frame(api, version, "valid", number, valid(api, version, rng, number))
    for _ in range(ODD):
        number = next(numbers)
        value = valid(api, version, rng, number)
        for _ in range(rng.choice([1, 1, 2, 3])):
            make_odd(api, version, value, rng)
        if api.name in TRIED:
            harmless(value)
        yield Frame(api, version, "odd", number, value)
    for kind in range(DAMAGED):
        number = next(numbers)
        value = valid(api, version, rng, number)
        harmless(value)
        yield Frame(api, version, "damaged", number, value, (DAMAGES[kind], rng.random(), rng.random()))


def harmless(value):
    """A flipped bit must not make ten thousand partitions, or quotas that slow this client down. Batches that only one
    broker takes must not change the offsets that other frames see."""
    value["ValidateOnly"] = True
    for topic in value.get("TopicData", ()):
        topic.update(Name="codes", TopicId="$codes")


def pool(api, path, field):
    for key in (f"{api.name}.{'.'.join(path)}", f"{api.name}.{path[-1]}", field.entity, path[-1]):
        if key in POOLS:
            return POOLS[key]
    if field.type in INTEGERS:
        return [0, 1], [-1, -2, 7]
    return {"bool": ([False, True], []), "string": (["x"], ["", "é", "s" * 300]), "uuid": ([UNKNOWN], [ZERO]),
            "float64": ([1.0], [0.0, -1.0])}.get(field.type, (["", "00ff"], ["ff" * 20]))


def fields_at(fields, version):
    return [field for field in fields if within(version, field.versions)]


def valid(api, version, rng, number):
    value = of_struct(api, version, api.request.fields, (), rng)
    shape = SHAPES.get(api.name)
    if shape:
        shape(value, version, rng, number)
    return value


def of_struct(api, version, fields, path, rng):
    value = {}
    for field in fields_at(fields, version):
        at = (*path, field.name)
        if within(version, field.tagged):
            continue
        if within(version, field.nullable) and field.default is None and (field.is_array or field.fields):
            if rng.random() < 0.5:
                value[field.name] = None
                continue
        value[field.name] = content(api, version, field, at, rng)
    return value


def content(api, version, field, at, rng):
    if not field.is_array:
        return element(api, version, field, at, rng)
    items = []
    for _ in range(rng.choice([1, 1, 2])):
        item = element(api, version, field, at, rng)
        if item not in items:
            items.append(item)
    return items


def element(api, version, field, at, rng):
    if field.fields:
        return of_struct(api, version, field.fields, at, rng)
    good = [each for each in pool(api, at, field)[0] if each is not None or within(version, field.nullable)]
    return rng.choice(good or [""])


def slots(api, version, fields, value, path=()):
    """Every place in a message that can be made odd: what holds it, its key, its field, and its path."""
    for field in fields_at(fields, version):
        at, held = (*path, field.name), value.get(field.name)
        yield value, field.name, field, at
        if field.is_array and held:
            for index, item in enumerate(held):
                if field.fields:
                    yield from slots(api, version, field.fields, item, at)
                else:
                    yield held, index, field, at
        elif field.fields and held:
            yield from slots(api, version, field.fields, held, at)


def make_odd(api, version, value, rng):
    places = list(slots(api, version, api.request.fields, value))
    if not places:
        return
    holder, key, field, at = rng.choice(places)
    if field.is_array and isinstance(holder, dict):
        holder[key] = odd_array(api, version, field, holder.get(key), rng)
    elif field.fields:
        holder[key] = None if within(version, field.nullable) else holder.get(key)
    elif field.type == "records":
        # Records of no batch make Kafka refuse other partitions too, and the offsets differ from there on.
        return
    elif field.type == "bool":
        holder[key] = not holder.get(key)
    else:
        choices = list(pool(api, at, field)[1])
        if field.type in ("int64", "int32") and field.name not in BOUNDED:
            choices += [2**31 - 1, -(2**31)]
        if within(version, field.nullable):
            choices.append(None)
        holder[key] = rng.choice(choices or [holder.get(key)])


def odd_array(api, version, field, items, rng):
    choices = [[]] if (api.name, field.name) in NOT_REPEATED else [[], (items or []) * 2, (items or []) * 30]
    if within(version, field.nullable):
        choices.append(None)
    return copy.deepcopy(rng.choice(choices))


# What fits together, which the fields by themselves do not say.
def produce(value, version, rng, number):
    for topic in value["TopicData"]:
        for partition in topic["PartitionData"]:
            partition["Records"] = rng.choice(T.GOOD_BATCHES).hex()


def create_topics(value, version, rng, number):
    # One in three is only tried, so that the others do not make thousands of topics.
    value["ValidateOnly"] = number % 3 > 0
    for index, topic in enumerate(value["Topics"]):
        topic["Name"] = rng.choice([f"made-{version}-{number}-{index}"] * 4 + ["t3", "a_b"])
        topic["Configs"] = settings(rng)
        if rng.random() < 0.3:
            topic.update(NumPartitions=-1, ReplicationFactor=-1)
        else:
            topic["Assignments"] = []


def settings(rng):
    picked = dict(rng.sample(TOPIC_SETTINGS, rng.choice([0, 1, 2])) + rng.sample(ODD_SETTINGS, rng.choice([0, 0, 1])))
    return [{"Name": name, "Value": setting} for name, setting in picked.items()]


def metadata(value, version, rng, number):
    """By name, or by id from the version on in which Kafka can."""
    for topic in value["Topics"] or []:
        by_id = version >= 12 and rng.random() < 0.5
        topic.update({"Name": None} if by_id else {"TopicId": ZERO})


def delete_topics(value, version, rng, number):
    name = f"del-{version}-{number % 12}"
    if version < 6:
        value["TopicNames"] = [name] + rng.choice([[], ["nope"]])
    else:
        by_id = {"Name": None, "TopicId": f"${name}"}
        value["Topics"] = [rng.choice([by_id, {"Name": name, "TopicId": ZERO}])]


def create_partitions(value, version, rng, number):
    value["ValidateOnly"] = number % 2 > 0
    for topic in value["Topics"]:
        topic.update(Name="grows", Count=rng.choice([2, number + 2, number + 9]))
        topic["Assignments"] = rng.choice([None, None, [], [{"BrokerIds": [1]}]])


def resources(value, version, rng, number):
    value["Resources"] = []
    for kind, name in rng.sample([(2, "t3"), (2, "settings"), (4, "1"), (4, ""), (8, "1"), (16, "m"), (32, "offsets")],
                                 rng.choice([1, 1, 2])):
        keys = rng.choice([None, ["segment.bytes", "cleanup.policy"], ["retention.ms"], []])
        value["Resources"].append({"ResourceType": kind, "ResourceName": name, "ConfigurationKeys": keys})


def alter(value, version, rng, number):
    value["ValidateOnly"] = number % 2 > 0
    value["Resources"] = []
    targets = [(2, "settings"), (2, "nope"), (4, ""), (4, "1"), (16, f"m{number}"), (32, "offsets"), (8, "1")]
    for kind, name in rng.sample(targets, rng.choice([1, 1, 1, 2])):
        configs = {
            2: settings(rng),
            4: [{"Name": "log.segment.bytes", "Value": rng.choice(["77777777", "x", "-2"])}],
            8: [{"Name": "kafka.none", "Value": rng.choice(["INFO", "LOUD"])}],
            16: [{"Name": rng.choice(["interval.ms", "metrics", "match", "nope"]), "Value": rng.choice(["5000", "", "x=y"])}],
            32: [{"Name": "consumer.session.timeout.ms", "Value": rng.choice(["50000", "1", "x"])}],
        }[kind]
        for config in configs:
            config["ConfigOperation"] = rng.choice([0, 0, 0, 1, 2, 3])
        value["Resources"].append({"ResourceType": kind, "ResourceName": name, "Configs": configs})


def join(value, version, rng, number):
    value.update(GroupId=f"join-{version}-{number}", GroupInstanceId=rng.choice([None, "static"]))
    value["Protocols"] = [{"Name": name, "Metadata": "0000000000010002743300000000"} for name in ("range", "roundrobin")]


def heartbeat(value, version, rng, number):
    value.update(GroupId=f"beat-{version}-{number}", MemberEpoch=0, MemberId=rng.choice(["", f"m-{number}"]) if version else "",
                 SubscribedTopicNames=["t3"], TopicPartitions=[], SubscribedTopicRegex=None)


def delete_groups(value, version, rng, number):
    value["GroupsNames"] = [f"gone-{version}-{number}"] + rng.choice([[], [], ["live"], ["newer"], ["none"]])


def offset_delete(value, version, rng, number):
    value["GroupId"] = rng.choice([f"lost-{number}", "live", "newer"])


def quotas(value, version, rng, number):
    """None that this client would feel."""
    for entry in value["Entries"]:
        kind = rng.choice(["client-id", "user", "ip"])
        name = {"client-id": f"c{number}", "user": f"u{number}", "ip": f"10.0.0.{number}"}[kind]
        entry["Entity"] = [{"EntityType": kind, "EntityName": name}]
        if kind == "ip":
            entry["Ops"] = [{"Key": "connection_creation_rate", "Value": 5.0, "Remove": False}]


def features(value, version, rng, number):
    value["ValidateOnly"] = True


def commits(value, version, rng, number):
    value["GroupId"] = rng.choice(["offsets", "commits"])
    value["MemberId"] = ""


SHAPES = {"Produce": produce, "Metadata": metadata, "CreateTopics": create_topics, "DeleteTopics": delete_topics, "JoinGroup": join,
          "CreatePartitions": create_partitions, "DescribeConfigs": resources, "AlterConfigs": alter,
          "IncrementalAlterConfigs": alter, "ConsumerGroupHeartbeat": heartbeat, "DeleteGroups": delete_groups,
          "OffsetDelete": offset_delete, "AlterClientQuotas": quotas, "UpdateFeatures": features, "OffsetCommit": commits}


# Damage. `one` and `two` are numbers from 0 to 1, so that a frame is damaged in the same place for both brokers.
def cut(data, body, one):
    return data[:body + int(one * (len(data) - body))] if len(data) > body else data[:-1]


def flip(data, body, one, two):
    at = body + int(one * (len(data) - body)) if len(data) > body else len(data) - 1
    data[at] ^= 1 << int(two * 8)
    return data


def too_long(data, body, lengths, flexible, one, size):
    if not lengths:
        return data + b"\x7f"
    at, width = lengths[int(one * len(lengths))]
    new = varint(size) if flexible else struct.pack({2: ">H", 4: ">I"}[width], size & (0x7FFF if width == 2 else 0x7FFFFFFF))
    return data[:at] + new + data[at + width:]


def damaged(damage, data, body, lengths, flexible):
    kind, one, two = damage
    if kind == "last byte missing":
        data = data[:-1]
    elif kind == "cut":
        data = cut(data, body, one)
    elif kind == "bytes behind":
        data += b"\0" * int(1 + 8 * two)
    elif kind.startswith("bit"):
        data = flip(data, body, one, two)
    elif kind == "length too large":
        data = too_long(data, body, lengths, flexible, one, 2**31 - 1)
    elif kind == "length by one too large" and lengths:
        at, width = lengths[int(one * len(lengths))]
        data[at + width - 1] = data[at + width - 1] + 1 & 0xFF
    elif kind == "unknown tagged field":
        data = data[:-1] + b"\x01\xc8\x01\x03abc" if flexible else data[:8] + b"\xff\xff" + data[body:]
    elif kind == "header":
        data[8 + int(one * 2)] ^= 1 << int(two * 8)
    return struct.pack(">i", len(data)) + data


DAMAGES = ["last byte missing", "cut", "bytes behind", "bit 1", "bit 2", "bit 3", "length too large",
           "length by one too large", "unknown tagged field", "header"]
