// Calls every method of Java's Admin client against a broker and prints one line for each: the method, and its result or the
// exception that it failed with. Lines that begin with "all" count the methods of the interface that were not called.
//
// Usage: java -cp "kafka/lib/*" AdminMethods.java BOOTSTRAP

import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ExecutionException;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.ElectionType;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicPartitionReplica;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.acl.AccessControlEntry;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclBindingFilter;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.acl.AclPermissionType;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.quota.ClientQuotaAlteration;
import org.apache.kafka.common.quota.ClientQuotaEntity;
import org.apache.kafka.common.quota.ClientQuotaFilter;
import org.apache.kafka.common.resource.PatternType;
import org.apache.kafka.common.resource.ResourcePattern;
import org.apache.kafka.common.resource.ResourceType;
import org.apache.kafka.common.serialization.StringSerializer;

public class AdminMethods {
    interface Call {
        Object run() throws Exception;
    }

    static final TopicPartition T0 = new TopicPartition("t", 0);
    static final TopicPartition MISSING = new TopicPartition("missing", 0);
    static final Set<String> called = new TreeSet<>();
    static Admin admin;

    public static void main(String[] args) throws Exception {
        Properties config = new Properties();
        config.put("bootstrap.servers", args[0]);
        config.put("request.timeout.ms", "20000");
        config.put("default.api.timeout.ms", "20000");
        admin = Admin.create(config);
        topics();
        records(args[0]);
        access();
        replicas();
        features();
        transactions();
        groups();
        others();
        admin.close();
        called.add("close");
        Set<String> missed = Arrays.stream(Admin.class.getMethods())
            .filter(method -> !Modifier.isStatic(method.getModifiers()))
            .map(Method::getName)
            .collect(Collectors.toCollection(TreeSet::new));
        missed.removeAll(called);
        System.out.println("all methods called, but for " + missed);
    }

    static void topics() {
        call("createTopics", () -> admin.createTopics(List.of(new NewTopic("t", 1, (short) 1))).all().get());
        call("createTopics", () -> admin.createTopics(List.of(new NewTopic("t", 1, (short) 1))).all().get());
        call("createTopics", () -> admin.createTopics(List.of(new NewTopic("t.x", 1, (short) 1))).all().get());
        call("createTopics", () -> admin.createTopics(List.of(new NewTopic("t_x", 1, (short) 1))).all().get());
        call("listTopics", () -> new TreeSet<>(admin.listTopics().names().get()));
        call("describeTopics", () -> admin.describeTopics(List.of("t")).allTopicNames().get().keySet());
        call("createPartitions", () -> admin.createPartitions(Map.of("t", NewPartitions.increaseTo(2))).all().get());
        call("describeCluster", () -> admin.describeCluster().nodes().get().size());
        ConfigResource topic = new ConfigResource(ConfigResource.Type.TOPIC, "t");
        call("describeConfigs", () -> admin.describeConfigs(List.of(topic)).all().get().keySet());
        AlterConfigOp op = new AlterConfigOp(new ConfigEntry("retention.ms", "1000000"), AlterConfigOp.OpType.SET);
        call("incrementalAlterConfigs", () -> admin.incrementalAlterConfigs(Map.of(topic, List.of(op))).all().get());
        call("listConfigResources", () -> admin.listConfigResources(Set.of(ConfigResource.Type.GROUP), new ListConfigResourcesOptions()).all().get());
        call("listClientMetricsResources", () -> admin.listClientMetricsResources().all().get());
    }

    static void records(String boot) {
        Properties config = new Properties();
        config.put("bootstrap.servers", boot);
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(config, new StringSerializer(), new StringSerializer())) {
            for (int i = 0; i < 3; i++) producer.send(new ProducerRecord<>("t", 0, "k", "v"));
        }
        call("listOffsets", () -> admin.listOffsets(Map.of(T0, OffsetSpec.latest())).all().get().get(T0).offset());
        call("deleteRecords", () -> admin.deleteRecords(Map.of(T0, RecordsToDelete.beforeOffset(1))).all().get());
        call("describeProducers", () -> admin.describeProducers(List.of(T0)).all().get().get(T0).activeProducers().stream()
            .map(p -> p.producerEpoch() + "/" + p.lastSequence() + "/" + p.coordinatorEpoch() + "/" + p.currentTransactionStartOffset()).toList());
    }

    static void access() {
        ResourcePattern pattern = new ResourcePattern(ResourceType.TOPIC, "t", PatternType.LITERAL);
        AclBinding binding = new AclBinding(pattern, new AccessControlEntry("User:a", "*", AclOperation.READ, AclPermissionType.ALLOW));
        call("describeAcls", () -> admin.describeAcls(AclBindingFilter.ANY).values().get());
        call("createAcls", () -> admin.createAcls(List.of(binding)).all().get());
        call("deleteAcls", () -> admin.deleteAcls(List.of(AclBindingFilter.ANY)).all().get());
        call("createDelegationToken", () -> admin.createDelegationToken().delegationToken().get());
        call("renewDelegationToken", () -> admin.renewDelegationToken(new byte[] {1}).expiryTimestamp().get());
        call("expireDelegationToken", () -> admin.expireDelegationToken(new byte[] {1}).expiryTimestamp().get());
        call("describeDelegationToken", () -> admin.describeDelegationToken().delegationTokens().get());
        call("describeUserScramCredentials", () -> admin.describeUserScramCredentials().all().get());
        call("describeUserScramCredentials", () -> admin.describeUserScramCredentials(List.of("a")).all().get());
        ScramCredentialInfo info = new ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 4096);
        call("alterUserScramCredentials", () -> admin.alterUserScramCredentials(
            List.of(new UserScramCredentialDeletion("a", ScramMechanism.SCRAM_SHA_256))).all().get());
        call("alterUserScramCredentials", () -> admin.alterUserScramCredentials(
            List.of(new UserScramCredentialUpsertion("", info, "secret"))).all().get());
        // Last, because Kafka keeps it.
        call("alterUserScramCredentials", () -> admin.alterUserScramCredentials(
            List.of(new UserScramCredentialUpsertion("a", info, "secret"))).all().get());
    }

    static void replicas() throws Exception {
        call("listPartitionReassignments", () -> admin.listPartitionReassignments().reassignments().get());
        call("listPartitionReassignments", () -> admin.listPartitionReassignments(Set.of(T0, MISSING)).reassignments().get());
        for (Optional<NewPartitionReassignment> wanted : List.of(
            Optional.<NewPartitionReassignment>empty(), reassign(1), reassign(2), reassign(1, 2), reassign(1, 1), reassign(-5))) {
            call("alterPartitionReassignments", () -> admin.alterPartitionReassignments(Map.of(T0, wanted)).all().get());
        }
        call("alterPartitionReassignments", () -> admin.alterPartitionReassignments(Map.of(MISSING, reassign(1))).all().get());
        for (ElectionType type : ElectionType.values()) {
            call("electLeaders", () -> text(admin.electLeaders(type, Set.of(T0, MISSING, new TopicPartition("t", 9))).partitions().get()));
            call("electLeaders", () -> text(admin.electLeaders(type, null).partitions().get()));
        }
        call("describeLogDirs", () -> admin.describeLogDirs(List.of(1)).allDescriptions().get().values().size());
        TopicPartitionReplica replica = new TopicPartitionReplica("t", 0, 1);
        call("describeReplicaLogDirs", () -> admin.describeReplicaLogDirs(List.of(replica)).all().get().keySet());
        String dir = admin.describeLogDirs(List.of(1)).allDescriptions().get().get(1).keySet().iterator().next();
        call("alterReplicaLogDirs", () -> admin.alterReplicaLogDirs(Map.of(replica, dir)).all().get());
        call("alterReplicaLogDirs", () -> admin.alterReplicaLogDirs(Map.of(replica, "/no/such")).all().get());
        call("alterReplicaLogDirs", () -> admin.alterReplicaLogDirs(Map.of(replica, "relative")).all().get());
        call("alterReplicaLogDirs", () -> admin.alterReplicaLogDirs(Map.of(new TopicPartitionReplica("missing", 0, 1), dir)).all().get());
    }

    static Optional<NewPartitionReassignment> reassign(Integer... replicas) {
        return Optional.of(new NewPartitionReassignment(Arrays.asList(replicas)));
    }

    static Object text(Map<TopicPartition, Optional<Throwable>> results) {
        Map<String, Object> texts = new TreeMap<>();
        results.forEach((partition, error) -> texts.put(partition.toString(), error.map(AdminMethods::text).orElse("elected")));
        return texts;
    }

    static String text(Throwable error) {
        return error.getClass().getSimpleName() + ": " + error.getMessage();
    }

    static void features() {
        call("describeFeatures", () -> new TreeMap<>(admin.describeFeatures().featureMetadata().get().finalizedFeatures()));
        call("describeFeatures", () -> new TreeMap<>(admin.describeFeatures().featureMetadata().get().supportedFeatures()));
        for (String feature : List.of("group.version", "transaction.version", "metadata.version", "no.such")) {
            for (int level : new int[] {0, 1, 99}) {
                for (FeatureUpdate.UpgradeType type : List.of(
                    FeatureUpdate.UpgradeType.UPGRADE, FeatureUpdate.UpgradeType.SAFE_DOWNGRADE, FeatureUpdate.UpgradeType.UNSAFE_DOWNGRADE)) {
                    if (level == 0 && type == FeatureUpdate.UpgradeType.UPGRADE) continue;
                    call("updateFeatures", () -> feature + " " + level + " " + type + " " + update(feature, level, type));
                }
            }
        }
        call("describeMetadataQuorum", () -> {
            QuorumInfo info = admin.describeMetadataQuorum().quorumInfo().get();
            return info.leaderId() + " " + (info.highWatermark() > 0) + " " + info.voters().size() + " " + info.observers().size() + " "
                + info.voters().stream().map(v -> v.replicaId() + (v.lastFetchTimestamp().isPresent() ? " time" : "")
                    + (v.logEndOffset() > 0)).toList() + info.nodes().keySet() + info.nodes().values();
        });
        call("unregisterBroker", () -> admin.unregisterBroker(99).all().get());
        Set<RaftVoterEndpoint> endpoints = Set.of(new RaftVoterEndpoint("CONTROLLER", "localhost", 1));
        call("addRaftVoter", () -> admin.addRaftVoter(2, Uuid.randomUuid(), endpoints).all().get());
        call("removeRaftVoter", () -> admin.removeRaftVoter(2, Uuid.randomUuid()).all().get());
    }

    static Object update(String feature, int level, FeatureUpdate.UpgradeType type) {
        try {
            admin.updateFeatures(Map.of(feature, new FeatureUpdate((short) level, type)), new UpdateFeaturesOptions().validateOnly(true)).all().get();
            return "valid";
        } catch (ExecutionException e) {
            return text(e.getCause());
        } catch (Exception e) {
            return text(e);
        }
    }

    static void transactions() {
        call("listTransactions", () -> admin.listTransactions().all().get());
        call("listTransactions", () -> admin.listTransactions(new ListTransactionsOptions().filterOnDuration(1).filterOnTransactionalIdPattern("a.*")).all().get());
        call("listTransactions", () -> admin.listTransactions(new ListTransactionsOptions().filterOnTransactionalIdPattern("(")).all().get());
        call("describeTransactions", () -> admin.describeTransactions(List.of("x")).all().get());
        call("fenceProducers", () -> admin.fenceProducers(List.of("x")).all().get());
        call("forceTerminateTransaction", () -> admin.forceTerminateTransaction("x").result().get());
        call("abortTransaction", () -> admin.abortTransaction(new AbortTransactionSpec(T0, 1, (short) 0, 0)).all().get());
    }

    static void groups() {
        Map<TopicPartition, OffsetAndMetadata> offsets = Map.of(T0, new OffsetAndMetadata(1));
        for (String group : List.of("g", "missing", "")) {
            if (group.equals("g")) call("alterConsumerGroupOffsets", () -> admin.alterConsumerGroupOffsets("g", offsets).all().get());
            call("describeConsumerGroups", () -> admin.describeConsumerGroups(List.of(group)).all().get().get(group).groupState());
            call("describeClassicGroups", () -> admin.describeClassicGroups(List.of(group)).all().get().get(group).state());
            call("listConsumerGroupOffsets", () -> admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get());
            call("deleteConsumerGroupOffsets", () -> admin.deleteConsumerGroupOffsets(group, Set.of(MISSING)).all().get());
            call("removeMembersFromConsumerGroup", () -> admin.removeMembersFromConsumerGroup(group,
                new RemoveMembersFromConsumerGroupOptions(List.of(new MemberToRemove("i")))).all().get());
            call("describeShareGroups", () -> admin.describeShareGroups(List.of(group)).all().get());
            call("listShareGroupOffsets", () -> admin.listShareGroupOffsets(Map.of(group, new ListShareGroupOffsetsSpec())).all().get());
            call("alterShareGroupOffsets", () -> admin.alterShareGroupOffsets(group, Map.of(MISSING, 1L)).all().get());
            call("deleteShareGroupOffsets", () -> admin.deleteShareGroupOffsets(group, Set.of("missing")).all().get());
            call("describeStreamsGroups", () -> admin.describeStreamsGroups(List.of(group)).all().get());
            call("listStreamsGroupOffsets", () -> admin.listStreamsGroupOffsets(Map.of(group, new ListStreamsGroupOffsetsSpec())).partitionsToOffsetAndMetadata(group).get());
            call("deleteStreamsGroupOffsets", () -> admin.deleteStreamsGroupOffsets(group, Set.of(MISSING)).all().get());
        }
        call("alterStreamsGroupOffsets", () -> admin.alterStreamsGroupOffsets("g", offsets).all().get());
        call("listGroups", () -> admin.listGroups().all().get());
        call("listConsumerGroups", () -> admin.listConsumerGroups().all().get());
        call("deleteShareGroups", () -> admin.deleteShareGroups(List.of("missing")).all().get());
        call("deleteStreamsGroups", () -> admin.deleteStreamsGroups(List.of("missing")).all().get());
        call("deleteConsumerGroups", () -> admin.deleteConsumerGroups(List.of("g")).all().get());
        call("deleteConsumerGroups", () -> admin.deleteConsumerGroups(List.of("missing")).all().get());
        call("deleteConsumerGroups", () -> admin.deleteConsumerGroups(List.of("")).all().get());
    }

    static void others() {
        call("describeClientQuotas", () -> admin.describeClientQuotas(ClientQuotaFilter.all()).entities().get());
        ClientQuotaEntity entity = new ClientQuotaEntity(Map.of("client-id", "c"));
        ClientQuotaAlteration.Op op = new ClientQuotaAlteration.Op("consumer_byte_rate", 1e6);
        call("alterClientQuotas", () -> admin.alterClientQuotas(List.of(new ClientQuotaAlteration(entity, List.of(op)))).all().get());
        call("clientInstanceId", () -> admin.clientInstanceId(Duration.ofSeconds(2)));
        call("metrics", () -> !admin.metrics().isEmpty());
        call("registerMetricForSubscription", () -> { admin.registerMetricForSubscription(null); return null; });
        call("unregisterMetricFromSubscription", () -> { admin.unregisterMetricFromSubscription(null); return null; });
        call("deleteTopics", () -> admin.deleteTopics(List.of("t", "t.x")).all().get());
    }

    static void call(String method, Call call) {
        called.add(method);
        String result;
        try {
            result = String.valueOf(call.run());
        } catch (ExecutionException e) {
            result = text(e.getCause());
        } catch (Exception e) {
            result = text(e);
        }
        System.out.println(method + ": " + result.replace("\n", " "));
    }
}
