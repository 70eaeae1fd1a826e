package dev.pairvm.api.v1alpha1;

import static org.assertj.core.api.Assertions.assertThat;

import io.fabric8.kubernetes.api.model.apiextensions.v1.CustomResourceDefinition;
import io.fabric8.kubernetes.client.utils.KubernetesSerialization;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** The manifests say what the Java types say. With {@code -Dcrds.update=true} it writes them. */
class CrdManifestTest {
    private static final Path FOLDER = Path.of("manifests");

    @Test
    void manifestsAreThoseOfTheTypes() throws IOException {
        Map<String, String> made = CrdManifests.files();
        if (Boolean.getBoolean("crds.update")) {
            Files.createDirectories(FOLDER);
            for (Map.Entry<String, String> file : made.entrySet()) {
                Files.writeString(FOLDER.resolve(file.getKey()), file.getValue());
            }
        }

        assertThat(stored())
                .as("manifests and types differ: mvn -pl crds test -Dtest=CrdManifestTest -Dcrds.update=true")
                .isEqualTo(made);
    }

    @Test
    void whatIsWrittenReadsAsWhatWasMeant() {
        KubernetesSerialization yaml = new KubernetesSerialization();
        Map<String, CustomResourceDefinition> meant = CrdManifests.definitions();

        CrdManifests.files()
                .forEach((file, text) -> assertThat(yaml.asJson(yaml.unmarshal(text, CustomResourceDefinition.class)))
                        .isEqualTo(yaml.asJson(meant.get(file.replace(".yaml", "")))));
    }

    private static Map<String, String> stored() throws IOException {
        Map<String, String> stored = new TreeMap<>();
        try (Stream<Path> files = Files.list(FOLDER)) {
            for (Path file : files.toList()) {
                stored.put(file.getFileName().toString(), Files.readString(file));
            }
        }
        return stored;
    }
}
