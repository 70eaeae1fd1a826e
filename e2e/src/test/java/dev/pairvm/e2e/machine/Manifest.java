package dev.pairvm.e2e.machine;

/** The manifest of a test machine, as a user would write it: a mirrored root disk, one card on the flat LAN, a fixed address. */
public final class Manifest {
    /** Hardware address of every test machine's card; one machine lives at a time. */
    public static final String MAC = "52:54:00:70:76:01";

    /** Half an hour of records at the rate below. */
    private static final int DISK_MIB = 512;

    private Manifest() {}

    /** A machine at this level, with the guest image as the source of its root disk. */
    public static String of(String name, String level, String address, DiskImage image) {
        return """
                apiVersion: pairvm.dev/v1alpha1
                kind: ProtectedVM
                metadata:
                  name: %1$s
                spec:
                  level: %2$s
                  disks:
                    - name: root
                      size: %7$sMi
                      storageClassName: local
                      volumeMode: Filesystem
                      onDelete: Delete
                      source:
                        http:
                          url: %4$s
                          checksum: %5$s
                  placement:
                    mirrorNetwork: default/mirror-net
                  recovery:
                    replaceLostCopyAfter: 10m
                  template:
                    spec:
                      domain:
                        cpu:
                          cores: 1
                        memory:
                          guest: 192Mi
                        devices:
                          disks:
                            - name: root
                              disk:
                                bus: virtio
                              bootOrder: 1
                            - name: cidata
                              disk:
                                bus: virtio
                          interfaces:
                            - name: lan
                              bridge: {}
                              macAddress: "%6$s"
                      networks:
                        - name: lan
                          multus:
                            networkName: default/lan
                      volumes:
                        - name: cidata
                          cloudInitNoCloud:
                            userData: |
                              #cloud-config
                              # pairvm-guest: rate=50
                            networkData: |
                              version: 2
                              ethernets:
                                eth0:
                                  addresses: ["%3$s/16"]
                """.formatted(
                        name,
                        level,
                        address,
                        image.url(),
                        image.checksum(),
                        MAC,
                        Math.max(DISK_MIB, (image.sizeBytes() >> 20) + 1));
    }
}
