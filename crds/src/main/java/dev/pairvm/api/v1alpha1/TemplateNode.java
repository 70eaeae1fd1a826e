package dev.pairvm.api.v1alpha1;

import java.util.Map;

/**
 * An object of the template. It keeps the fields that PairVM does not know, so that they can be refused by their path
 * ({@link UnsupportedFields}) instead of being dropped without a word.
 */
sealed interface TemplateNode
        permits Template,
                TemplateMetadata,
                TemplateSpec,
                Domain,
                Domain.Cpu,
                Domain.Memory,
                Domain.Machine,
                Firmware,
                Firmware.Bootloader,
                Firmware.Bios,
                Firmware.Efi,
                Devices,
                Devices.Disk,
                Devices.DiskTarget,
                Devices.Interface,
                Devices.Bridge,
                Devices.Masquerade,
                Devices.Port,
                Network,
                Network.Pod,
                Network.Multus,
                Volume,
                Volume.CloudInitNoCloud,
                Volume.SecretRef {
    /** Fields of the manifest that this type has no component for. */
    Map<String, Object> unsupported();
}
