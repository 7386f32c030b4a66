//go:build unix

package main

import (
	"os"
	"runtime"
	"syscall"
)

// peakMemory is the most resident memory that an ended process had, in KiB.
func peakMemory(state *os.ProcessState) int64 {
	usage, ok := state.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	if runtime.GOOS == "darwin" {
		return int64(usage.Maxrss) / 1024 // bytes there
	}
	return int64(usage.Maxrss)
}
