//go:build !unix

package main

import "os"

// peakMemory cannot be known here.
func peakMemory(*os.ProcessState) int64 { return 0 }
