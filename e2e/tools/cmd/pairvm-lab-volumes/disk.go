package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
)

const blockAlignment = 4096 // sizes are rounded up to it, so that every sector size divides them

// nodeVolumes is the directory of volumes on one node. File names begin with the lab's and the node's name: a loop device that
// outlives the node (the kernel keeps them) shows whose it was.
//
//	PREFIX.NODE.VOLUME        a directory: file system volume
//	PREFIX.NODE.VOLUME.img    a sparse file: what a block volume holds
//	PREFIX.NODE.VOLUME.dev    a device node: the block volume itself; made anew at each boot
type nodeVolumes struct {
	node, prefix, dir string
	mutex             sync.Mutex
}

func (v *nodeVolumes) path(volume string) string {
	return filepath.Join(v.dir, v.prefix+"."+v.node+"."+volume)
}

func (v *nodeVolumes) makeDirectory(volume string) (string, error) {
	path := v.path(volume)
	if err := os.MkdirAll(path, 0o755); err != nil {
		return "", err
	}
	return path, os.Chmod(path, 0o777) // as local provisioners do: any user of the pod may write
}

// makeBlock is idempotent: a second call after a crash finds the file and attaches it.
func (v *nodeVolumes) makeBlock(ctx context.Context, volume string, bytes int64) (string, error) {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	if err := os.MkdirAll(v.dir, 0o755); err != nil {
		return "", err
	}
	image := v.path(volume) + ".img"
	file, err := os.OpenFile(image, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return "", err
	}
	size := (bytes + blockAlignment - 1) / blockAlignment * blockAlignment
	if err := errors.Join(file.Truncate(size), file.Close()); err != nil {
		return "", err
	}
	return v.attach(ctx, image)
}

// growBlock makes a block volume larger under whoever uses it; never smaller.
func (v *nodeVolumes) growBlock(ctx context.Context, volume string, bytes int64) error {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	image := v.path(volume) + ".img"
	about, err := os.Stat(image)
	if err != nil {
		return err
	}
	size := (bytes + blockAlignment - 1) / blockAlignment * blockAlignment
	if about.Size() < size {
		if err := os.Truncate(image, size); err != nil {
			return err
		}
	}
	loop, err := loopOf(ctx, image)
	if err != nil || loop == "" {
		return err // attached with its new size at the next boot
	}
	_, err = losetup(ctx, "--set-capacity", loop)
	return err
}

// attachAgain gives every block volume its device after a boot.
func (v *nodeVolumes) attachAgain(ctx context.Context) error {
	images, err := filepath.Glob(v.path("*") + ".img")
	if err != nil {
		return err
	}
	for _, image := range images {
		if _, err := v.attach(ctx, image); err != nil {
			return err
		}
	}
	return nil
}

func (v *nodeVolumes) attach(ctx context.Context, image string) (string, error) {
	loop, err := loopOf(ctx, image)
	if err == nil && loop == "" {
		loop, err = losetup(ctx, "--find", "--show", image)
	}
	if err != nil {
		return "", err
	}
	var about syscall.Stat_t
	if err := syscall.Stat(loop, &about); err != nil {
		return "", fmt.Errorf("%s: %w", loop, err)
	}
	node := strings.TrimSuffix(image, ".img") + ".dev"
	if err := os.Remove(node); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if err := syscall.Mknod(node, syscall.S_IFBLK|0o660, int(about.Rdev)); err != nil {
		return "", fmt.Errorf("%s: %w", node, err)
	}
	return node, nil
}

func (v *nodeVolumes) remove(ctx context.Context, volume string) error {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	path := v.path(volume)
	if _, err := os.Stat(path + ".img"); err == nil {
		loop, err := loopOf(ctx, path+".img")
		if err != nil {
			return err
		}
		if loop != "" {
			if _, err := losetup(ctx, "--detach", loop); err != nil {
				return err
			}
		}
	}
	// The image last: while it is there, a repeated call knows that there may be a device.
	return errors.Join(os.RemoveAll(path), os.RemoveAll(path+".dev"), os.RemoveAll(path+".img"))
}

// loopOf returns the loop device of a file, or nothing.
func loopOf(ctx context.Context, file string) (string, error) {
	lines, err := losetup(ctx, "--noheadings", "--output", "NAME", "--associated", file)
	first, _, _ := strings.Cut(lines, "\n")
	return strings.TrimSpace(first), err
}

func losetup(ctx context.Context, arguments ...string) (string, error) {
	output, err := exec.CommandContext(ctx, "losetup", arguments...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("losetup %s: %w: %s", strings.Join(arguments, " "), err, output)
	}
	return strings.TrimSpace(string(output)), nil
}
