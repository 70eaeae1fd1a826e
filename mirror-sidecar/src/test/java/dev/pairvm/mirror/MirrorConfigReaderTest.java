package dev.pairvm.mirror;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.datatype.jdk8.Jdk8Module;
import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.mirror.MirrorConfig;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The operator writes with Jackson; what is read by hand must be what Jackson reads. */
class MirrorConfigReaderTest {
    private static final ObjectMapper JSON = JsonMapper.builder()
            .addModule(new Jdk8Module())
            .enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
            .build();

    private static final MirrorConfig FULL = new MirrorConfig(
            "orders",
            "00000000-0000-4000-8000-000000000001",
            "shop",
            new CopyId("b"),
            "pairvm-orders",
            List.of(
                    new MirrorConfig.Disk(
                            "root",
                            "/disk/root",
                            MirrorConfig.Disk.Kind.BLOCK,
                            20L << 30,
                            Optional.of("s-1"),
                            Optional.of(1)),
                    new MirrorConfig.Disk(
                            "data",
                            "/disk/\"ü\\ \u2028",
                            MirrorConfig.Disk.Kind.FILE,
                            512,
                            Optional.empty(),
                            Optional.empty())),
            new MirrorConfig.Timing(50, 400, 500),
            MirrorConfig.SlowPeer.SUSPEND,
            new MirrorConfig.Link(7400, List.of("net2", "eth0")),
            new MirrorConfig.Guest(
                    new MirrorConfig.Cpu(1, 2, 3, "max"),
                    2048,
                    "q35",
                    new MirrorConfig.Firmware(true, "00000000-0000-4000-8000-000000000002", Optional.of("f-1")),
                    List.of(new MirrorConfig.Interface(
                            "net",
                            "02:00:00:00:00:01",
                            MirrorConfig.Binding.MASQUERADE,
                            "eth0",
                            List.of(new MirrorConfig.Port("TCP", 22)))),
                    Optional.of("orders-1"),
                    true,
                    Optional.of("console=ttyS0\tquiet"),
                    MirrorConfig.OnCrash.STOP,
                    30),
            true,
            Optional.of(new MirrorConfig.Resync(150, Long.MAX_VALUE)),
            Optional.of(new MirrorConfig.Twin(
                    true, new MirrorConfig.Checkpoint(600, 300, 400), "/var/lib/pairvm/overlays", 1L << 33)));

    private static ObjectNode full() {
        return JSON.valueToTree(FULL);
    }

    private static MirrorConfig read(Object json) {
        return MirrorConfigReader.read(json.toString().getBytes(UTF_8));
    }

    @Test
    void whatTheOperatorWroteIsReadAsItIs() throws Exception {
        byte[] json = JSON.writeValueAsBytes(FULL);

        assertThat(MirrorConfigReader.read(json)).isEqualTo(FULL).isEqualTo(JSON.readValue(json, MirrorConfig.class));
    }

    /** Else the comparison above would not see a component that is read by nobody. */
    @Test
    void theSampleLeavesNothingOut() throws Exception {
        assertComplete(FULL);
    }

    private static void assertComplete(Object value) throws Exception {
        switch (value) {
            case Optional<?> optional -> assertThat(optional).isPresent();
            case List<?> list -> assertComplete(list.getFirst());
            case Record record
            when record.getClass().getPackageName().startsWith("dev.pairvm") -> {
                for (var component : record.getClass().getRecordComponents()) {
                    assertComplete(component.getAccessor().invoke(record));
                }
            }
            default -> assertThat(value).isNotIn(0, 0L, "", false);
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "resync",
                "twin",
                "/guest/hostname",
                "/guest/kernelArgs",
                "/guest/firmware/serial",
                "/disks/0/serial",
                "/disks/0/bootOrder"
            })
    void whatIsOptionalMayBeMissingOrNull(String pointer) throws Exception {
        int slash = pointer.lastIndexOf('/');
        ObjectNode missing = full();
        ((ObjectNode) missing.at(pointer.substring(0, Math.max(0, slash)))).remove(pointer.substring(slash + 1));
        ObjectNode empty = full();
        ((ObjectNode) empty.at(pointer.substring(0, Math.max(0, slash)))).putNull(pointer.substring(slash + 1));

        assertThat(read(missing))
                .isEqualTo(JSON.treeToValue(missing, MirrorConfig.class))
                .isNotEqualTo(FULL);
        assertThat(read(empty)).isEqualTo(read(missing));
    }

    @Test
    void aFieldOfALaterOperatorIsPassedOverAtTheTop() {
        assertThat(read(full().put("later", 7))).isEqualTo(FULL);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "''|later|1|",
                "/guest|later|1|guest has a field that this mirror does not know",
                "/guest|memoryMib|null|guest.memoryMib is missing",
                "/guest|memoryMib|4294967296|guest.memoryMib must be a whole number of 32 bits",
                "/guest|memoryMib|\"1\"|guest.memoryMib must be a whole number",
                "/guest|memoryMib|1.5|not whole",
                "/guest|interfaces|{}|guest.interfaces must be a list",
                "/guest|cloudInit|1|guest.cloudInit must be true or false",
                "/disks/1|kind|\"TAPE\"|disks[1].kind must be one of [FILE, BLOCK]",
                "/disks/1|path|null|disks[1].path is missing",
                "/link|interfaces|[1]|link.interfaces must be a list of strings",
                "/timing|leaseMillis|100|leaseMillis must be at least four beacons",
                "''|copy|\"B\"|copy name must be",
                "''|link|[]|link must be an object",
                "''|machine|null|machine is missing",
                "/twin|overlays|\"here\"|twin.overlays must be an absolute path",
                "/twin|checkpoint|null|twin.checkpoint is missing",
                "/twin/checkpoint|maxPauseMillis|0|checkpoint.maxPauseMillis must be from 1"
            })
    void whatIsWrongIsNamed(String object, String field, String value, String message) throws Exception {
        ObjectNode json = full();
        String before = json.toString();
        ObjectNode at = (ObjectNode) json.at(object);
        at.put(field, "REPLACED");
        String changed = json.toString().replace("\"REPLACED\"", value);
        assertThat(changed).isNotEqualTo(before);

        if (message == null) {
            assertThat(read(changed)).isEqualTo(FULL);
        } else {
            assertThatIllegalArgumentException().isThrownBy(() -> read(changed)).withMessageContaining(message);
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                " ",
                "nul",
                "{",
                "{}}",
                "[",
                "{\"a\"}",
                "{\"a\":1,}",
                "{\"a\":1,\"a\":1}",
                "{a:1}",
                "[1 2]",
                "\"",
                "\"\\x\"",
                "\"\\u12g4\"",
                "\"\n\"",
                "01",
                "-",
                "+1",
                "1e3",
                "9223372036854775808",
                "NaN",
                "'a'",
                "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"
            })
    void whatIsNotJsonIsRefused(String text) {
        assertThatIllegalArgumentException().isThrownBy(() -> PlainJson.read(text.getBytes(UTF_8)));
    }

    @Test
    void damagedDocumentsAreRefusedOrReadAsJacksonReadsThem() throws Exception {
        byte[] good = JSON.writeValueAsBytes(FULL);
        Random random = new Random(1);
        for (int i = 0; i < 20_000; i++) {
            byte[] bad = Arrays.copyOf(good, random.nextInt(4) == 0 ? random.nextInt(good.length) : good.length);
            for (int n = random.nextInt(3); n >= 0 && bad.length > 0; n--) {
                bad[random.nextInt(bad.length)] = (byte) random.nextInt(256);
            }
            MirrorConfig read;
            try {
                read = MirrorConfigReader.read(bad);
            } catch (IllegalArgumentException refused) {
                assertThat(refused).hasMessageNotContaining("Exception");
                continue;
            }
            assertThat(read).isEqualTo(JSON.readValue(bad, MirrorConfig.class));
        }
    }
}
