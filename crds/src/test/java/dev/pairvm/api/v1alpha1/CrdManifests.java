package dev.pairvm.api.v1alpha1;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.module.SimpleModule;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import com.fasterxml.jackson.dataformat.yaml.YAMLGenerator.Feature;
import io.fabric8.crdv2.generator.CRDGenerator;
import io.fabric8.crdv2.generator.CRDPostProcessor;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.apiextensions.v1.CustomResourceDefinition;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.utils.KubernetesSerialization;
import java.io.ByteArrayOutputStream;
import java.time.Duration;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** Makes the manifests of the custom resource definitions from the Java types. */
public final class CrdManifests {
    private static final String HEAD = """
            # Made from the types of dev.pairvm.api.v1alpha1; do not edit. After a change of the types:
            # mvn -pl crds test -Dtest=CrdManifestTest -Dcrds.update=true
            """;

    private CrdManifests() {}

    /** The definitions, refined, by name. */
    public static Map<String, CustomResourceDefinition> definitions() {
        Map<String, CustomResourceDefinition> definitions = new TreeMap<>();
        ObjectMapper mapper = new ObjectMapper();
        KubernetesSerialization serialization = new KubernetesSerialization(mapper, false);
        // Else @Default("400ms") is read as an ISO duration, and refused.
        mapper.registerModule(new SimpleModule()
                .addSerializer(Duration.class, new KubernetesDuration.Serializer())
                .addDeserializer(Duration.class, new KubernetesDuration.Deserializer()));
        CRDPostProcessor collect = new CRDPostProcessor() {
            @Override
            public HasMetadata process(HasMetadata crd, String version) {
                CustomResourceDefinition definition = SchemaRefinement.refine((CustomResourceDefinition) crd);
                definitions.put(definition.getMetadata().getName(), definition);
                return definition;
            }
        };
        generator()
                .withObjectMapper(mapper, serialization)
                .withParallelGenerationEnabled(false)
                .withPostProcessor(collect)
                .forCRDVersions("v1")
                .generate();
        return definitions;
    }

    /** Installs the definitions in a server, and waits until it serves them. Doing so again changes nothing. */
    public static void install(KubernetesClient client) {
        for (CustomResourceDefinition definition : definitions().values()) {
            client.resource(definition).forceConflicts().serverSideApply();
            client.resource(definition).waitUntilCondition(CrdManifests::isServed, 30, TimeUnit.SECONDS);
        }
    }

    private static boolean isServed(@Nullable CustomResourceDefinition definition) {
        if (definition == null
                || definition.getStatus() == null
                || definition.getStatus().getConditions() == null) {
            return false;
        }
        return definition.getStatus().getConditions().stream()
                .anyMatch(condition -> condition.getType().equals("Established")
                        && condition.getStatus().equals("True"));
    }

    /** Text of the manifests, by file name. */
    public static Map<String, String> files() {
        // One line per description: a diff of a manifest then shows what changed and not how it was wrapped.
        ObjectMapper yaml = new ObjectMapper(YAMLFactory.builder()
                        .enable(Feature.MINIMIZE_QUOTES)
                        .disable(Feature.WRITE_DOC_START_MARKER)
                        .disable(Feature.SPLIT_LINES)
                        .build())
                .setDefaultPropertyInclusion(JsonInclude.Include.NON_NULL);
        Map<String, String> files = new TreeMap<>();
        definitions().forEach((name, definition) -> {
            try {
                files.put(name + ".yaml", HEAD + yaml.writeValueAsString(definition));
            } catch (JsonProcessingException e) {
                throw new IllegalStateException("definition " + name + " can not be written", e);
            }
        });
        return files;
    }

    @SuppressWarnings("unchecked") // the generator's varargs are generic
    private static CRDGenerator generator() {
        return new CRDGenerator()
                .customResourceClasses(ProtectedVM.class, ProtectedVMOperation.class)
                .withOutput(new DiscardingOutput());
    }

    /** The generator insists on writing somewhere. */
    private static final class DiscardingOutput implements CRDGenerator.CRDOutput<ByteArrayOutputStream> {
        @Override
        public ByteArrayOutputStream outputFor(String name) {
            return new ByteArrayOutputStream();
        }

        @Override
        public void close() {}
    }
}
