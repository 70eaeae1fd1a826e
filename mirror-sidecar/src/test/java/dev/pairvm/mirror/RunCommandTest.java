package dev.pairvm.mirror;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;

/** The quick way to read flags and picocli's must agree. */
class RunCommandTest {
    private static final List<String> SWITCHES = List.of("--disks-only", "--plain-link");

    private static String byPicocli(List<String> flags) {
        RunCommand command = new RunCommand();
        new CommandLine(command).parseArgs(flags.toArray(String[]::new));
        return command.toString();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "--disks-only",
                "--disks-only --plain-link",
                "--config /c.json --tls /t --cloud-init /ci --run-dir /r --control-port 1 --health-port 2 --arbiter-file /l.json"
            })
    void plainFlagsMeanWhatPicocliTakesThemFor(String line) {
        List<String> flags = line.isEmpty() ? List.of() : List.of(line.split(" "));

        assertThat(RunCommand.plain(flags)).hasToString("Optional[" + byPicocli(flags) + "]");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"--help", "--control-port", "--control-port x", "--config=/c.json", "--no-such-flag", "stray"})
    void anythingElseIsLeftToPicocli(String line) {
        assertThat(RunCommand.plain(List.of(line.split(" ")))).isEmpty();
    }

    @Test
    void theQuickWayKnowsEveryFlag() {
        List<String> known = new CommandLine(new RunCommand())
                .getCommandSpec().options().stream()
                        .map(option -> option.longestName())
                        .filter(name -> !List.of("--help", "--version").contains(name))
                        .toList();

        assertThat(known)
                .isNotEmpty()
                .allSatisfy(name -> assertThat(
                                RunCommand.plain(SWITCHES.contains(name) ? List.of(name) : List.of(name, "1")))
                        .isPresent());
    }
}
