package dev.pairvm.api.v1alpha1;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.pairvm.testing.RealApiServer;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.api.model.apiextensions.v1.CustomResourceDefinition;
import io.fabric8.kubernetes.api.model.apiextensions.v1.JSONSchemaProps;
import io.fabric8.kubernetes.api.model.apiextensions.v1.ValidationRule;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.fabric8.kubernetes.client.dsl.FieldValidateable.Validation;
import io.fabric8.kubernetes.client.utils.KubernetesSerialization;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Each manifest in {@code src/test/resources/manifests} against a real API server. {@code valid-*} is accepted, {@code invalid-*}
 * refused with every text of its lines {@code # refused:}. A file with several documents is a story: each is applied over the one
 * before; of an invalid file only the last is refused.
 */
class ManifestsOnRealServerTest {
    private static final Path FOLDER = Path.of("src/test/resources/manifests");
    private static final String REFUSED = "# refused: ";

    private static KubernetesClient client;
    private String namespace;

    @BeforeAll
    static void installDefinitions() {
        client = RealApiServer.shared().client();
        CrdManifests.install(client);
    }

    @AfterAll
    static void closeClient() {
        client.close();
    }

    @BeforeEach
    void freshNamespace() {
        namespace = RealApiServer.shared().newNamespace(client, "manifest");
    }

    @AfterEach
    void leaveNothing() {
        client.resources(ProtectedVM.class).inNamespace(namespace).delete();
        client.resources(ProtectedVMOperation.class).inNamespace(namespace).delete();
    }

    @ParameterizedTest
    @MethodSource("validFiles")
    void isAccepted(String file) throws IOException {
        documents(file).forEach(this::apply);
    }

    @ParameterizedTest
    @MethodSource("invalidFiles")
    void isRefusedByItsRule(String file) throws IOException {
        List<String> story = documents(file);
        story.subList(0, story.size() - 1).forEach(this::apply);

        KubernetesClientException refusal =
                catchThrowableOfType(KubernetesClientException.class, () -> apply(story.getLast()));

        assertThat(refusal).as("%s was accepted", file).isNotNull();
        assertThat(refusal.getCode()).isBetween(400, 422);
        List<String> expected = expectations(file);
        assertThat(refusal.getMessage()).contains(expected);
        assertThat(causes(refusal))
                .as("nothing but what the file is about is wrong with it")
                .allMatch(cause -> expected.stream().anyMatch(cause::contains));
    }

    @Test
    void everyRuleHasItsManifest() throws IOException {
        Set<String> untried = new TreeSet<>();
        for (CustomResourceDefinition definition : CrdManifests.definitions().values()) {
            collectMessages(
                    definition.getSpec().getVersions().getFirst().getSchema().getOpenAPIV3Schema(), untried);
        }
        assertThat(untried).hasSizeGreaterThan(40);

        for (String file : invalidFiles().toList()) {
            List<String> expected = expectations(file);
            untried.removeIf(message -> expected.stream().anyMatch(message::startsWith));
        }

        assertThat(untried).as("rules without an invalid-*.yaml").isEmpty();
    }

    @Test
    void theExampleOfTheReadmeIsAccepted() throws IOException {
        Matcher example = Pattern.compile("(?s)```yaml\\n(.*?kind: ProtectedVM\\n.*?)```")
                .matcher(Files.readString(Path.of("../README.md")));

        assertThat(example.find()).isTrue();
        apply(example.group(1).replace("sha256:…", "sha256:" + "0".repeat(64)));
    }

    @Test
    void theServerFillsInWhatTheTypesFillIn() throws IOException {
        String manifest = documents("valid-smallest.yaml").getFirst();
        ProtectedVMSpec alone = new KubernetesSerialization()
                .unmarshal(manifest, ProtectedVM.class)
                .getSpec();

        apply(manifest);

        assertThat(client.resources(ProtectedVM.class)
                        .inNamespace(namespace)
                        .withName("orders")
                        .get()
                        .getSpec())
                .isEqualTo(alone);
    }

    @Test
    void unsupportedFieldsReachTheOperator() throws IOException {
        apply(documents("valid-unsupported-field-is-kept.yaml").getFirst());

        ProtectedVM machine = client.resources(ProtectedVM.class)
                .inNamespace(namespace)
                .withName("orders")
                .get();

        assertThat(UnsupportedFields.find(machine.getSpec().template()))
                .containsExactly(
                        "spec.template.spec.domain.devices.gpus", "spec.template.spec.domain.devices.disks[1].cache");
    }

    @Test
    void theExampleForARepositoryIsAccepted() throws IOException {
        apply(Files.readString(Path.of("../docs/gitops/orders.yaml")));
    }

    private static List<String> causes(KubernetesClientException refusal) {
        if (refusal.getStatus().getDetails() == null) {
            return List.of();
        }
        return refusal.getStatus().getDetails().getCauses().stream()
                .filter(cause -> !cause.getMessage().contains("some validation rules were not checked"))
                .map(cause -> cause.getField() + ": " + cause.getMessage())
                .toList();
    }

    private void apply(String document) {
        GenericKubernetesResource resource =
                new KubernetesSerialization().unmarshal(document, GenericKubernetesResource.class);
        var here = client.resource(resource).inNamespace(namespace);
        if (here.get() == null) {
            here.fieldValidation(Validation.STRICT).create();
        } else {
            resource.getMetadata().setNamespace(namespace);
            resource.getMetadata().setResourceVersion(here.get().getMetadata().getResourceVersion());
            client.resource(resource).fieldValidation(Validation.STRICT).update();
        }
    }

    static Stream<String> validFiles() throws IOException {
        return files("valid-");
    }

    static Stream<String> invalidFiles() throws IOException {
        return files("invalid-");
    }

    private static Stream<String> files(String prefix) throws IOException {
        try (Stream<Path> files = Files.list(FOLDER)) {
            return files
                    .map(file -> file.getFileName().toString())
                    .filter(name -> name.startsWith(prefix))
                    .sorted()
                    .toList()
                    .stream();
        }
    }

    private static List<String> documents(String file) throws IOException {
        return List.of(Files.readString(FOLDER.resolve(file)).split("(?m)^---\\n"));
    }

    private static List<String> expectations(String file) throws IOException {
        List<String> expectations = Files.readAllLines(FOLDER.resolve(file)).stream()
                .filter(line -> line.startsWith(REFUSED))
                .map(line -> line.substring(REFUSED.length()))
                .toList();
        assertThat(expectations).as("%s must say what it expects", file).isNotEmpty();
        return expectations;
    }

    private static void collectMessages(JSONSchemaProps schema, Set<String> messages) {
        if (schema.getXKubernetesValidations() != null) {
            schema.getXKubernetesValidations().stream()
                    .map(ValidationRule::getMessage)
                    .forEach(messages::add);
        }
        List<JSONSchemaProps> below = new ArrayList<>();
        if (schema.getProperties() != null) {
            below.addAll(schema.getProperties().values());
        }
        if (schema.getItems() != null) {
            below.add(schema.getItems().getSchema());
        }
        below.forEach(child -> collectMessages(child, messages));
    }
}
