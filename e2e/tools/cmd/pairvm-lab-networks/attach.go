package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/containernetworking/cni/pkg/invoke"
	"github.com/containernetworking/cni/pkg/skel"
	"github.com/containernetworking/cni/pkg/types"
)

func add(args *skel.CmdArgs) error {
	c, err := readConfig(args.StdinData)
	if err != nil {
		return err
	}
	if c.PrevResult == nil {
		return errors.New("must come after another plugin in the list: there is no previous result")
	}
	p, err := podOf(args)
	if err != nil {
		return err
	}
	api, err := connect(c)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), allCallsTimeout)
	defer cancel()
	annotation, err := api.networksOf(ctx, p)
	if err != nil {
		return err
	}
	wanted, err := parseSelections(annotation, string(p.K8S_POD_NAMESPACE))
	if err != nil {
		return err
	}
	if len(wanted) > 0 {
		if err := attachAll(ctx, c, api, p, args, wanted); err != nil {
			return errors.Join(err, detachAll(c, args))
		}
	}
	// The further interfaces are not the pod's address: the runtime sees what came before.
	return types.PrintResult(c.PrevResult, c.CNIVersion)
}

func attachAll(ctx context.Context, c *config, api *apiServer, p *pod, args *skel.CmdArgs, wanted []selection) error {
	plan := make([]attachment, 0, len(wanted))
	for _, s := range wanted {
		a, err := c.plan(ctx, api, s)
		if err != nil {
			return err
		}
		plan = append(plan, a)
	}
	// Remember first, then act: whatever happens in between, DEL knows all that may exist.
	if err := remember(c, args.ContainerID, plan); err != nil {
		return err
	}
	status := []interfaceStatus{statusOf(c.Name, args.IfName, c.PrevResult, true)}
	for _, a := range plan {
		result, err := a.delegate(ctx, args, "ADD")
		if err != nil {
			return fmt.Errorf("network %s: %w", a.Network, err)
		}
		status = append(status, statusOf(a.Network, a.Interface, result, false))
	}
	return api.report(ctx, p, status)
}

// plan finds the configuration of one network: in its definition, or in the file of its name.
func (c *config) plan(ctx context.Context, api *apiServer, s selection) (attachment, error) {
	text, err := api.definition(ctx, s)
	if err != nil {
		return attachment{}, fmt.Errorf("network %s: %w", s, err)
	}
	raw := []byte(text)
	if text == "" {
		if raw, err = os.ReadFile(filepath.Join(c.ConfDir, s.Name+".conf")); err != nil {
			return attachment{}, fmt.Errorf("network %s has no configuration, neither in its definition nor on the node: %w", s, err)
		}
	}
	var head types.PluginConf
	if err := json.Unmarshal(raw, &head); err != nil {
		return attachment{}, fmt.Errorf("network %s: configuration: %w", s, err)
	}
	if head.Type == "" || filepath.Base(head.Type) != head.Type {
		return attachment{}, fmt.Errorf("network %s: configuration: %q is no plugin type (lists of plugins are not supported)", s, head.Type)
	}
	return attachment{Network: s.String(), Interface: s.Interface, Plugin: head.Type, Config: raw}, nil
}

func del(args *skel.CmdArgs) error {
	c, err := readConfig(args.StdinData)
	if err != nil {
		return err
	}
	return detachAll(c, args)
}

// detachAll undoes what was remembered, last first. It goes on after an error, and forgets only when all is undone.
func detachAll(c *config, args *skel.CmdArgs) error {
	list, err := recall(c, args.ContainerID)
	if err != nil || list == nil {
		return err
	}
	var failures []error
	for i := len(list) - 1; i >= 0; i-- {
		if _, err := list[i].delegate(context.Background(), args, "DEL"); err != nil {
			failures = append(failures, fmt.Errorf("network %s: %w", list[i].Network, err))
		}
	}
	if len(failures) > 0 {
		return errors.Join(failures...)
	}
	return forget(c, args.ContainerID)
}

func check(args *skel.CmdArgs) error {
	c, err := readConfig(args.StdinData)
	if err != nil {
		return err
	}
	_, err = recall(c, args.ContainerID)
	return err
}

func status(args *skel.CmdArgs) error {
	_, err := readConfig(args.StdinData)
	return err
}

// delegate runs the network's plugin for this sandbox, with the interface's own name.
func (a attachment) delegate(ctx context.Context, args *skel.CmdArgs, command string) (types.Result, error) {
	path, err := invoke.FindInPath(a.Plugin, filepath.SplitList(args.Path))
	if err != nil {
		return nil, err
	}
	arguments := &invoke.Args{Command: command, ContainerID: args.ContainerID, NetNS: args.Netns, IfName: a.Interface,
		PluginArgsStr: "IgnoreUnknown=1", Path: args.Path}
	if command == "ADD" {
		return invoke.ExecPluginWithResult(ctx, path, a.Config, arguments, nil)
	}
	return nil, invoke.ExecPluginWithoutResult(ctx, path, a.Config, arguments, nil)
}
