package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// attachment is one further interface of a sandbox, with all that is needed to remove it again.
type attachment struct {
	Network   string          `json:"network"`
	Interface string          `json:"interface"`
	Plugin    string          `json:"plugin"`
	Config    json.RawMessage `json:"config"`
}

func stateFile(c *config, container string) (string, error) {
	if container == "" || filepath.Base(container) != container {
		return "", fmt.Errorf("%q is no container id", container)
	}
	return filepath.Join(c.StateDir, container+".json"), nil
}

// remember writes the list in one step: a reader sees all of it or nothing.
func remember(c *config, container string, list []attachment) error {
	file, err := stateFile(c, container)
	if err != nil {
		return err
	}
	text, err := json.Marshal(list)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.StateDir, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(file+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}

// recall returns nil if nothing is remembered: then nothing was attached, or all is undone.
func recall(c *config, container string) ([]attachment, error) {
	file, err := stateFile(c, container)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var list []attachment
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return list, nil
}

func forget(c *config, container string) error {
	file, err := stateFile(c, container)
	if err != nil {
		return err
	}
	if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
