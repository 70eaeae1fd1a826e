package dev.pairvm.mirror.store;

/** Receives the block map of a disk, in rising order and without gaps. */
@FunctionalInterface
public interface ExtentVisitor {
    /**
     * One stretch of data or of hole; a hole reads as zeros.
     *
     * @return whether to go on
     */
    boolean extent(long offset, long length, boolean hole);
}
