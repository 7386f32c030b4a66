package faults

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

// binary is the gateway with failpoints, built once for all tests.
var binary string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		directory, err := os.MkdirTemp("", "ordergate-faults-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(directory)
		if binary, err = Build(context.Background(), directory); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}())
}

// outcome is what became of one run.
type outcome struct {
	report *Report
	err    error
}

// runAll makes runs, so many at a time. They wait far more than they compute, so that there can be more than cores.
func runAll(t *testing.T, parallel int, all []Options) []outcome {
	t.Helper()
	outcomes := make([]outcome, len(all))
	var group errgroup.Group
	group.SetLimit(parallel)
	for i, o := range all {
		group.Go(func() error {
			ctx, cancel := context.WithTimeout(t.Context(), 6*time.Minute)
			defer cancel()
			outcomes[i].report, outcomes[i].err = Run(ctx, o)
			return nil
		})
	}
	_ = group.Wait() // the functions above return nil
	return outcomes
}
