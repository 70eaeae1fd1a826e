package dev.pairvm.operator.desired;

import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.v1alpha1.MirroredDisk;
import dev.pairvm.api.v1alpha1.Volume.CloudInitNoCloud;
import io.fabric8.kubernetes.api.model.KeyToPath;
import io.fabric8.kubernetes.api.model.Secret;
import io.fabric8.kubernetes.api.model.SecretBuilder;
import io.fabric8.kubernetes.api.model.Volume;
import io.fabric8.kubernetes.api.model.VolumeBuilder;
import io.fabric8.kubernetes.api.model.VolumeProjection;
import io.fabric8.kubernetes.api.model.VolumeProjectionBuilder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** The volumes of a copy's pod, and the Secret behind its cloud-init disk. */
public final class PodVolumes {
    static final String CONFIG = "config";
    static final String TLS = "tls";
    static final String TOKEN = "token";
    static final String CLOUD_INIT = "cloudinit";
    /** Kubernetes' customary life of a projected token: an hour and a little, renewed by the kubelet. */
    private static final long TOKEN_SECONDS = 3607;

    private final Machine machine;
    private final CopyId copy;

    PodVolumes(Machine machine, CopyId copy) {
        this.machine = machine;
        this.copy = copy;
    }

    static String disk(MirroredDisk disk) {
        return "disk-" + disk.name();
    }

    List<Volume> all() {
        List<Volume> volumes = new ArrayList<>();
        volumes.add(new VolumeBuilder()
                .withName("run")
                .withNewEmptyDir()
                .endEmptyDir()
                .build());
        volumes.add(new VolumeBuilder()
                .withName("tun")
                .withNewHostPath("/dev/net/tun", "CharDevice")
                .build());
        volumes.add(new VolumeBuilder()
                .withName(CONFIG)
                .withNewConfigMap()
                .withName(machine.podName(copy))
                .endConfigMap()
                .build());
        volumes.add(new VolumeBuilder()
                .withName(TLS)
                .withNewSecret()
                .withSecretName(machine.tlsName(copy))
                .withDefaultMode(0400)
                .endSecret()
                .build());
        volumes.add(token());
        CloudInitNoCloud cloudInit = cloudInit(machine);
        if (cloudInit != null) {
            volumes.add(cloudInitVolume(cloudInit));
        }
        machine.spec()
                .disks()
                .forEach(disk -> volumes.add(new VolumeBuilder()
                        .withName(disk(disk))
                        .withNewPersistentVolumeClaim(machine.claimName(copy, disk.name()), null)
                        .build()));
        return volumes;
    }

    /** What the kubelet mounts by itself into every container, given to one container only. */
    private static Volume token() {
        return new VolumeBuilder()
                .withName(TOKEN)
                .withNewProjected()
                .withDefaultMode(0400)
                .addNewSource()
                .withNewServiceAccountToken()
                .withPath("token")
                .withExpirationSeconds(TOKEN_SECONDS)
                .endServiceAccountToken()
                .endSource()
                .addNewSource()
                .withNewConfigMap()
                .withName("kube-root-ca.crt")
                .withItems(new KeyToPath("ca.crt", null, "ca.crt"))
                .endConfigMap()
                .endSource()
                .addNewSource()
                .withNewDownwardAPI()
                .addNewItem()
                .withPath("namespace")
                .withNewFieldRef("v1", "metadata.namespace")
                .endItem()
                .endDownwardAPI()
                .endSource()
                .endProjected()
                .build();
    }

    private Volume cloudInitVolume(CloudInitNoCloud cloudInit) {
        List<VolumeProjection> sources = new ArrayList<>();
        sources.add(secret(cloudInitName(machine), null, false));
        dev.pairvm.api.v1alpha1.Volume.SecretRef ref = cloudInit.secretRef();
        if (ref != null) {
            sources.add(secret(ref.name(), new KeyToPath("userdata", null, "user-data"), false));
            sources.add(secret(ref.name(), new KeyToPath("networkdata", null, "network-data"), true));
        }
        return new VolumeBuilder()
                .withName(CLOUD_INIT)
                .withNewProjected()
                .withDefaultMode(0400)
                .withSources(sources)
                .endProjected()
                .build();
    }

    private static VolumeProjection secret(String name, @Nullable KeyToPath item, boolean optional) {
        return new VolumeProjectionBuilder()
                .withNewSecret()
                .withName(name)
                .withItems(item == null ? List.of() : List.of(item))
                .withOptional(optional ? true : null)
                .endSecret()
                .build();
    }

    /** The Secret with what the template says inline, and the meta-data; empty where the template has no cloud-init volume. */
    public static Optional<Secret> cloudInitSecret(Machine machine) {
        CloudInitNoCloud cloudInit = cloudInit(machine);
        if (cloudInit == null) {
            return Optional.empty();
        }
        String hostname = machine.spec().template().spec().hostname();
        Map<String, String> data = new LinkedHashMap<>();
        data.put(
                "meta-data",
                base64("instance-id: " + machine.uid() + "\nlocal-hostname: "
                        + (hostname == null ? machine.name() : hostname) + "\n"));
        String text = cloudInit.userData();
        String encoded = cloudInit.userDataBase64();
        String network = cloudInit.networkData();
        if (text != null) {
            data.put("user-data", base64(text));
        } else if (encoded != null) {
            data.put("user-data", encoded);
        }
        if (network != null) {
            data.put("network-data", base64(network));
        }
        return Optional.of(new SecretBuilder()
                .withMetadata(machine.owned(cloudInitName(machine), machine.labels()))
                .withType("Opaque")
                .withData(data)
                .build());
    }

    private static String cloudInitName(Machine machine) {
        return machine.name() + "-cloudinit";
    }

    private static @Nullable CloudInitNoCloud cloudInit(Machine machine) {
        return machine.spec().template().spec().cloudInit();
    }

    private static String base64(String text) {
        return Base64.getEncoder().encodeToString(text.getBytes(StandardCharsets.UTF_8));
    }
}
