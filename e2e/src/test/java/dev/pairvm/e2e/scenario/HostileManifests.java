package dev.pairvm.e2e.scenario;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.fabric8.kubernetes.client.dsl.FieldValidateable.Validation;
import io.fabric8.kubernetes.client.dsl.Resource;
import io.fabric8.kubernetes.client.utils.KubernetesSerialization;
import java.io.IOException;
import java.net.HttpURLConnection;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.stream.Stream;
import org.awaitility.Awaitility;

/**
 * The manifests that {@code crds} tries against a bare API server, here against the cluster that PairVM is installed in: its
 * definitions as the chart brought them, its operator at work. A file with several documents is a story, of which only the last is
 * refused; lines {@code # refused:} say with which words.
 */
final class HostileManifests {
    private static final Path FOLDER = Path.of("../crds/src/test/resources/manifests");
    private static final String REFUSED = "# refused: ";
    private static final Duration GONE = Duration.ofMinutes(1);
    private static final int MOST_ATTEMPTS = 5;

    private final KubernetesClient client;
    private final String namespace;
    private final KubernetesSerialization yaml = new KubernetesSerialization();

    HostileManifests(KubernetesClient client, String namespace) {
        this.client = client;
        this.namespace = namespace;
    }

    /** Every {@code invalid-*.yaml}. */
    static List<Path> invalid() throws IOException {
        try (Stream<Path> files = Files.list(FOLDER)) {
            List<Path> found = files.filter(
                            file -> file.getFileName().toString().startsWith("invalid-"))
                    .sorted()
                    .toList();
            assertThat(found).as("manifests in %s", FOLDER.toAbsolutePath()).hasSizeGreaterThan(50);
            return found;
        }
    }

    static Path file(String name) {
        return FOLDER.resolve(name);
    }

    /** Tells the story of a file, sees its end refused, and that what was there before is there unchanged. */
    void assertRefused(Path file) throws IOException {
        List<GenericKubernetesResource> story = documents(file);
        List<String> words = Files.readAllLines(file).stream()
                .filter(line -> line.startsWith(REFUSED))
                .map(line -> line.substring(REFUSED.length()))
                .toList();
        assertThat(words).as("%s says how it is refused", file).isNotEmpty();
        GenericKubernetesResource last = story.getLast();
        try {
            story.subList(0, story.size() - 1).forEach(this::apply);
            String before = spec(last);

            KubernetesClientException refusal =
                    catchThrowableOfType(KubernetesClientException.class, () -> apply(last));

            assertThat(refusal).as("%s was accepted", file.getFileName()).isNotNull();
            assertThat(refusal.getCode()).isBetween(400, 422);
            assertThat(refusal.getMessage()).contains(words);
            assertThat(spec(last)).as("what was there before").isEqualTo(before);
        } finally {
            story.forEach(this::remove);
        }
    }

    /** Applies the first document of a file. */
    GenericKubernetesResource applyFirst(Path file) throws IOException {
        GenericKubernetesResource first = documents(file).getFirst();
        apply(first);
        return first;
    }

    private List<GenericKubernetesResource> documents(Path file) throws IOException {
        return Stream.of(Files.readString(file).split("(?m)^---\\n"))
                .map(document -> yaml.unmarshal(document, GenericKubernetesResource.class))
                .toList();
    }

    private Resource<GenericKubernetesResource> here(GenericKubernetesResource resource) {
        return client.genericKubernetesResources(resource.getApiVersion(), resource.getKind())
                .inNamespace(namespace)
                .withName(resource.getMetadata().getName());
    }

    private String spec(GenericKubernetesResource resource) {
        GenericKubernetesResource found = here(resource).get();
        return found == null
                ? "nothing"
                : String.valueOf(found.getAdditionalProperties().get("spec"));
    }

    private void apply(GenericKubernetesResource resource) {
        for (int attempt = 1; ; attempt++) {
            try {
                applyOnce(resource);
                return;
            } catch (KubernetesClientException e) {
                // The operator wrote its own fields meanwhile.
                if (e.getCode() != HttpURLConnection.HTTP_CONFLICT || attempt == MOST_ATTEMPTS) {
                    throw e;
                }
            }
        }
    }

    private void applyOnce(GenericKubernetesResource resource) {
        GenericKubernetesResource before = here(resource).get();
        if (before == null) {
            client.resource(resource)
                    .inNamespace(namespace)
                    .fieldValidation(Validation.STRICT)
                    .create();
            return;
        }
        resource.getMetadata().setNamespace(namespace);
        resource.getMetadata().setResourceVersion(before.getMetadata().getResourceVersion());
        resource.getMetadata().setFinalizers(before.getMetadata().getFinalizers());
        resource.getMetadata().setAnnotations(before.getMetadata().getAnnotations());
        client.resource(resource).fieldValidation(Validation.STRICT).update();
    }

    void remove(GenericKubernetesResource resource) {
        here(resource).delete();
        Awaitility.await("deletion of " + resource.getMetadata().getName())
                .atMost(GONE)
                .until(() -> here(resource).get() == null);
    }
}
