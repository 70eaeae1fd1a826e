package dev.pairvm.api.v1alpha1;

import io.fabric8.crd.generator.annotation.AdditionalPrinterColumn;
import io.fabric8.crd.generator.annotation.AdditionalPrinterColumn.Type;
import io.fabric8.kubernetes.api.model.Namespaced;
import io.fabric8.kubernetes.client.CustomResource;
import io.fabric8.kubernetes.model.annotation.Group;
import io.fabric8.kubernetes.model.annotation.Kind;
import io.fabric8.kubernetes.model.annotation.Plural;
import io.fabric8.kubernetes.model.annotation.ShortNames;
import io.fabric8.kubernetes.model.annotation.Singular;
import io.fabric8.kubernetes.model.annotation.Version;

/**
 * Something to be done once to a machine of the same namespace, with its evidence. It leaves the machine's spec alone, so that
 * it does not quarrel with whoever keeps that in git.
 */
@Group(ProtectedVM.GROUP)
@Version(ProtectedVM.VERSION)
@Kind("ProtectedVMOperation")
@Singular("protectedvmoperation")
@Plural("protectedvmoperations")
@ShortNames("pvmop")
@AdditionalPrinterColumn(name = "Machine", jsonPath = ".spec.protectedVMName", type = Type.STRING)
@AdditionalPrinterColumn(name = "Type", jsonPath = ".spec.type", type = Type.STRING)
@AdditionalPrinterColumn(name = "Phase", jsonPath = ".status.phase", type = Type.STRING)
@AdditionalPrinterColumn(name = "Age", jsonPath = ".metadata.creationTimestamp", type = Type.DATE)
@AdditionalPrinterColumn(name = "Message", jsonPath = ".status.message", type = Type.STRING, priority = 1)
public class ProtectedVMOperation extends CustomResource<ProtectedVMOperationSpec, ProtectedVMOperationStatus>
        implements Namespaced {
    private static final long serialVersionUID = 1L;
}
