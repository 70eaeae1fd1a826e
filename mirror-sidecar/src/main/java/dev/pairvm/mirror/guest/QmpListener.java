package dev.pairvm.mirror.guest;

/** Hears what happens on a monitor connection, on its event loop. */
public interface QmpListener {
    /** QEMU reported an event. */
    void onEvent(QmpEvent event);

    /** The connection is of no use any more. Called once, also after {@link QmpClient#close()}; no event follows. */
    void onLost(QmpException.Lost cause);
}
