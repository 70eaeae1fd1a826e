package main

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containernetworking/cni/pkg/skel"
)

// world is an API server with one pod, and a folder with a plugin that notes how it was called.
type world struct {
	t          *testing.T
	folder     string
	annotation string
	reported   string
	failing    bool // the plugin fails for net2
}

func newWorld(t *testing.T, annotation string) (*world, *skel.CmdArgs) {
	w := &world{t: t, folder: t.TempDir(), annotation: annotation}
	server := httptest.NewTLSServer(w)
	t.Cleanup(server.Close)
	w.write("ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	w.writeIdentity(server)
	w.write("lan.conf", `{"cniVersion":"1.0.0","name":"lan","type":"plug","ipam":{}}`)
	w.write("plug", fmt.Sprintf(`#!/bin/sh
cat > /dev/null
echo $CNI_COMMAND $CNI_IFNAME >> %s/calls
[ -e %s/failing ] && [ $CNI_COMMAND$CNI_IFNAME = ADDnet2 ] && { echo '{"code":11,"msg":"no"}'; exit 1; }
[ $CNI_COMMAND = DEL ] || echo '{"cniVersion":"1.0.0","interfaces":[{"name":"'$CNI_IFNAME'","mac":"02:00:00:00:00:07","sandbox":"/x"}],"ips":[{"address":"10.80.1.10/16","interface":0}]}'
`, w.folder, w.folder))
	config := map[string]any{"cniVersion": "1.0.0", "name": "pods", "type": "pairvm-lab-networks", "confDir": w.folder,
		"stateDir": filepath.Join(w.folder, "state"), "server": server.URL, "caFile": filepath.Join(w.folder, "ca.pem"),
		"certFile": filepath.Join(w.folder, "cert.pem"), "keyFile": filepath.Join(w.folder, "key.pem"),
		"prevResult": map[string]any{"cniVersion": "1.0.0", "interfaces": []any{map[string]any{"name": "eth0", "mac": "02:00:00:00:00:01", "sandbox": "/x"}},
			"ips": []any{map[string]any{"address": "10.78.1.2/24", "interface": 0}}}}
	stdin, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	return w, &skel.CmdArgs{ContainerID: "c1", Netns: "/x", IfName: "eth0", Path: w.folder, StdinData: stdin,
		Args: "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=orders-a;K8S_POD_UID=u1"}
}

func (w *world) write(name, text string) {
	if err := os.WriteFile(filepath.Join(w.folder, name), []byte(text), 0o755); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) calls() string {
	text, _ := os.ReadFile(filepath.Join(w.folder, "calls"))
	return strings.ReplaceAll(strings.TrimSpace(string(text)), "\n", ", ")
}

func (w *world) ServeHTTP(out http.ResponseWriter, in *http.Request) {
	switch in.Method + " " + in.URL.Path {
	case "GET /api/v1/namespaces/shop/pods/orders-a":
		fmt.Fprintf(out, `{"metadata":{"uid":"u1","annotations":{%q:%q}}}`, networksAnnotation, w.annotation)
	case "GET /apis/k8s.cni.cncf.io/v1/namespaces/shop/network-attachment-definitions/lan":
		fmt.Fprint(out, `{"spec":{}}`)
	case "PATCH /api/v1/namespaces/shop/pods/orders-a/status":
		text, _ := io.ReadAll(in.Body)
		w.reported = string(text)
		fmt.Fprint(out, `{}`)
	default:
		http.Error(out, in.URL.Path+" not found", http.StatusNotFound)
	}
}

func TestAddAttachesInOrderAndReports(t *testing.T) {
	w, args := newWorld(t, "lan,lan")
	if err := add(args); err != nil {
		t.Fatal(err)
	}
	if got := w.calls(); got != "ADD net1, ADD net2" {
		t.Errorf("calls: %s", got)
	}
	for _, part := range []string{`\"name\":\"shop/lan\",\"interface\":\"net2\",\"ips\":[\"10.80.1.10\"]`, `\"default\":true`, `"uid":"u1"`} {
		if !strings.Contains(w.reported, part) {
			t.Errorf("report lacks %s: %s", part, w.reported)
		}
	}
}

func TestFailureOfTheSecondUndoesTheFirst(t *testing.T) {
	w, args := newWorld(t, "lan,lan")
	w.write("failing", "")
	if err := add(args); err == nil || !strings.Contains(err.Error(), "network shop/lan") {
		t.Fatalf("the error should name the network: %v", err)
	}
	if got := w.calls(); got != "ADD net1, ADD net2, DEL net2, DEL net1" {
		t.Errorf("calls: %s", got)
	}
	w.nothingRemembered()
}

func TestDelNeedsNoServerAndIsRepeatable(t *testing.T) {
	w, args := newWorld(t, "lan")
	if err := add(args); err != nil {
		t.Fatal(err)
	}
	args.StdinData = []byte(strings.Replace(string(args.StdinData), "https://", "https://192.0.2.1:1/", 1))
	for range 2 {
		if err := del(args); err != nil {
			t.Fatal(err)
		}
	}
	if got := w.calls(); got != "ADD net1, DEL net1" {
		t.Errorf("calls: %s", got)
	}
	w.nothingRemembered()
}

func TestUnknownNetworkIsNamed(t *testing.T) {
	w, args := newWorld(t, "lan,storage")
	if err := add(args); err == nil || !strings.Contains(err.Error(), "network shop/storage") {
		t.Fatalf("the error should name the network: %v", err)
	}
	if got := w.calls(); got != "" {
		t.Errorf("nothing should be attached: %s", got)
	}
}

func TestAnotherPodOfThatNameIsNotTouched(t *testing.T) {
	w, args := newWorld(t, "lan")
	args.Args = strings.Replace(args.Args, "u1", "u0", 1)
	if err := add(args); err == nil || w.calls() != "" {
		t.Fatalf("the pod is another one: %v, calls %s", err, w.calls())
	}
}

func (w *world) nothingRemembered() {
	if left, _ := filepath.Glob(filepath.Join(w.folder, "state", "*")); len(left) > 0 {
		w.t.Errorf("remembered: %v", left)
	}
}
