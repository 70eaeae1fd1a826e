package dev.pairvm.api.v1alpha1;

import com.fasterxml.jackson.annotation.JsonIgnore;
import io.fabric8.crd.generator.annotation.AdditionalPrinterColumn;
import io.fabric8.crd.generator.annotation.AdditionalPrinterColumn.Type;
import io.fabric8.generator.annotation.ValidationRule;
import io.fabric8.kubernetes.api.model.Namespaced;
import io.fabric8.kubernetes.client.CustomResource;
import io.fabric8.kubernetes.model.annotation.Group;
import io.fabric8.kubernetes.model.annotation.Kind;
import io.fabric8.kubernetes.model.annotation.Plural;
import io.fabric8.kubernetes.model.annotation.ShortNames;
import io.fabric8.kubernetes.model.annotation.Singular;
import io.fabric8.kubernetes.model.annotation.Version;

/**
 * One virtual machine, run as a pair on two hosts. {@code spec} holds only the user's wishes and is never written by PairVM;
 * {@code status} only what was observed.
 */
@Group(ProtectedVM.GROUP)
@Version(ProtectedVM.VERSION)
@Kind("ProtectedVM")
@Singular("protectedvm")
@Plural("protectedvms")
@ShortNames("pvm")
@ValidationRule(
        value = "self.metadata.name.matches('^[a-z]([-a-z0-9]{0,48}[a-z0-9])?$')",
        message =
                "metadata.name must be a DNS label of at most 50 characters that begins with a letter: pods, a Service and a Lease are named after it",
        reason = "FieldValueInvalid")
@AdditionalPrinterColumn(name = "Level", jsonPath = ".spec.level", type = Type.STRING)
@AdditionalPrinterColumn(name = "Effective", jsonPath = ".status.level.effective", type = Type.STRING)
@AdditionalPrinterColumn(name = "Active", jsonPath = ".status.active.node", type = Type.STRING)
@AdditionalPrinterColumn(name = "Standby", jsonPath = ".status.standby.node", type = Type.STRING)
@AdditionalPrinterColumn(
        name = "InSync",
        jsonPath = ".status.conditions[?(@.type==\"InSync\")].status",
        type = Type.STRING)
@AdditionalPrinterColumn(name = "Age", jsonPath = ".metadata.creationTimestamp", type = Type.DATE)
@AdditionalPrinterColumn(
        name = "Ready",
        jsonPath = ".status.conditions[?(@.type==\"Ready\")].status",
        type = Type.STRING,
        priority = 1)
@AdditionalPrinterColumn(
        name = "Reason",
        jsonPath = ".status.conditions[?(@.type==\"Ready\")].reason",
        type = Type.STRING,
        priority = 1)
@AdditionalPrinterColumn(
        name = "Message",
        jsonPath = ".status.conditions[?(@.type==\"Ready\")].message",
        type = Type.STRING,
        priority = 1)
@AdditionalPrinterColumn(name = "Epoch", jsonPath = ".status.epoch", type = Type.INTEGER, priority = 1)
@AdditionalPrinterColumn(
        name = "Identical-As-Of",
        jsonPath = ".status.verification.identicalAsOf",
        type = Type.DATE,
        priority = 1)
public class ProtectedVM extends CustomResource<ProtectedVMSpec, ProtectedVMStatus> implements Namespaced {
    private static final long serialVersionUID = 1L;

    /** API group of everything PairVM defines. */
    public static final String GROUP = "pairvm.dev";
    /** The one stored version. */
    public static final String VERSION = "v1alpha1";

    /** Name of the machine, which is the name of this object. */
    @JsonIgnore
    public String machine() {
        return getMetadata().getName();
    }
}
