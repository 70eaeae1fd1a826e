// Command pairvm-lab-networks is a chained CNI plugin: it gives a pod further interfaces, named by the pod's annotation
// k8s.v1.cni.cncf.io/networks, and reports them in k8s.v1.cni.cncf.io/network-status, as the Network Plumbing Working Group's
// de-facto standard says. It stands in for Multus where no registry can be reached: manifests written for one work with the other.
//
// For every network "[namespace/]name[@interface]" there must be a NetworkAttachmentDefinition. If it holds a configuration, that is
// used; if not, the file of that name in confDir is (the standard's second form), so that one network can have per-node settings.
package main

import (
	"github.com/containernetworking/cni/pkg/skel"
	"github.com/containernetworking/cni/pkg/version"
)

func main() {
	skel.PluginMainFuncs(
		skel.CNIFuncs{Add: add, Check: check, Del: del, Status: status},
		version.All, "pairvm-lab-networks: further interfaces by annotation")
}
