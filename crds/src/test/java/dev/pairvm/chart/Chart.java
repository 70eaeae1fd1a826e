package dev.pairvm.chart;

import com.marcnuri.helm.Helm;
import com.marcnuri.helm.TemplateCommand;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.client.utils.KubernetesSerialization;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/** The chart, rendered by Helm as a user would. Modules lie beside each other, so this works in the tests of all of them. */
public final class Chart {
    /** Where it is installed. */
    public static final String NAMESPACE = "pairvm-system";

    private static final Path FOLDER = Path.of("../helm/pairvm");
    private static final String KUBERNETES = "1.36.3";

    private Chart() {}

    static Helm helm() {
        return new Helm(FOLDER);
    }

    /** All objects of a release {@code pairvm}; throws what Helm refuses. */
    public static List<HasMetadata> render(Map<String, ?> values) {
        return objects(text(values));
    }

    static String text(Map<String, ?> values) {
        TemplateCommand command =
                helm().template().withName("pairvm").withNamespace(NAMESPACE).withKubeVersion(KUBERNETES);
        values.forEach(command::set);
        return command.call();
    }

    private static List<HasMetadata> objects(String rendered) {
        KubernetesSerialization yaml = new KubernetesSerialization();
        return Arrays.stream(rendered.split("(?m)^---\\s*$"))
                .filter(document -> document.contains("kind:"))
                .map(document -> (HasMetadata) yaml.unmarshal(document))
                .toList();
    }

    /** The one object of this type whose name ends so. */
    static <T extends HasMetadata> T one(List<HasMetadata> objects, Class<T> type, String nameEnd) {
        List<T> found = objects.stream()
                .filter(type::isInstance)
                .map(type::cast)
                .filter(object -> object.getMetadata().getName().endsWith(nameEnd))
                .toList();
        if (found.size() != 1) {
            throw new AssertionError("one " + type.getSimpleName() + " …" + nameEnd + " expected, got " + found.size());
        }
        return found.getFirst();
    }
}
