package main

import (
	"github.com/containernetworking/cni/pkg/types"
	types100 "github.com/containernetworking/cni/pkg/types/100"
)

// interfaceStatus is one element of the network-status annotation, in the words of the standard.
type interfaceStatus struct {
	Name      string    `json:"name"`
	Interface string    `json:"interface"`
	IPs       []string  `json:"ips,omitempty"`
	MAC       string    `json:"mac,omitempty"`
	Default   bool      `json:"default,omitempty"`
	DNS       types.DNS `json:"dns"`
}

// statusOf reads what a plugin did. A result that does not tell gives an element without addresses.
func statusOf(network, ifname string, result types.Result, isDefault bool) interfaceStatus {
	status := interfaceStatus{Name: network, Interface: ifname, Default: isDefault}
	r, err := types100.NewResultFromResult(result)
	if err != nil {
		return status
	}
	index := -1
	for i, known := range r.Interfaces {
		if known.Sandbox != "" && known.Name == ifname {
			status.MAC, index = known.Mac, i
		}
	}
	for _, ip := range r.IPs {
		if ip.Interface == nil || *ip.Interface == index {
			status.IPs = append(status.IPs, ip.Address.IP.String())
		}
	}
	return status
}
