package main

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/sig-storage-lib-external-provisioner/v13/controller"
)

const selectedNode = "volume.kubernetes.io/selected-node"

// provisioner translates between claims and the volumes of this node. Claims and volumes of other nodes are theirs.
type provisioner struct {
	volumes *nodeVolumes
}

var (
	_ controller.BlockProvisioner = &provisioner{}
	_ controller.Qualifier        = &provisioner{}
	_ controller.DeletionGuard    = &provisioner{}
)

func (p *provisioner) SupportsBlock(context.Context) bool { return true }

func (p *provisioner) ShouldProvision(_ context.Context, claim *corev1.PersistentVolumeClaim) bool {
	return claim.Annotations[selectedNode] == p.volumes.node
}

func (p *provisioner) ShouldDelete(_ context.Context, volume *corev1.PersistentVolume) bool {
	return hostOf(volume) == p.volumes.node
}

func (p *provisioner) Provision(ctx context.Context, options controller.ProvisionOptions) (*corev1.PersistentVolume, controller.ProvisioningState, error) {
	claim := options.PVC
	for _, mode := range claim.Spec.AccessModes {
		if mode != corev1.ReadWriteOnce && mode != corev1.ReadWriteOncePod {
			return nil, controller.ProvisioningFinished, fmt.Errorf("access mode %s: a volume on one node's disk can only be ReadWriteOnce or ReadWriteOncePod", mode)
		}
	}
	size := claim.Spec.Resources.Requests[corev1.ResourceStorage]
	mode := corev1.PersistentVolumeFilesystem
	if claim.Spec.VolumeMode != nil {
		mode = *claim.Spec.VolumeMode
	}
	var path string
	var err error
	if mode == corev1.PersistentVolumeBlock {
		path, err = p.volumes.makeBlock(ctx, options.PVName, size.Value())
	} else {
		path, err = p.volumes.makeDirectory(options.PVName)
	}
	if err != nil {
		return nil, controller.ProvisioningFinished, err
	}
	return &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: options.PVName},
		Spec: corev1.PersistentVolumeSpec{
			PersistentVolumeReclaimPolicy: *options.StorageClass.ReclaimPolicy,
			AccessModes:                   claim.Spec.AccessModes,
			VolumeMode:                    &mode,
			Capacity:                      corev1.ResourceList{corev1.ResourceStorage: size},
			PersistentVolumeSource:        corev1.PersistentVolumeSource{Local: &corev1.LocalVolumeSource{Path: path}},
			NodeAffinity:                  onlyOn(p.volumes.node),
		},
	}, controller.ProvisioningFinished, nil
}

func (p *provisioner) Delete(ctx context.Context, volume *corev1.PersistentVolume) error {
	return p.volumes.remove(ctx, volume.Name)
}

func onlyOn(node string) *corev1.VolumeNodeAffinity {
	return &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
		MatchExpressions: []corev1.NodeSelectorRequirement{{Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpIn, Values: []string{node}}}}}}}
}

// hostOf reads back what onlyOn wrote; empty for volumes that are not ours.
func hostOf(volume *corev1.PersistentVolume) string {
	affinity := volume.Spec.NodeAffinity
	if affinity == nil || affinity.Required == nil || len(affinity.Required.NodeSelectorTerms) != 1 {
		return ""
	}
	rules := affinity.Required.NodeSelectorTerms[0].MatchExpressions
	if len(rules) != 1 || rules[0].Key != corev1.LabelHostname || len(rules[0].Values) != 1 {
		return ""
	}
	return rules[0].Values[0]
}
