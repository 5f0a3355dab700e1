"""A broker as a client sees it: frames go in, and what comes out is decoded and made comparable."""
import re, socket, struct, time

import topics as T
from schema import ZERO, Malformed, request, response

# Seconds that an answer to a frame may take, and one to a request of the set-up.
PATIENCE, PATIENCE_OF_SET_UP = 6, 120
# Codes of a broker that is still making a topic, or loading groups.
TRANSIENT = {3, 6, 14, 15, 16}
HYPHENS = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
BASE64 = re.compile(r"(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{22}(?![A-Za-z0-9_-])")

# Fields that differ from one broker to another, or from one run to the next.
MASKED = {"ThrottleTimeMs", "ClusterId", "Port", "TotalBytes", "UsableBytes", "LogDir", "FinalizedFeaturesEpoch"}
MASKED_OF = {
    "DescribeQuorum": {"HighWatermark", "LogEndOffset", "LastFetchTimestamp", "LastCaughtUpTimestamp", "ReplicaDirectoryId",
                       "LeaderEpoch"},
    "DescribeLogDirs": {"PartitionSize"},
}
# Masked where they are positive: generated numbers and the time of day.
GENERATED = {"SessionId", "LogAppendTimeMs"}


class Broker:
    def __init__(self, name, address, apis):
        self.name, self.apis = name, apis
        host, _, port = address.rpartition(":")
        self.address = (host, int(port))
        self.by_name = {api.name: api for api in apis.values()}
        self.symbols, self.ids, self.correlation, self.socket = {}, {ZERO: "none"}, 0, None

    def connect(self):
        if self.socket is None:
            self.socket = socket.create_connection(self.address, PATIENCE)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def close(self):
        if self.socket:
            self.socket.close()
        self.socket = None

    def read(self, count):
        data = b""
        while len(data) < count:
            part = self.socket.recv(count - len(data))
            if not part:
                raise ConnectionError("closed")
            data += part
        return data

    def next_correlation(self):
        self.correlation = self.correlation % 100_000_000 + 2
        return self.correlation

    def exchange(self, data, correlation, patience=PATIENCE):
        """Sends a frame and behind it a request that is always answered. Gives the frame's answer, `no answer` when only
        the request behind it was answered, `closed`, or `silent` when nothing came in time."""
        probe, _, _ = request(self.by_name["ApiVersions"], 0, correlation + 1, {}, {})
        answer = None
        try:
            self.connect()
            self.socket.settimeout(patience)
            self.socket.sendall(data + struct.pack(">i", len(probe)) + probe)
            while True:
                frame = self.read(struct.unpack(">i", self.read(4))[0])
                got = struct.unpack(">i", frame[:4])[0]
                if got == correlation + 1:
                    return answer or "no answer"
                answer = frame[4:] if got == correlation else f"correlation id {got}"
        except socket.timeout:
            self.close()
            return answer or "silent"
        except OSError:
            self.close()
            return answer or "closed"

    def outcome(self, frame):
        """What comes of a frame, comparable: a message, or a word."""
        correlation = self.next_correlation()
        answer = self.exchange(frame.encode(correlation, self.symbols), correlation)
        return self.decoded(frame.api, frame.version, answer)

    def decoded(self, api, version, answer):
        if isinstance(answer, str):
            return answer
        try:
            value = response(api, version, answer)
        except (Malformed, struct.error, ValueError) as error:
            return f"malformed: {error}: {answer.hex()}"
        self.learn(value)
        return self.comparable(api, value)

    def call(self, name, version, value):
        """A request that must be answered, and its answer as it is."""
        api, correlation = self.by_name[name], self.next_correlation()
        data, _, _ = request(api, version, correlation, value, self.symbols)
        answer = self.exchange(struct.pack(">i", len(data)) + data, correlation, PATIENCE_OF_SET_UP)
        if isinstance(answer, str):
            raise SystemExit(f"{self.name}: {name} {version}: {answer}")
        value = response(api, version, answer)
        self.learn(value)
        return value

    def learn(self, value):
        """The ids of topics that stand beside their names."""
        if isinstance(value, list):
            for each in value:
                self.learn(each)
        elif isinstance(value, dict):
            name = value.get("Name") or value.get("TopicName") or value.get("Topic")
            if name and value.get("TopicId", ZERO) != ZERO:
                self.symbols[f"${name}"] = value["TopicId"]
                self.ids[value["TopicId"]] = f"id of {name}"
            for each in value.values():
                if isinstance(each, (dict, list)):
                    self.learn(each)

    def comparable(self, api, value, name=None):
        if isinstance(value, dict):
            return {key: self.comparable(api, each, key) for key, each in value.items()}
        if isinstance(value, list):
            return [self.comparable(api, each, name) for each in value]
        if name in MASKED or name in MASKED_OF.get(api.name, ()):
            return "masked"
        if isinstance(value, str):
            return self.text(api, value, name)
        is_generated = name in GENERATED or (api.name, name) == ("InitProducerId", "ProducerId")
        is_today = name == "Timestamp" and value > 1_750_000_000_000
        return "generated" if (is_generated and value > 0) or is_today else value

    def text(self, api, value, name):
        if name == "Records":
            return records(value)
        if len(value) == 32 and re.fullmatch("[0-9a-f]{32}", value):
            return self.ids.get(value, value if len(set(value)) < 3 else "an id")
        value = HYPHENS.sub("UUID", value.replace(f":{self.address[1]}", ":PORT"))
        return value if value in T.NAMES else BASE64.sub("ID", value)


def records(text):
    """Batches without their time when it is that of the broker."""
    data, at = bytearray.fromhex(text), 0
    while at + 61 <= len(data):
        size = struct.unpack(">i", data[at + 8:at + 12])[0] + 12
        if data[at + 22] & 8:
            data[at + 17:at + 21], data[at + 27:at + 43] = bytes(4), bytes(16)
        at += max(size, 61)
    return data.hex()


def set_up(broker):
    """The topics, records and groups that the frames speak of."""
    for _ in range(600):
        names = ["__consumer_offsets", "__transaction_state", "__share_group_state"]
        told = broker.call("Metadata", 8, {"Topics": [{"Name": name} for name in names], "AllowAutoTopicCreation": True})
        ready = broker.call("FindCoordinator", 3, {"Key": "offsets"})["ErrorCode"] == 0
        if ready and all(topic["ErrorCode"] == 0 for topic in told["Topics"]):
            break
        time.sleep(0.1)
    topics = [{"Name": name, "NumPartitions": count, "ReplicationFactor": 1,
               "Configs": [{"Name": key, "Value": each} for key, each in configs.items()]}
              for name, (count, configs) in T.TOPICS.items()]
    made = broker.call("CreateTopics", 7, {"Topics": topics, "TimeoutMs": 30_000})
    wrong = [topic for topic in made["Topics"] if topic["ErrorCode"]]
    if wrong:
        raise SystemExit(f"{broker.name}: {wrong}")
    wait_for_leaders(broker)
    for name, partition in T.FILLED:
        batch = T.BATCHES["plain"] if (name, partition) != ("t3", 1) else T.idempotent(9000, 1, 0)
        if name == "compact":
            batch = T.keyed()
        for _ in range(1 if (name, partition) == ("t3", 1) else 4):
            produce(broker, name, partition, batch)
    set_up_groups(broker)


def wait_for_leaders(broker):
    for _ in range(600):
        told = broker.call("Metadata", 12, {"Topics": None})
        if all(p["ErrorCode"] == 0 for topic in told["Topics"] for p in topic["Partitions"]):
            return
        time.sleep(0.05)


def produce(broker, name, partition, batch):
    data = [{"Name": name, "PartitionData": [{"Index": partition, "Records": batch.hex()}]}]
    for _ in range(2000):
        told = broker.call("Produce", 9, {"Acks": -1, "TimeoutMs": 5000, "TopicData": data})
        code = told["Responses"][0]["PartitionResponses"][0]["ErrorCode"]
        if code == 0:
            return
        if code not in TRANSIENT:
            break
        time.sleep(0.05)
    raise SystemExit(f"{broker.name}: {told}")


def commit(broker, group, topics, **member):
    value = {"GroupId": group, "GenerationIdOrMemberEpoch": -1, **member, "Topics": [
        {"Name": name, "Partitions": [{"PartitionIndex": p, "CommittedOffset": 5, "CommittedMetadata": "m"}]}
        for name, p in topics]}
    for _ in range(2000):
        told = broker.call("OffsetCommit", 9, value)
        codes = {p["ErrorCode"] for topic in told["Topics"] for p in topic["Partitions"]}
        if codes == {0}:
            return
        if not codes & TRANSIENT:
            break
        time.sleep(0.1)
    raise SystemExit(f"{broker.name}: commit of {group}: {codes}")


def set_up_groups(broker):
    for group in T.GROUPS:
        commit(broker, group, [("t3", 0), ("t3", 1), ("t1", 0)])
    join = {"GroupId": "live", "SessionTimeoutMs": 1_800_000, "RebalanceTimeoutMs": 10_000, "ProtocolType": "consumer",
            "Protocols": [{"Name": "range", "Metadata": "0000000000010002743300000000"}]}
    member = broker.call("JoinGroup", 9, join)["MemberId"]
    told = broker.call("JoinGroup", 9, {**join, "MemberId": member})
    broker.symbols["$live"] = member
    assignment = [{"MemberId": member, "Assignment": "0000000000010002743300000001000000000000000000"}]
    sync = {"GroupId": "live", "GenerationId": told["GenerationId"], "MemberId": member, "ProtocolType": "consumer",
            "ProtocolName": "range", "Assignments": assignment}
    broker.call("SyncGroup", 5, sync)
    commit(broker, "live", [("t3", 0), ("t1", 0)], GenerationIdOrMemberEpoch=1, MemberId=member)
    beat = {"GroupId": "newer", "MemberId": "member-1", "MemberEpoch": 0, "RebalanceTimeoutMs": 600_000,
            "SubscribedTopicNames": ["t3"], "TopicPartitions": []}
    epoch = broker.call("ConsumerGroupHeartbeat", 1, beat)["MemberEpoch"]
    commit(broker, "newer", [("t3", 0)], GenerationIdOrMemberEpoch=epoch, MemberId="member-1")
