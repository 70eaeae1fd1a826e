package dev.pairvm.mirror;

import java.util.List;
import java.util.Optional;
import org.slf4j.LoggerFactory;

/** {@code pairvm-mirror}: {@code run} is the sidecar, {@code import} fills a disk before the first start. */
public final class MirrorMain {
    private MirrorMain() {}

    /** Ends with the command's exit status; 2 for wrong flags. */
    public static void main(String[] args) {
        if (args.length > 0 && args[0].equals("run")) {
            List<String> flags = List.of(args).subList(1, args.length);
            Optional<RunCommand> plain = RunCommand.plain(flags);
            if (plain.isPresent()) {
                System.exit(run(plain.get()));
            }
        }
        System.exit(Commands.execute(args));
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
