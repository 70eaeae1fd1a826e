package dev.pairvm.api.v1alpha1;

import java.lang.reflect.RecordComponent;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;

/**
 * Finds what a template asks for and PairVM can not give. The schema keeps unknown fields of the template, so that a manifest
 * written for KubeVirt is refused by path instead of running as a lesser machine.
 */
public final class UnsupportedFields {
    private UnsupportedFields() {}

    /**
     * Paths of all fields of the template that PairVM does not know, {@code spec.template.spec.domain.devices.gpus} or
     * {@code spec.template.spec.domain.devices.disks[0].cdrom}, in the order of the manifest's own types; empty if there are none.
     */
    public static List<String> find(Template template) {
        List<String> paths = new ArrayList<>();
        collect("spec.template", template, paths);
        return List.copyOf(paths);
    }

    private static void collect(String path, TemplateNode node, List<String> paths) {
        new TreeSet<>(node.unsupported().keySet()).forEach(field -> paths.add(path + "." + field));
        for (RecordComponent component : node.getClass().getRecordComponents()) {
            String below = path + "." + component.getName();
            Object value = read(component, node);
            if (value instanceof TemplateNode child) {
                collect(below, child, paths);
            } else if (value instanceof List<?> list) {
                for (int i = 0; i < list.size(); i++) {
                    if (list.get(i) instanceof TemplateNode child) {
                        collect(below + "[" + i + "]", child, paths);
                    }
                }
            }
        }
    }

    private static Object read(RecordComponent component, TemplateNode node) {
        try {
            return component.getAccessor().invoke(node);
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException("component " + component + " can not be read", e);
        }
    }
}
