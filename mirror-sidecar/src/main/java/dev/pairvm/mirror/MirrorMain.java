package dev.pairvm.mirror;

import dev.pairvm.mirror.source.ImportCommand;
import java.util.List;
import org.slf4j.LoggerFactory;
import picocli.CommandLine;
import picocli.CommandLine.Command;

/** {@code pairvm-mirror}: {@code run} is the sidecar, {@code import} fills a disk before the first start. */
@Command(
        name = "pairvm-mirror",
        mixinStandardHelpOptions = true,
        versionProvider = BuildVersion.class,
        synopsisSubcommandLabel = "COMMAND",
        description =
                "Mirrors one machine's disks to the peer and decides, with it and the arbiter, who may run the guest.",
        subcommands = {RunCommand.class, ImportCommand.class})
public final class MirrorMain implements Runnable {
    /** Never started but by picocli. */
    MirrorMain() {}

    @Override
    public void run() {
        throw new CommandLine.ParameterException(
                new CommandLine(this), "say what to do: run or import; --help explains");
    }

    /** Ends with the command's exit status; 2 for wrong flags. */
    public static void main(String[] args) {
        if (args.length > 0 && args[0].equals("run")) {
            List<String> flags = List.of(args).subList(1, args.length);
            RunCommand.plain(flags).ifPresent(command -> System.exit(run(command)));
        }
        System.exit(new CommandLine(new MirrorMain())
                .setCaseInsensitiveEnumValuesAllowed(true)
                .execute(args));
    }

    private static int run(RunCommand command) {
        try {
            return command.call();
        } catch (Exception e) {
            LoggerFactory.getLogger(MirrorMain.class).error("the mirror ended by a fault of its own", e);
            return 1;
        }
    }
}
