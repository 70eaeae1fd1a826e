package dev.pairvm.mirror.engine;

import dev.pairvm.api.mirror.MirrorConfig;
import dev.pairvm.mirror.guest.Accelerator;
import dev.pairvm.mirror.link.TlsFiles;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;

/**
 * Everything a mirror process is told from outside.
 *
 * @param config the machine, from the operator
 * @param tls certificate, key and authority
 * @param cloudInit directory of the guest's cloud-init data; need not exist
 * @param runDirectory shared with QEMU's container
 * @param controlPort HTTPS for the operator
 * @param healthPort probes and metrics
 * @param arbiterFile a file in place of the Lease, for benchmarks
 * @param disksOnly no guest and no network
 * @param plainLink a link without TLS, to measure what TLS costs; only with both of the above
 * @param runner whether this pod has a QEMU container
 * @param accelerator what executes the guest
 * @param podAddress the pod's address on the pod network
 * @param environment where the API server is
 * @param version of this build
 */
public record MirrorSettings(
        MirrorConfig config,
        TlsFiles tls,
        Path cloudInit,
        Path runDirectory,
        int controlPort,
        int healthPort,
        Optional<Path> arbiterFile,
        boolean disksOnly,
        boolean plainLink,
        boolean runner,
        Accelerator accelerator,
        Optional<String> podAddress,
        Map<String, String> environment,
        String version) {
    /** Refuses what would leave a real machine unprotected: throws {@link IllegalArgumentException} with the way out. */
    public MirrorSettings {
        checkPlainLink(plainLink, disksOnly, arbiterFile);
    }

    static void checkPlainLink(boolean plainLink, boolean disksOnly, Optional<Path> arbiterFile) {
        if (plainLink && (!disksOnly || arbiterFile.isEmpty())) {
            throw new IllegalArgumentException(
                    "--plain-link is for benchmarks on one host: leave it out, or give --disks-only and --arbiter-file too");
        }
    }
}
