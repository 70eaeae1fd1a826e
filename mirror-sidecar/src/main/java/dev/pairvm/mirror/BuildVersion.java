package dev.pairvm.mirror;

/** The version this program was built as, from the jar's manifest. */
final class BuildVersion {
    private BuildVersion() {}

    static String get() {
        String version = BuildVersion.class.getPackage().getImplementationVersion();
        return version == null ? "dev" : version;
    }
}
