# Creates a topic, produces with gzip (idempotent by default), reads its partitions back without a group.
import sys
import kafka
from kafka.admin import KafkaAdminClient, NewTopic

boot, topic, n = sys.argv[1], "t-kafka-python", 1000
admin = KafkaAdminClient(bootstrap_servers=boot)
admin.create_topics([NewTopic(topic, 3, 1)])
admin.close()

p = kafka.KafkaProducer(bootstrap_servers=boot, acks="all", compression_type="gzip")
sent = [p.send(topic, key=b"k%d" % i, value=b"v%d" % i) for i in range(n)]
for f in sent:
    f.get(30)
p.close()

c = kafka.KafkaConsumer(bootstrap_servers=boot, group_id=None, consumer_timeout_ms=10000)
parts = [kafka.TopicPartition(topic, q) for q in range(3)]
c.assign(parts)
c.seek_to_beginning(*parts)
got = {}
for m in c:
    assert m.key not in got, m.key
    got[m.key] = m.value
    if len(got) == n:
        break
c.close()
assert got == {b"k%d" % i: b"v%d" % i for i in range(n)}, len(got)
print(f"kafka-python {kafka.__version__} ok: created, produced {n}, consumed {len(got)}")
