package dev.pairvm.testing;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Where etcd and the Kubernetes binaries are: in one of the folders of {@code pairvm.kube.bin} (system property) or
 * {@code PAIRVM_KUBE_BIN} (environment; folders with colons between), else where {@code make deps} builds them, below
 * {@code ~/.cache/pairvm}.
 */
final class KubeBinaries {
    private static final int DEPTH = 4;

    private KubeBinaries() {}

    /**
     * An executable by its name.
     *
     * @throws IllegalStateException with the way out, if it is nowhere
     */
    static Path find(String name) {
        String named = System.getProperty("pairvm.kube.bin", System.getenv().getOrDefault("PAIRVM_KUBE_BIN", ""));
        List<Path> looked = new ArrayList<>();
        Arrays.stream(named.split(":"))
                .filter(folder -> !folder.isBlank())
                .map(Path::of)
                .forEach(looked::add);
        for (Path folder : looked) {
            if (Files.isExecutable(folder.resolve(name))) {
                return folder.resolve(name);
            }
        }
        Path cache = Path.of(Objects.requireNonNullElse(
                System.getenv("PAIRVM_CACHE"), System.getProperty("user.home") + "/.cache/pairvm"));
        looked.add(cache);
        Path built = newestBelow(cache, name);
        if (built == null) {
            throw new IllegalStateException(name + " is not in " + looked
                    + "; build it with `make deps` (or `e2e/lab/lab tools`), or name its folder in PAIRVM_KUBE_BIN");
        }
        return built;
    }

    private static @Nullable Path newestBelow(Path cache, String name) {
        if (!Files.isDirectory(cache)) {
            return null;
        }
        try (Stream<Path> files = Files.find(
                cache,
                DEPTH,
                (path, facts) -> facts.isRegularFile()
                        && path.getFileName().toString().equals(name)
                        && Files.isExecutable(path))) {
            return files.max((a, b) ->
                            Long.compare(a.toFile().lastModified(), b.toFile().lastModified()))
                    .orElse(null);
        } catch (IOException e) {
            throw new IllegalStateException(cache + " can not be read", e);
        }
    }
}
