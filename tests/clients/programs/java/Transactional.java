// Begins a transaction, and prints how long it took until the client failed, and with what.
//
// Usage: java -cp "kafka/lib/*" Transactional.java BOOTSTRAP

import java.util.Properties;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.common.serialization.StringSerializer;

public class Transactional {
    public static void main(String[] args) {
        Properties config = new Properties();
        config.put("bootstrap.servers", args[0]);
        config.put("transactional.id", "tx");
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(config, new StringSerializer(), new StringSerializer())) {
            // The time of starting the client is not measured.
            producer.partitionsFor("tx");
            long began = System.nanoTime();
            try {
                producer.initTransactions();
                System.out.println("accepted");
            } catch (Exception e) {
                System.out.println("refused after " + (System.nanoTime() - began) / 1_000_000 + " ms: " + e);
            }
        }
    }
}
