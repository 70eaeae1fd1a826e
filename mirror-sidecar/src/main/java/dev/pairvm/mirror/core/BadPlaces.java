package dev.pairvm.mirror.core;

import java.util.ArrayList;
import java.util.List;

/**
 * Places of the local copy that could not be read and were written anew from the peer. A drive maps a bad sector to a spare one when it
 * is written; a place that fails again after that, or too many of them, says that the drive itself is going.
 */
final class BadPlaces {
    /** More than a drive in good health ever shows in one life of a mirror; each costs the guest a round trip. */
    static final int MOST = 32;

    private record Place(int disk, long offset, long length) {}

    private final List<Place> repaired = new ArrayList<>();

    void repaired(GuestRequest read) {
        repaired.add(new Place(read.disk, read.offset, read.length));
    }

    /** Whether an error at this read is one too many. */
    boolean hopeless(GuestRequest read) {
        return repaired.size() >= MOST
                || repaired.stream()
                        .anyMatch(place -> place.disk == read.disk
                                && place.offset < read.offset + read.length
                                && read.offset < place.offset + place.length);
    }
}
