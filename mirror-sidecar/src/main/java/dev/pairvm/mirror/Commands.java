package dev.pairvm.mirror;

import dev.pairvm.mirror.source.ImportCommand;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;

/** What picocli needs to know of the program. Apart from {@link MirrorMain}, so that a plain start loads none of picocli's classes. */
@Command(
        name = "pairvm-mirror",
        mixinStandardHelpOptions = true,
        versionProvider = Commands.Version.class,
        synopsisSubcommandLabel = "COMMAND",
        description =
                "Mirrors one machine's disks to the peer and decides, with it and the arbiter, who may run the guest.",
        subcommands = {RunCommand.class, ImportCommand.class})
final class Commands implements Runnable {
    /** Made by {@link #execute} alone. */
    private Commands() {}

    /** Carries the command out; gives its exit status, 2 for wrong flags. */
    static int execute(String... args) {
        return new CommandLine(new Commands())
                .setCaseInsensitiveEnumValuesAllowed(true)
                .execute(args);
    }

    @Override
    public void run() {
        throw new CommandLine.ParameterException(
                new CommandLine(this), "say what to do: run or import; --help explains");
    }

    /** Found by picocli. */
    static final class Version implements IVersionProvider {
        /** Made by picocli. */
        Version() {}

        @Override
        public String[] getVersion() {
            return new String[] {"pairvm-mirror " + BuildVersion.get()};
        }
    }
}
