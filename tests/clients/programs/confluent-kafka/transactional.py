# Begins a transaction, and prints how long it took until the client failed, and with what.
import sys, time
import confluent_kafka as ck

producer = ck.Producer({"bootstrap.servers": sys.argv[1], "transactional.id": "tx"})
# The time of starting the client is not measured.
producer.list_topics(timeout=30)
began = time.monotonic()
try:
    producer.init_transactions(30)
    print("accepted")
except ck.KafkaException as e:
    print(f"refused after {(time.monotonic() - began) * 1000:.0f} ms: {e}")
