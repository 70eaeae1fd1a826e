package dev.pairvm.mirror.core;

/** Takes the effects of a step in the order in which they must be begun. Called only inside {@link PairCore#step}. */
@FunctionalInterface
public interface EffectSink {
    /** One effect; must not call back into the core. */
    void emit(Effect effect);
}
