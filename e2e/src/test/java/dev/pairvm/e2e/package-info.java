/** The whole product on a real cluster with real guests; nothing here imitates Kubernetes, QEMU or disks. */
@NullMarked
package dev.pairvm.e2e;

import org.jspecify.annotations.NullMarked;
