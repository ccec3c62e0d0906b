"""Prints the failures in a Kafka topic, each once: python3 consume.py localhost:9092 agent.failures (pip install kafka-python)."""
import sys

from kafka import KafkaConsumer

seen = {}  # keep it together with your own position, and begin anew when the topic of steps was made anew
for message in KafkaConsumer(sys.argv[2], bootstrap_servers=sys.argv[1], auto_offset_reset="earliest"):
    source, offset, index = dict(message.headers)["misstep-origin"].decode().rsplit("/", 2)
    if (int(offset), int(index)) > seen.get(source, (-1, -1)):
        seen[source] = (int(offset), int(index))
        print(message.value.decode(), flush=True)
