package dev.pairvm.mirror.core;

/**
 * Which chunks of an extent may differ on the absent peer; bit {@code n} is the chunk at {@code index * 4 MiB + n * 64 KiB}.
 *
 * @param disk index of the disk
 * @param index number of the extent
 * @param mask the bits; 0 clears
 */
public record DirtyMask(int disk, int index, long mask) {}
