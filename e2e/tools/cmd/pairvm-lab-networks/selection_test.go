package main

import (
	"reflect"
	"strings"
	"testing"
)

func TestSelectionsThatAreUnderstood(t *testing.T) {
	for annotation, want := range map[string][]selection{
		"":                  nil,
		"  ":                nil,
		"lan":               {{"shop", "lan", "net1"}},
		"lan, mirror-net":   {{"shop", "lan", "net1"}, {"shop", "mirror-net", "net2"}},
		"default/lan@guest": {{"default", "lan", "guest"}},
		`[{"name":"lan","namespace":"default"},{"name":"mirror-net","interface":"m0"}]`: {{"default", "lan", "net1"}, {"shop", "mirror-net", "m0"}},
	} {
		got, err := parseSelections(annotation, "shop")
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: got %v, %v; want %v", annotation, got, err, want)
		}
	}
}

func TestSelectionsThatAreRefused(t *testing.T) {
	for annotation, reason := range map[string]string{
		",":                                "no name",
		"lan,,lan":                         "no name",
		"../etc":                           "no name",
		"a/b/c":                            "no name",
		"lan@eth0":                         "taken",
		"lan@x,lan@x":                      "taken",
		"lan@" + strings.Repeat("x", 16):   "no valid name",
		"lan@../x":                         "no valid name",
		"LAN":                              "no name",
		strings.Repeat("a", 64):            "no name",
		strings.Repeat("lan,", 16) + "lan": "at most",
		`[{"name":"lan","mac":"02:00:00:00:00:01"}]`: "unknown field",
		`[{"name":"lan"}] x`:                         "after the list",
		`[{"name":"lan"`:                             "EOF",
		`[{"name":7}]`:                               "number",
	} {
		got, err := parseSelections(annotation, "shop")
		if err == nil {
			t.Errorf("%q was accepted as %v", annotation, got)
		} else if !strings.Contains(err.Error(), reason) || !strings.Contains(err.Error(), networksAnnotation) {
			t.Errorf("%q: the error should name the annotation and say %q: %v", annotation, reason, err)
		}
	}
}
