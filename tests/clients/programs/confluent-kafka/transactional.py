"""Begins a transaction, and prints how long it took until the client failed, and with what."""
import sys
import time

from confluent_kafka import KafkaException, Producer

producer = Producer({"bootstrap.servers": sys.argv[1], "transactional.id": "tx"})
producer.list_topics(timeout=10)
began = time.monotonic()
try:
    producer.init_transactions(30)
    print("accepted")
except KafkaException as error:
    print(f"refused after {(time.monotonic() - began) * 1000:.0f} ms: {error}")
