// Command clipd times preprocess.Image: from the bytes of one file to 224 × 224 pixels. It prints milliseconds of
// processor time a picture.
// Usage: clipd FILE PICTURES
package main

import (
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"clipd/engine/preprocess"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	if len(os.Args) != 3 {
		return fmt.Errorf("usage: clipd FILE PICTURES")
	}
	data, err := os.ReadFile(os.Args[1])
	if err != nil {
		return err
	}
	count, err := strconv.Atoi(os.Args[2])
	if err != nil {
		return err
	}
	const size = 224
	dst := make([]byte, size*size*3)
	if err := preprocess.Image(dst, data, size, preprocess.Limits{}); err != nil {
		return err
	}
	start, err := processorTime()
	if err != nil {
		return err
	}
	for range count {
		if err := preprocess.Image(dst, data, size, preprocess.Limits{}); err != nil {
			return err
		}
	}
	end, err := processorTime()
	if err != nil {
		return err
	}
	fmt.Printf("%.4f\n", (end-start).Seconds()*1000/float64(count))
	return nil
}

// processorTime is what this process has used so far, garbage collection included.
func processorTime() (time.Duration, error) {
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		return 0, err
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()), nil
}
