package dev.pairvm.mirror.core.sim;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pairvm.mirror.core.Mutants;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;

/**
 * Runs seeds {@code sim.from} to {@code sim.from + sim.seeds - 1}, on as many threads as there are processors; each seed is one thread's
 * alone. A failing seed runs again with its story on standard output; {@code -Dsim.mutant=NAME} relaxes a rule.
 */
class SimulationTest {
    private static final int SEEDS = Integer.getInteger("sim.seeds", 5_000);
    private static final int FROM = Integer.getInteger("sim.from", 1);
    private static final Mutants MUTANT = Mutants.valueOf(System.getProperty("sim.mutant", "NONE"));
    private static final int STORY_LINES = Integer.getInteger("sim.story", 400);
    /** From here on a set of seeds must have met every rare branch. */
    private static final int ENOUGH = 5_000;

    private record Broken(long seed, RuntimeException why) {}

    @Test
    void noSeedBreaksAnInvariant() throws InterruptedException {
        Coverage coverage = new Coverage();
        AtomicLong next = new AtomicLong(FROM);
        AtomicReference<Broken> broken = new AtomicReference<>();
        AtomicLong processorNanos = new AtomicLong();
        long began = System.nanoTime();
        List<Thread> threads = new ArrayList<>();
        for (int i = Runtime.getRuntime().availableProcessors(); i > 0; i--) {
            threads.add(Thread.ofPlatform().start(() -> {
                work(next, coverage, broken);
                processorNanos.addAndGet(ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime());
            }));
        }
        for (Thread thread : threads) {
            thread.join();
        }
        Broken found = broken.get();
        if (found != null) {
            tell(found);
        }
        double seconds = (System.nanoTime() - began) / 1e9;
        System.out.printf(
                "%,d seeds from %d in %.1f s (%.1f s of processors): %,.0f s of a pair's life, %,.0f times as fast as"
                        + " real, %,.0f times on each processor%n%s",
                SEEDS,
                FROM,
                seconds,
                processorNanos.get() / 1e9,
                coverage.simulatedSeconds(),
                coverage.simulatedSeconds() / seconds,
                coverage.simulatedSeconds() / (processorNanos.get() / 1e9),
                coverage.table());
        if (SEEDS >= ENOUGH) {
            assertThat(coverage.missed()).as("rare branches that no seed met").isEmpty();
        }
    }

    private static void work(AtomicLong next, Coverage coverage, AtomicReference<Broken> broken) {
        for (long seed = next.getAndIncrement();
                seed < (long) FROM + SEEDS && broken.get() == null;
                seed = next.getAndIncrement()) {
            Sim sim = new Sim(seed, MUTANT, 0);
            try {
                sim.run();
            } catch (RuntimeException e) {
                broken.compareAndSet(null, new Broken(seed, e));
            }
            coverage.add(sim);
        }
    }

    private static void tell(Broken broken) {
        Sim again = new Sim(broken.seed(), MUTANT, STORY_LINES);
        try {
            again.run();
        } catch (RuntimeException e) {
            System.out.println(again.story());
        }
        throw new AssertionError(
                "make sim SEEDS=1 FROM=" + broken.seed() + " repeats it: "
                        + broken.why().getMessage(),
                broken.why());
    }
}
