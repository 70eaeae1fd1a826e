package dev.pairvm.mirror.link;

import java.security.MessageDigest;
import java.security.SecureRandom;
import java.util.Arrays;

/** A random key that no log line shows. */
final class Secret {
    static final int BYTES = 32;

    private final byte[] value;

    Secret(byte[] value) {
        if (value.length != BYTES) {
            throw new IllegalArgumentException("a key has " + BYTES + " bytes, got " + value.length);
        }
        this.value = value.clone();
    }

    static Secret random() {
        byte[] value = new byte[BYTES];
        new SecureRandom().nextBytes(value);
        return new Secret(value);
    }

    byte[] bytes() {
        return value.clone();
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Secret secret && MessageDigest.isEqual(value, secret.value);
    }

    @Override
    public int hashCode() {
        return Arrays.hashCode(value);
    }

    @Override
    public String toString() {
        return "(secret)";
    }
}
