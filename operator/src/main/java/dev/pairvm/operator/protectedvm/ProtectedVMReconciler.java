package dev.pairvm.operator.protectedvm;

import dev.pairvm.api.mirror.MirrorReport;
import dev.pairvm.api.v1alpha1.ProtectedVM;
import dev.pairvm.api.v1alpha1.ProtectedVMStatus;
import dev.pairvm.operator.desired.Installation;
import dev.pairvm.operator.metrics.MachineMetrics;
import dev.pairvm.operator.pki.TrustStore;
import dev.pairvm.operator.runtime.pod.MirrorClient;
import dev.pairvm.operator.runtime.pod.MirrorDirectory;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.javaoperatorsdk.operator.api.reconciler.Cleaner;
import io.javaoperatorsdk.operator.api.reconciler.Context;
import io.javaoperatorsdk.operator.api.reconciler.ControllerConfiguration;
import io.javaoperatorsdk.operator.api.reconciler.DeleteControl;
import io.javaoperatorsdk.operator.api.reconciler.EventSourceContext;
import io.javaoperatorsdk.operator.api.reconciler.Reconciler;
import io.javaoperatorsdk.operator.api.reconciler.UpdateControl;
import io.javaoperatorsdk.operator.processing.event.source.EventSource;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;
import org.slf4j.MDC;

/**
 * The loop of a machine: observe, plan, report, apply; all of it in every pass. The status is written before the plan is carried out, so
 * that what is intended can be seen even if it fails, and it is made of observation alone: a pass in which much happens is followed by
 * the next one, which sees the outcome.
 */
@ControllerConfiguration(
        name = "protectedvm",
        finalizerName = ProtectedVMReconciler.FINALIZER,
        fieldManager = "pairvm-operator-finalizer")
public final class ProtectedVMReconciler implements Reconciler<ProtectedVM>, Cleaner<ProtectedVM> {
    /** Keeps the object until the machine is stopped. */
    public static final String FINALIZER = "pairvm.dev/machine";

    private final Observer observer;
    private final Planner planner;
    private final DeletionPlanner deletion = new DeletionPlanner();
    private final Applier applier;
    private final StatusWriter statuses;
    private final EventRecorder events;
    private final MirrorDirectory mirrors;
    private final MachineMetrics metrics;
    private final Memories memories;
    private final OrderLog orders = new OrderLog();
    /** Last hand-over announced per machine, by epoch; only against saying it twice. */
    private final Map<String, Long> handOvers = new ConcurrentHashMap<>();

    private @Nullable MachineSources sources;

    /** Wires the parts of the loop; no thread is started. */
    public ProtectedVMReconciler(
            KubernetesClient client,
            Installation installation,
            TrustStore trust,
            MirrorClient mirrorClient,
            MirrorDirectory mirrors,
            EventRecorder events,
            MachineMetrics metrics,
            InstantSource clock) {
        ExpansionRefusals refusals = new ExpansionRefusals();
        this.memories = new Memories(client);
        this.observer = new Observer(client, memories, trust, mirrors, refusals, orders, clock);
        this.planner = new Planner(installation, () -> UUID.randomUUID().toString());
        this.applier = new Applier(client, memories, trust, mirrorClient, orders, refusals, clock);
        this.statuses = new StatusWriter(client);
        this.events = events;
        this.mirrors = mirrors;
        this.metrics = metrics;
    }

    @Override
    public List<EventSource<?, ProtectedVM>> prepareEventSources(EventSourceContext<ProtectedVM> context) {
        MachineSources made = new MachineSources(context);
        sources = made;
        mirrors.onChange(made::mirrorChanged);
        return made.all();
    }

    @Override
    public UpdateControl<ProtectedVM> reconcile(ProtectedVM resource, Context<ProtectedVM> context) {
        try (MDC.MDCCloseable vm = MDC.putCloseable("vm", resource.getMetadata().getName())) {
            Observation seen = observe(resource, context);
            Plan plan = planner.plan(seen);
            report(resource, seen, plan);
            applier.apply(seen, plan);
            Duration again = plan.again();
            return UpdateControl.<ProtectedVM>noUpdate().rescheduleAfter(again);
        }
    }

    @Override
    public DeleteControl cleanup(ProtectedVM resource, Context<ProtectedVM> context) {
        try (MDC.MDCCloseable vm = MDC.putCloseable("vm", resource.getMetadata().getName())) {
            Observation seen = observe(resource, context);
            if (deletion.finished(seen)) {
                forget(resource);
                return DeleteControl.defaultDelete();
            }
            Instant since = NodeFacts.instant(resource.getMetadata().getDeletionTimestamp())
                    .orElse(seen.now());
            Plan plan = deletion.plan(seen, since);
            report(resource, seen, plan);
            applier.apply(seen, plan);
            return DeleteControl.noFinalizerRemoval()
                    .rescheduleAfter(plan.again().toMillis());
        }
    }

    private Observation observe(ProtectedVM resource, Context<ProtectedVM> context) {
        MachineSources ready = sources;
        if (ready == null) {
            throw new IllegalStateException("event sources are prepared before the first pass");
        }
        Observation seen = observer.observe(resource, context, ready);
        return With.before(seen, statuses.before(resource, seen.before()));
    }

    private void report(ProtectedVM resource, Observation seen, Plan plan) {
        ProtectedVMStatus status = new StatusView(seen, plan).status();
        metrics.set(
                seen.machine().namespace(),
                seen.machine().name(),
                seen.current().size(),
                status);
        if (statuses.write(resource, seen.before(), status)) {
            for (Announcement said : Announcement.between(seen.before(), status)) {
                events.record(resource, said.warning(), said.reason().name(), said.note());
            }
        }
        announceHandOver(resource, seen);
    }

    /** A planned change of the active is told by the new active; a first sight of one that happened before this process is not news. */
    private void announceHandOver(ProtectedVM resource, Observation seen) {
        Optional<MirrorReport> active = seen.servingActive();
        if (active.isEmpty()) {
            return;
        }
        Optional<MirrorReport.Transition> told = active.get()
                .lastTransition()
                .filter(transition -> transition.kind().equals("HANDED_OVER"));
        long epoch = told.map(transition -> transition.epoch().value()).orElse(0L);
        Long before = handOvers.put(resource.getMetadata().getUid(), epoch);
        if (before != null && before < epoch) {
            events.record(
                    resource,
                    false,
                    Reason.SwitchedOver.name(),
                    "the guest moved to copy " + active.get().copy() + ", epoch " + epoch);
        }
    }

    private void forget(ProtectedVM resource) {
        String uid = resource.getMetadata().getUid();
        mirrors.forget(
                resource.getMetadata().getNamespace(), resource.getMetadata().getName());
        metrics.forget(
                resource.getMetadata().getNamespace(), resource.getMetadata().getName());
        memories.forget(uid);
        statuses.forget(uid);
        orders.forget(uid);
        handOvers.remove(uid);
    }
}
