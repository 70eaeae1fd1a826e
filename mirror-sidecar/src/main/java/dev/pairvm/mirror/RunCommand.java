package dev.pairvm.mirror;

import dev.pairvm.api.mirror.MirrorConfig;
import dev.pairvm.mirror.engine.MirrorAssembly;
import dev.pairvm.mirror.engine.MirrorSettings;
import dev.pairvm.mirror.guest.Accelerator;
import dev.pairvm.mirror.link.LinkSetupException;
import dev.pairvm.mirror.link.TlsFiles;
import dev.pairvm.mirror.network.NetworkException;
import dev.pairvm.mirror.store.DiskSetupException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code pairvm-mirror run}: the sidecar. Ends by SIGTERM, in order; by SIGKILL at any time, safely. */
@Command(
        name = "run",
        mixinStandardHelpOptions = true,
        description = "Runs the mirror of one copy until it is told to stop.",
        exitCodeListHeading = "%nExit status:%n",
        exitCodeList = {
            "0:stopped in order",
            "1:a disk, a socket or the network could not be used; trying again may help",
            "70:a broken invariant; the next life starts with a higher epoch",
            "75:the next life is the way out",
            "78:configuration or disks are wrong; the log names the field or the fact"
        })
final class RunCommand implements Callable<Integer> {
    private static final Logger LOG = LoggerFactory.getLogger(RunCommand.class);
    private static final int EXIT_CONFIG = 78;

    @Option(names = "--config", paramLabel = "FILE", description = "mirror.json (default: ${DEFAULT-VALUE})")
    private Path config = Path.of("/etc/pairvm/config/mirror.json");

    @Option(names = "--tls", paramLabel = "DIR", description = "tls.crt, tls.key, ca.crt (default: ${DEFAULT-VALUE})")
    private Path tls = Path.of("/etc/pairvm/tls");

    @Option(
            names = "--cloud-init",
            paramLabel = "DIR",
            description = "user-data, network-data (default: ${DEFAULT-VALUE})")
    private Path cloudInit = Path.of("/etc/pairvm/cloudinit");

    @Option(names = "--run-dir", paramLabel = "DIR", description = "shared with QEMU (default: ${DEFAULT-VALUE})")
    private Path runDirectory = Path.of("/run/pairvm");

    @Option(names = "--control-port", description = "HTTPS for the operator (default: ${DEFAULT-VALUE})")
    private int controlPort = 9443;

    @Option(names = "--health-port", description = "probes and metrics (default: ${DEFAULT-VALUE})")
    private int healthPort = 9080;

    @Option(
            names = "--arbiter-file",
            paramLabel = "FILE",
            description = "a file in place of the Lease; only for benchmarks and tests on one host")
    private @Nullable Path arbiterFile;

    @Option(names = "--disks-only", description = "no guest and no network; only for benchmarks and tests")
    private boolean disksOnly;

    @Option(
            names = "--plain-link",
            description = "no TLS between the mirrors; only with the two flags before, for benchmarks")
    private boolean plainLink;

    /** With the defaults; flags are set by picocli, or by {@link #plain}. */
    RunCommand() {}

    /**
     * The command for flags that are plainly right, without picocli: a restarted mirror holds up the guest's I/O, and reading flags by
     * reflection is a quarter of its start. Empty for anything else; picocli then says what is wrong, or helps.
     */
    static Optional<RunCommand> plain(List<String> flags) {
        RunCommand command = new RunCommand();
        Iterator<String> words = flags.iterator();
        try {
            while (words.hasNext()) {
                if (!command.take(words.next(), words)) {
                    return Optional.empty();
                }
            }
        } catch (NoSuchElementException | NumberFormatException | InvalidPathException notPlain) {
            return Optional.empty();
        }
        return Optional.of(command);
    }

    private boolean take(String flag, Iterator<String> words) {
        switch (flag) {
            case "--config" -> config = Path.of(words.next());
            case "--tls" -> tls = Path.of(words.next());
            case "--cloud-init" -> cloudInit = Path.of(words.next());
            case "--run-dir" -> runDirectory = Path.of(words.next());
            case "--control-port" -> controlPort = Integer.parseInt(words.next());
            case "--health-port" -> healthPort = Integer.parseInt(words.next());
            case "--arbiter-file" -> arbiterFile = Path.of(words.next());
            case "--disks-only" -> disksOnly = true;
            case "--plain-link" -> plainLink = true;
            default -> {
                return false;
            }
        }
        return true;
    }

    /** What the flags came to, for tests. */
    @Override
    public String toString() {
        return "run config=%s tls=%s cloudInit=%s runDirectory=%s controlPort=%d healthPort=%d arbiterFile=%s disksOnly=%b plainLink=%b"
                .formatted(
                        config,
                        tls,
                        cloudInit,
                        runDirectory,
                        controlPort,
                        healthPort,
                        arbiterFile,
                        disksOnly,
                        plainLink);
    }

    @Override
    public Integer call() throws Exception {
        Map<String, String> environment = System.getenv();
        try {
            MirrorSettings settings = new MirrorSettings(
                    read(config),
                    TlsFiles.in(tls),
                    cloudInit,
                    runDirectory,
                    controlPort,
                    healthPort,
                    Optional.ofNullable(arbiterFile),
                    disksOnly,
                    plainLink,
                    Boolean.parseBoolean(environment.getOrDefault("PAIRVM_RUNNER", "true")),
                    Accelerator.parse(environment.getOrDefault("PAIRVM_ACCELERATOR", "tcg")),
                    Optional.ofNullable(environment.get("POD_IP")),
                    environment,
                    BuildVersion.get());
            MirrorAssembly mirror = MirrorAssembly.start(settings);
            Runtime.getRuntime().addShutdownHook(new Thread(mirror::stop, "stop"));
            mirror.awaitEnd();
            return 0;
        } catch (IllegalArgumentException | DiskSetupException e) {
            LOG.error("the mirror can not run as configured: {}", e.getMessage());
            return EXIT_CONFIG;
        } catch (IOException | LinkSetupException | NetworkException | ExecutionException e) {
            LOG.error("the mirror could not start", e);
            return 1;
        }
    }

    private static MirrorConfig read(Path file) throws IOException {
        byte[] json = Files.readAllBytes(file);
        try {
            return MirrorConfigReader.read(json);
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(file + ": " + e.getMessage(), e);
        }
    }
}
