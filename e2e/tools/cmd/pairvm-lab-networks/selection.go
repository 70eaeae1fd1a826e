package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

const (
	networksAnnotation = "k8s.v1.cni.cncf.io/networks"
	statusAnnotation   = "k8s.v1.cni.cncf.io/network-status"
	maxNetworks        = 16 // far above any sense, far below harm
)

var (
	dnsLabel      = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)
	interfaceName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.-]{0,14}$`)
)

// selection is one element of the networks annotation.
type selection struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Interface string `json:"interface"`
}

func (s selection) String() string { return s.Namespace + "/" + s.Name }

// parseSelections reads the annotation in its short form "ns/name@if,name" or as a JSON list. What is not understood is refused.
func parseSelections(annotation, podNamespace string) ([]selection, error) {
	text := strings.TrimSpace(annotation)
	if text == "" {
		return nil, nil
	}
	list, err := elements(text)
	if err != nil {
		return nil, fmt.Errorf("annotation %s: %w", networksAnnotation, err)
	}
	if len(list) > maxNetworks {
		return nil, fmt.Errorf("annotation %s: %d networks, at most %d are allowed", networksAnnotation, len(list), maxNetworks)
	}
	taken := map[string]bool{"eth0": true, "lo": true}
	for i := range list {
		s := &list[i]
		if s.Namespace == "" {
			s.Namespace = podNamespace
		}
		if s.Interface == "" {
			s.Interface = fmt.Sprintf("net%d", i+1)
		}
		if !dnsLabel.MatchString(s.Name) || !dnsLabel.MatchString(s.Namespace) {
			return nil, fmt.Errorf("annotation %s: element %d: %q is no name of a network", networksAnnotation, i+1, s)
		}
		if !interfaceName.MatchString(s.Interface) || taken[s.Interface] {
			return nil, fmt.Errorf("annotation %s: element %d: interface %q is taken or no valid name", networksAnnotation, i+1, s.Interface)
		}
		taken[s.Interface] = true
	}
	return list, nil
}

func elements(text string) ([]selection, error) {
	var list []selection
	if strings.HasPrefix(text, "[") {
		decoder := json.NewDecoder(bytes.NewReader([]byte(text)))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&list); err != nil {
			return nil, err
		}
		if decoder.More() {
			return nil, errors.New("text after the list")
		}
		return list, nil
	}
	for _, word := range strings.Split(text, ",") {
		var s selection
		s.Name = strings.TrimSpace(word)
		if name, ifname, found := strings.Cut(s.Name, "@"); found {
			s.Name, s.Interface = name, ifname
		}
		if namespace, name, found := strings.Cut(s.Name, "/"); found {
			s.Namespace, s.Name = namespace, name
		}
		list = append(list, s)
	}
	return list, nil
}
