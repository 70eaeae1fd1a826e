package dev.pairvm.mirror.source;

import dev.pairvm.api.mirror.MirrorConfig;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.function.LongConsumer;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code pairvm-mirror import}: runs as an init container of the first copy's pod, ends when the disk has its content. */
@Command(
        name = "import",
        mixinStandardHelpOptions = true,
        description = "Fills a blank disk with a raw image from a URL or a file, once.",
        exitCodeListHeading = "%nExit status:%n",
        exitCodeList = {
            "0:the disk has content",
            "1:try again may help (network, I/O)",
            "2:the image or a flag is wrong"
        })
public final class ImportCommand implements Callable<Integer> {
    private static final Logger LOG = LoggerFactory.getLogger(ImportCommand.class);
    private static final Pattern SHA256 = Pattern.compile("[0-9a-fA-F]{64}");
    private static final Duration CONNECT_LIMIT = Duration.ofSeconds(30);
    /** A line of progress each so many bytes. */
    private static final long PROGRESS_BYTES = 256L << 20;

    @ArgGroup(multiplicity = "1")
    private @Nullable Origin origin;

    @Option(
            names = "--sha256",
            paramLabel = "HEX",
            description = "what the image must hash to; leave out only on purpose")
    private @Nullable String sha256;

    @Option(
            names = "--disk",
            required = true,
            paramLabel = "PATH",
            description = "directory of a FILE disk, or block device")
    private @Nullable Path disk;

    @Option(names = "--kind", required = true, description = "FILE or BLOCK")
    private MirrorConfig.Disk.@Nullable Kind kind;

    @Option(names = "--size", required = true, paramLabel = "BYTES", description = "size of the disk in bytes")
    private long sizeBytes;

    /** Where the image is: exactly one. */
    static final class Origin {
        @Option(names = "--url", description = "http or https address of a raw image")
        private @Nullable URI url;

        @Option(names = "--from-path", description = "a raw image file, a block device, or a directory with disk.img")
        private @Nullable Path path;
    }

    /** Never started but by picocli. */
    public ImportCommand() {}

    @Override
    public Integer call() {
        if (sha256 != null && !SHA256.matcher(sha256).matches()) {
            LOG.error("--sha256 must be 64 hexadecimal digits, got \"{}\"", sha256);
            return 2;
        }
        if (disk == null || kind == null || origin == null) {
            throw new IllegalStateException("picocli checks required options");
        }
        DiskImport target = new DiskImport(kind, disk, sizeBytes);
        try {
            if (target.hasContent()) {
                LOG.info("disk {} has content already, nothing to import", disk);
                return 0;
            }
            try (InputStream image = open(origin, sizeBytes)) {
                target.run(image, Optional.ofNullable(sha256), new Progress(disk));
            }
            LOG.info("disk {} has its content", disk);
            return 0;
        } catch (DiskImport.ImportException e) {
            LOG.error("import refused: {}", e.getMessage());
            return 2;
        } catch (IOException e) {
            LOG.error("import failed, it may be tried again: {}", e.toString());
            return 1;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return 1;
        }
    }

    private static InputStream open(Origin origin, long sizeBytes) throws IOException, InterruptedException {
        if (origin.path != null) {
            Path image = Files.isDirectory(origin.path) ? origin.path.resolve(DiskImport.IMAGE) : origin.path;
            InputStream content = Files.newInputStream(image);
            // A device is larger than the disk on it: a mirror's metadata, or rounding, come behind.
            return Files.isRegularFile(image) ? content : new FirstBytes(content, sizeBytes);
        }
        if (origin.url == null) {
            throw new IllegalStateException("picocli checks that one origin is given");
        }
        HttpClient http = HttpClient.newBuilder()
                .connectTimeout(CONNECT_LIMIT)
                .followRedirects(HttpClient.Redirect.NORMAL)
                .build();
        HttpResponse<InputStream> response =
                http.send(HttpRequest.newBuilder(origin.url).build(), HttpResponse.BodyHandlers.ofInputStream());
        if (response.statusCode() != 200) {
            response.body().close();
            throw new IOException(origin.url + " answered " + response.statusCode());
        }
        return response.body();
    }

    /** The first bytes of a stream. */
    private static final class FirstBytes extends FilterInputStream {
        private long left;

        FirstBytes(InputStream in, long bytes) {
            super(in);
            left = bytes;
        }

        @Override
        public int read() throws IOException {
            int next = left > 0 ? super.read() : -1;
            left -= next >= 0 ? 1 : 0;
            return next;
        }

        @Override
        public int read(byte[] into, int offset, int length) throws IOException {
            int n = left > 0 ? super.read(into, offset, (int) Math.min(left, length)) : -1;
            left -= Math.max(n, 0);
            return n;
        }
    }

    /** A log line now and then, so that a long download is seen to live. */
    private static final class Progress implements LongConsumer {
        private final Path disk;
        private long next = PROGRESS_BYTES;

        Progress(Path disk) {
            this.disk = disk;
        }

        @Override
        public void accept(long bytes) {
            if (bytes >= next) {
                LOG.info("disk {}: {} MiB so far", disk, bytes >> 20);
                next += PROGRESS_BYTES;
            }
        }
    }
}
