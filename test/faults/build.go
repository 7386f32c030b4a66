package faults

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Build builds the gateway with failpoints in a directory, and returns the path of the binary.
func Build(ctx context.Context, directory string) (string, error) {
	binary := filepath.Join(directory, "ordergate")
	build := exec.CommandContext(ctx, "go", "build", "-tags", "failpoints", "-o", binary, "ordergate/cmd/ordergate")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the gateway: %w\n%s", err, output)
	}
	return binary, nil
}
