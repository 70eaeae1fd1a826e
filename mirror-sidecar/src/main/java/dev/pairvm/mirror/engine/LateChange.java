package dev.pairvm.mirror.engine;

/** Tells a listener that comes later that something the report shows has changed. On the event loop. */
final class LateChange implements Runnable {
    private Runnable listener = () -> {};

    void listener(Runnable now) {
        listener = now;
    }

    @Override
    public void run() {
        listener.run();
    }
}
