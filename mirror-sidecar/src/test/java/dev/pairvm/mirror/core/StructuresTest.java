package dev.pairvm.mirror.core;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

class StructuresTest {
    @Test
    void aLongTableBehavesLikeAMap() {
        Random dice = new Random(7);
        LongTable<Integer> table = new LongTable<>();
        Map<Long, Integer> map = new HashMap<>();
        for (int i = 0; i < 200_000; i++) {
            long key = 1 + dice.nextInt(500);
            if (dice.nextInt(3) == 0) {
                assertThat(table.remove(key)).isEqualTo(map.remove(key));
            } else {
                table.put(key, i);
                map.put(key, i);
            }
            long probe = 1 + dice.nextInt(500);
            assertThat(table.get(probe)).isEqualTo(map.get(probe));
            assertThat(table.size()).isEqualTo(map.size());
        }
    }

    @Test
    void masksNameTheChunksTouched() {
        assertThat(DirtyMap.mask(0, 0, 1)).isEqualTo(1);
        assertThat(DirtyMap.mask(0, Extent.CHUNK_BYTES - 1, 2)).isEqualTo(3);
        assertThat(DirtyMap.mask(1, 0, 2L * Extent.BYTES)).isEqualTo(-1L);
        assertThat(DirtyMap.mask(0, Extent.BYTES - 1, 10)).isEqualTo(1L << 63);
    }

    @Test
    void aShortLastExtentHasOnlyTheChunksThatExist() {
        DirtyMap map = new DirtyMap(new DiskSizes(List.of(Extent.BYTES + 3L * Extent.CHUNK_BYTES + 512)));
        map.addAll();
        assertThat(map.chunks(0)).isEqualTo(64 + 4);
    }

    @Test
    void anExtentThatLacksOnlyAPartOfItsLastChunkHasAllOfThem() {
        DirtyMap map = new DirtyMap(new DiskSizes(List.of(2L * Extent.BYTES - 512)));
        map.addAll();
        assertThat(map.chunks(0)).isEqualTo(128);
    }

    @Test
    void aMapFollowsADiskThatGrows() {
        DiskSizes sizes = new DiskSizes(List.of((long) Extent.BYTES));
        DirtyMap map = new DirtyMap(sizes);
        map.addRange(0, Extent.BYTES, 512);
        assertThat(map.masks()).as("beyond the end").isEmpty();
        sizes.become(List.of(3L * Extent.BYTES));
        assertThat(map.word(0, 2)).isZero();
        map.addRange(0, 2L * Extent.BYTES, 512);
        assertThat(map.masks()).containsExactly(new DirtyMask(0, 2, 1));
    }

    @Test
    void aLineageKeepsEightAncestors() {
        Lineage lineage = new Lineage(1, 0, List.of());
        for (long word = 2; word < 20; word++) {
            lineage = lineage.branch(word);
        }
        assertThat(lineage.base()).isEqualTo(18);
        assertThat(lineage.history()).hasSize(8).startsWith(18L, 17L);
    }

    @Test
    void badConfigurationNamesTheField() {
        assertThatThrownBy(() -> new CoreConfig.Waits(1, 1, 10, 10, 1, 1, 1, 1))
                .hasMessageContaining("standbyReturnsMillis");
        assertThatThrownBy(() -> new Extent(-1, 0)).hasMessageContaining("-1");
    }
}
