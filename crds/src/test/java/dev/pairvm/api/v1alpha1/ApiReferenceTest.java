package dev.pairvm.api.v1alpha1;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** The README's tables of fields are those of the types. With {@code -Dcrds.update=true} it writes them. */
class ApiReferenceTest {
    private static final Path README = Path.of("README.md");
    private static final String BEGIN = "<!-- made from the types: begin -->\n";
    private static final String END = "<!-- made from the types: end -->\n";

    @Test
    void tablesAreThoseOfTheTypes() throws IOException {
        String readme = Files.readString(README);
        int begin = readme.indexOf(BEGIN) + BEGIN.length();
        int end = readme.indexOf(END);
        String made = readme.substring(0, begin) + ApiReference.markdown() + "\n" + readme.substring(end);
        if (Boolean.getBoolean("crds.update")) {
            Files.writeString(README, made);
        }

        assertThat(Files.readString(README))
                .as("README and types differ: mvn -pl crds test -Dtest=ApiReferenceTest -Dcrds.update=true")
                .isEqualTo(made);
    }
}
