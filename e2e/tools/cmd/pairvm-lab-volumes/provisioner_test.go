package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
	"sigs.k8s.io/sig-storage-lib-external-provisioner/v13/controller"
)

func claimFor(node string, mode corev1.PersistentVolumeAccessMode) controller.ProvisionOptions {
	reclaim := corev1.PersistentVolumeReclaimDelete
	return controller.ProvisionOptions{PVName: "pvc-1", StorageClass: &storagev1.StorageClass{ReclaimPolicy: &reclaim},
		PVC: &corev1.PersistentVolumeClaim{
			ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{selectedNode: node}},
			Spec: corev1.PersistentVolumeClaimSpec{AccessModes: []corev1.PersistentVolumeAccessMode{mode},
				Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}}}}}
}

func TestDirectoryVolumeComesAndGoes(t *testing.T) {
	dir := t.TempDir()
	p := &provisioner{volumes: &nodeVolumes{node: "n2", prefix: "pairvm", dir: dir}}
	volume, _, err := p.Provision(context.Background(), claimFor("n2", corev1.ReadWriteOnce))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "pairvm.n2.pvc-1")
	if volume.Spec.Local.Path != path || hostOf(volume) != "n2" || volume.Spec.Capacity.Storage().String() != "1Gi" {
		t.Errorf("unexpected volume: %+v", volume.Spec)
	}
	if err := os.WriteFile(filepath.Join(path, "data"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // a repeated delete is no error
		if err := p.Delete(context.Background(), volume); err != nil {
			t.Fatal(err)
		}
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func TestVolumesOfOtherNodesAreTheirs(t *testing.T) {
	p := &provisioner{volumes: &nodeVolumes{node: "n2", prefix: "pairvm", dir: t.TempDir()}}
	if p.ShouldProvision(context.Background(), claimFor("n1", corev1.ReadWriteOnce).PVC) {
		t.Error("a claim of n1 was taken by n2")
	}
	for _, foreign := range []*corev1.VolumeNodeAffinity{nil, {}, onlyOn("n1")} {
		if p.ShouldDelete(context.Background(), &corev1.PersistentVolume{Spec: corev1.PersistentVolumeSpec{NodeAffinity: foreign}}) {
			t.Errorf("a foreign volume would be deleted: %v", foreign)
		}
	}
}

func TestSharedAccessIsRefused(t *testing.T) {
	dir := t.TempDir()
	p := &provisioner{volumes: &nodeVolumes{node: "n2", prefix: "pairvm", dir: dir}}
	if _, _, err := p.Provision(context.Background(), claimFor("n2", corev1.ReadWriteMany)); err == nil || !strings.Contains(err.Error(), "ReadWriteMany") {
		t.Errorf("the error should name the access mode: %v", err)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func growth(t *testing.T, node string, expandable bool) (*resizer, *corev1.PersistentVolumeClaim) {
	t.Helper()
	volumes := &nodeVolumes{node: node, prefix: "pairvm", dir: t.TempDir()}
	p := &provisioner{volumes: volumes}
	options := claimFor(node, corev1.ReadWriteOnce)
	volume, _, err := p.Provision(context.Background(), options)
	if err != nil {
		t.Fatal(err)
	}
	claim := options.PVC
	claim.Name, claim.Namespace, claim.UID = "orders-a-root", "shop", "uid-1"
	claim.Status.Capacity = corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}
	claim.Spec.Resources.Requests[corev1.ResourceStorage] = resource.MustParse("2Gi")
	volume.Spec.ClaimRef = &corev1.ObjectReference{Namespace: "shop", Name: "orders-a-root", UID: "uid-1"}
	volume.Spec.Capacity = corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}
	volume.Status.Phase = corev1.VolumeBound
	client := fake.NewSimpleClientset(volume, claim)
	return &resizer{volumes: volumes, client: client, class: func(context.Context, string) (bool, error) { return expandable, nil }}, claim
}

func capacities(t *testing.T, r *resizer) (string, string) {
	t.Helper()
	volume, err := r.client.CoreV1().PersistentVolumes().Get(context.Background(), "pvc-1", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	claim, err := r.client.CoreV1().PersistentVolumeClaims("shop").Get(context.Background(), "orders-a-root", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return volume.Spec.Capacity.Storage().String(), claim.Status.Capacity.Storage().String()
}

func TestAClaimThatAsksForMoreGetsIt(t *testing.T) {
	r, _ := growth(t, "n2", true)
	for range 2 { // nothing is left to do the second time
		if err := r.once(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if volume, claim := capacities(t, r); volume != "2Gi" || claim != "2Gi" {
		t.Errorf("volume %s, claim %s", volume, claim)
	}
}

func TestAClassWithoutExpansionAndOtherNodesStay(t *testing.T) {
	fixed, _ := growth(t, "n2", false)
	elsewhere, _ := growth(t, "n2", true)
	elsewhere.volumes = &nodeVolumes{node: "n1", prefix: "pairvm", dir: t.TempDir()}
	for _, r := range []*resizer{fixed, elsewhere} {
		if err := r.once(context.Background()); err != nil {
			t.Fatal(err)
		}
		if volume, claim := capacities(t, r); volume != "1Gi" || claim != "1Gi" {
			t.Errorf("volume %s, claim %s", volume, claim)
		}
	}
}
