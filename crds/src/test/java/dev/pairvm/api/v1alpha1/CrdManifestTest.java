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
    /** The chart can not reach outside of its own folder, so it has copies. */
    private static final Path CHART = Path.of("../helm/pairvm/files/crds");

    private static final String WAY_OUT =
            "manifests and types differ: mvn -pl crds test -Dtest=CrdManifestTest -Dcrds.update=true";

    @Test
    void manifestsAreThoseOfTheTypes() throws IOException {
        Map<String, String> made = CrdManifests.files();
        if (Boolean.getBoolean("crds.update")) {
            write(FOLDER, made);
            write(CHART, made);
        }

        assertThat(stored(FOLDER)).as(WAY_OUT).isEqualTo(made);
        assertThat(stored(CHART)).as(WAY_OUT).isEqualTo(made);
    }

    @Test
    void whatIsWrittenReadsAsWhatWasMeant() {
        KubernetesSerialization yaml = new KubernetesSerialization();
        Map<String, CustomResourceDefinition> meant = CrdManifests.definitions();

        CrdManifests.files()
                .forEach((file, text) -> assertThat(yaml.asJson(yaml.unmarshal(text, CustomResourceDefinition.class)))
                        .isEqualTo(yaml.asJson(meant.get(file.replace(".yaml", "")))));
    }

    private static void write(Path folder, Map<String, String> files) throws IOException {
        Files.createDirectories(folder);
        for (Map.Entry<String, String> file : files.entrySet()) {
            Files.writeString(folder.resolve(file.getKey()), file.getValue());
        }
    }

    private static Map<String, String> stored(Path folder) throws IOException {
        Map<String, String> stored = new TreeMap<>();
        try (Stream<Path> files = Files.list(folder)) {
            for (Path file : files.toList()) {
                stored.put(file.getFileName().toString(), Files.readString(file));
            }
        }
        return stored;
    }
}
