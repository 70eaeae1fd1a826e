package dev.pairvm.operator.desired;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.ServiceAccountBuilder;
import io.fabric8.kubernetes.api.model.rbac.RoleBindingBuilder;
import io.fabric8.kubernetes.api.model.rbac.RoleBuilder;
import java.util.List;

/** What a machine's mirrors may do in the cluster: read and replace their own arbiter Lease, by name. Nothing else. */
public final class AccessRules {
    private AccessRules() {}

    /** ServiceAccount, Role and RoleBinding, all named like the Lease. */
    public static List<HasMetadata> of(Machine machine) {
        String name = machine.leaseName();
        return List.of(
                new ServiceAccountBuilder()
                        .withMetadata(machine.owned(name, machine.labels()))
                        .withAutomountServiceAccountToken(false)
                        .build(),
                new RoleBuilder()
                        .withMetadata(machine.owned(name, machine.labels()))
                        .addNewRule()
                        .withApiGroups("coordination.k8s.io")
                        .withResources("leases")
                        .withResourceNames(name)
                        .withVerbs("get", "update")
                        .endRule()
                        .build(),
                new RoleBindingBuilder()
                        .withMetadata(machine.owned(name, machine.labels()))
                        .withNewRoleRef("rbac.authorization.k8s.io", "Role", name)
                        .addNewSubject()
                        .withKind("ServiceAccount")
                        .withName(name)
                        .withNamespace(machine.namespace())
                        .endSubject()
                        .build());
    }
}
