// Command pairvm-lab-volumes makes volumes on the disk of the node it runs on, for claims that the scheduler placed there, and
// removes them when they are released, and makes them larger when their claim asks for more. File system volumes are directories; block volumes are sparse files behind loop devices.
// It stands in for a local storage provisioner such as TopoLVM where no registry can be reached; sizes of directories are not enforced.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/sig-storage-lib-external-provisioner/v13/controller"
)

const (
	provisionerName = "pairvm.dev/lab-volumes"
	firstRetry      = time.Second
	lastRetry       = 15 * time.Second
)

func main() {
	node := flag.String("node", "", "name of this node")
	prefix := flag.String("prefix", "pairvm", "name of the lab, the first part of every file name")
	dir := flag.String("dir", "/var/lib/pairvm-volumes", "where the volumes are")
	kubeconfig := flag.String("kubeconfig", "", "who this program is at the API server")
	flag.Parse()
	if err := run(*node, *prefix, *dir, *kubeconfig); err != nil {
		fmt.Fprintln(os.Stderr, "pairvm-lab-volumes:", err)
		os.Exit(1)
	}
}

func run(node, prefix, dir, kubeconfig string) error {
	if node == "" || kubeconfig == "" {
		return fmt.Errorf("-node and -kubeconfig are needed")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	volumes := &nodeVolumes{node: node, prefix: prefix, dir: dir}
	if err := volumes.attachAgain(ctx); err != nil {
		return err
	}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	grower := &resizer{volumes: volumes, client: client, class: func(ctx context.Context, name string) (bool, error) {
		class, err := client.StorageV1().StorageClasses().Get(ctx, name, metav1.GetOptions{})
		return err == nil && class.AllowVolumeExpansion != nil && *class.AllowVolumeExpansion, err
	}}
	go grower.run(ctx)
	controller.NewProvisionController(ctx, client, provisionerName, &provisioner{volumes: volumes},
		controller.LeaderElection(false), // each node answers for its own volumes
		controller.MetricsPort(0),
		controller.RateLimiter(workqueue.NewTypedItemExponentialFailureRateLimiter[string](firstRetry, lastRetry)),
		controller.FailedProvisionThreshold(0), controller.FailedDeleteThreshold(0), // 0: no end
	).Run(ctx)
	return nil
}
