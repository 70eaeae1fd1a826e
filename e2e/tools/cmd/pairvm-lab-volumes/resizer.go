package main

import (
	"context"
	"fmt"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// lookForGrowth is how often claims are compared with their volumes; nothing waits for a resizer that a watch would make quicker.
const lookForGrowth = time.Second

// resizer does for volumes of this node what an external resizer and its CSI driver do: a claim that asks for more than its volume has
// gets it. First the volume itself, then the PersistentVolume's capacity, then the claim's status; each step may be repeated.
type resizer struct {
	volumes *nodeVolumes
	client  kubernetes.Interface
	class   func(ctx context.Context, name string) (expandable bool, err error)
}

func (r *resizer) run(ctx context.Context) {
	for ctx.Err() == nil {
		if err := r.once(ctx); err != nil {
			fmt.Fprintln(os.Stderr, "resizer:", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(lookForGrowth):
		}
	}
}

func (r *resizer) once(ctx context.Context) error {
	volumes, err := r.client.CoreV1().PersistentVolumes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for i := range volumes.Items {
		volume := &volumes.Items[i]
		if hostOf(volume) != r.volumes.node || volume.Spec.ClaimRef == nil || volume.Status.Phase != corev1.VolumeBound {
			continue
		}
		if err := r.grow(ctx, volume); err != nil {
			return fmt.Errorf("%s: %w", volume.Name, err)
		}
	}
	return nil
}

func (r *resizer) grow(ctx context.Context, volume *corev1.PersistentVolume) error {
	claims := r.client.CoreV1().PersistentVolumeClaims(volume.Spec.ClaimRef.Namespace)
	claim, err := claims.Get(ctx, volume.Spec.ClaimRef.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	wished := claim.Spec.Resources.Requests[corev1.ResourceStorage]
	if claim.UID != volume.Spec.ClaimRef.UID || wished.Cmp(claim.Status.Capacity[corev1.ResourceStorage]) <= 0 {
		return nil
	}
	if expandable, err := r.class(ctx, volume.Spec.StorageClassName); err != nil || !expandable {
		return err
	}
	if claim.Spec.VolumeMode != nil && *claim.Spec.VolumeMode == corev1.PersistentVolumeBlock {
		if err := r.volumes.growBlock(ctx, volume.Name, wished.Value()); err != nil {
			return err
		}
	}
	if wished.Cmp(volume.Spec.Capacity[corev1.ResourceStorage]) > 0 {
		larger := volume.DeepCopy()
		larger.Spec.Capacity[corev1.ResourceStorage] = wished
		if _, err := r.client.CoreV1().PersistentVolumes().Update(ctx, larger, metav1.UpdateOptions{}); err != nil {
			return err
		}
	}
	larger := claim.DeepCopy()
	larger.Status.Capacity[corev1.ResourceStorage] = wished
	_, err = claims.UpdateStatus(ctx, larger, metav1.UpdateOptions{})
	return err
}
