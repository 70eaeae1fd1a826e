package dev.pairvm.mirror;

import picocli.CommandLine.IVersionProvider;

/** The version this program was built as, from the jar's manifest. */
final class BuildVersion implements IVersionProvider {
    static String get() {
        String version = BuildVersion.class.getPackage().getImplementationVersion();
        return version == null ? "dev" : version;
    }

    @Override
    public String[] getVersion() {
        return new String[] {"pairvm-mirror " + get()};
    }
}
