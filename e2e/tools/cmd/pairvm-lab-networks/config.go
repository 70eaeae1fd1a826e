package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/containernetworking/cni/pkg/skel"
	"github.com/containernetworking/cni/pkg/types"
	"github.com/containernetworking/cni/pkg/version"
)

// config is the plugin's entry in the node's network list. All paths are the node's.
type config struct {
	types.PluginConf
	// ConfDir holds NAME.conf for definitions without a configuration.
	ConfDir string `json:"confDir"`
	// StateDir remembers what was attached, so that DEL needs no API server. It should be lost with the node's memory.
	StateDir string `json:"stateDir"`
	// Server, CAFile, CertFile, KeyFile: the API server, and who this plugin is there.
	Server   string `json:"server"`
	CAFile   string `json:"caFile"`
	CertFile string `json:"certFile"`
	KeyFile  string `json:"keyFile"`
}

func readConfig(stdin []byte) (*config, error) {
	c := &config{}
	if err := json.Unmarshal(stdin, c); err != nil {
		return nil, fmt.Errorf("network configuration: %w", err)
	}
	for name, value := range map[string]string{"confDir": c.ConfDir, "stateDir": c.StateDir, "server": c.Server,
		"caFile": c.CAFile, "certFile": c.CertFile, "keyFile": c.KeyFile} {
		if value == "" {
			return nil, fmt.Errorf("network configuration: %q is missing", name)
		}
	}
	if err := version.ParsePrevResult(&c.PluginConf); err != nil {
		return nil, fmt.Errorf("previous result: %w", err)
	}
	return c, nil
}

// pod is who the sandbox belongs to, as the container runtime says in CNI_ARGS.
type pod struct {
	types.CommonArgs
	K8S_POD_NAMESPACE types.UnmarshallableString //nolint:revive // the names are those of CNI_ARGS
	K8S_POD_NAME      types.UnmarshallableString
	K8S_POD_UID       types.UnmarshallableString
}

func podOf(args *skel.CmdArgs) (*pod, error) {
	p := &pod{CommonArgs: types.CommonArgs{IgnoreUnknown: true}}
	if err := types.LoadArgs(args.Args, p); err != nil {
		return nil, fmt.Errorf("CNI_ARGS: %w", err)
	}
	if p.K8S_POD_NAME == "" || p.K8S_POD_NAMESPACE == "" {
		return nil, errors.New("CNI_ARGS names no pod: K8S_POD_NAME and K8S_POD_NAMESPACE are needed")
	}
	return p, nil
}
