package dev.pairvm.operator.protectedvm;

import dev.pairvm.api.v1alpha1.ProtectedVM;
import dev.pairvm.operator.desired.Labels;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.MicroTime;
import io.fabric8.kubernetes.api.model.events.v1.Event;
import io.fabric8.kubernetes.api.model.events.v1.EventBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientException;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Records {@code events.k8s.io/v1} events. The same thing said again soon becomes a series of one event, not another event. Recording is
 * a courtesy: a failure is logged and forgotten. Thread-safe.
 */
public final class EventRecorder {
    private static final Logger LOG = LoggerFactory.getLogger(EventRecorder.class);
    /** As client-go has it: what comes later than this is a new event. */
    private static final Duration SERIES = Duration.ofMinutes(6);
    /** Bound of the memory of recent events. */
    private static final int MOST_REMEMBERED = 4096;

    private static final int LONGEST_NOTE = 1000;
    private static final DateTimeFormatter MICROS =
            DateTimeFormatter.ofPattern("yyyy-MM-dd'T'HH:mm:ss.SSSSSS'Z'").withZone(ZoneOffset.UTC);

    private final KubernetesClient client;
    private final String instance;
    private final InstantSource clock;
    private final Map<Key, Recent> recent = new LinkedHashMap<>();

    private record Key(String uid, String reason, String note) {}

    private record Recent(String name, int count, Instant last) {}

    /** {@code instance} names this process, for {@code reportingInstance}. */
    public EventRecorder(KubernetesClient client, String instance, InstantSource clock) {
        this.client = client;
        this.instance = instance;
        this.clock = clock;
    }

    /** Records one event about an object of the API group {@code pairvm.dev}. */
    public void record(HasMetadata about, boolean warning, String reason, String note) {
        String text = note.substring(0, Math.min(LONGEST_NOTE, note.length()));
        Key key = new Key(about.getMetadata().getUid(), reason, text);
        Instant now = clock.instant();
        Recent before;
        Recent next;
        synchronized (recent) {
            before = recent.remove(key);
            boolean series = before != null && before.last.plus(SERIES).isAfter(now);
            next = series && before != null
                    ? new Recent(before.name, before.count + 1, now)
                    : new Recent(
                            about.getMetadata().getName() + "." + Long.toHexString(now.toEpochMilli()) + "."
                                    + Integer.toHexString(key.hashCode()),
                            1,
                            now);
            recent.put(key, next);
            Iterator<Key> oldest = recent.keySet().iterator();
            while (recent.size() > MOST_REMEMBERED && oldest.hasNext()) {
                oldest.next();
                oldest.remove();
            }
        }
        try {
            if (next.count == 1) {
                client.resource(event(about, warning, reason, text, next, now)).create();
            } else {
                extend(about, next, now);
            }
        } catch (KubernetesClientException e) {
            LOG.warn(
                    "event {} about {} was not recorded: {}",
                    reason,
                    about.getMetadata().getName(),
                    e.getMessage());
        }
    }

    private Event event(HasMetadata about, boolean warning, String reason, String note, Recent next, Instant now) {
        return new EventBuilder()
                .withNewMetadata()
                .withName(next.name)
                .withNamespace(about.getMetadata().getNamespace())
                .endMetadata()
                .withEventTime(new MicroTime(MICROS.format(now)))
                .withReportingController(ProtectedVM.GROUP + "/" + Labels.OPERATOR)
                .withReportingInstance(instance)
                .withAction("Reconcile")
                .withReason(reason)
                .withNote(note)
                .withType(warning ? "Warning" : "Normal")
                .withNewRegarding()
                .withApiVersion(about.getApiVersion())
                .withKind(about.getKind())
                .withName(about.getMetadata().getName())
                .withNamespace(about.getMetadata().getNamespace())
                .withUid(about.getMetadata().getUid())
                .endRegarding()
                .build();
    }

    private void extend(HasMetadata about, Recent next, Instant now) {
        client.events()
                .v1()
                .events()
                .inNamespace(about.getMetadata().getNamespace())
                .withName(next.name)
                .edit(event -> new EventBuilder(event)
                        .withNewSeries()
                        .withCount(next.count)
                        .withLastObservedTime(new MicroTime(MICROS.format(now)))
                        .endSeries()
                        .build());
    }
}
