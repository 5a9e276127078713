package main

import (
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"clipd/engine/runtime"
)

// version of clipd; releases set it with -ldflags "-X main.version=1.2.3".
var version = "0.1.0-dev"

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the versions of clipd and of the runtimes found, and why others are missing",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			out := cmd.OutOrStdout()
			fmt.Fprintf(out, "clipd %s%s\n", version, revision())
			for _, f := range runtime.Discover() {
				if f.Err != nil {
					fmt.Fprintf(out, "%-12s missing: %s\n", f.Name, strings.ReplaceAll(f.Err.Error(), "\n", "; "))
					continue
				}
				fmt.Fprintf(out, "%-12s %s\n", f.Name, f.Info.Version)
				for _, d := range f.Info.Devices {
					fmt.Fprintf(out, "%-12s   %s\n", "", d)
				}
			}
			return nil
		},
	}
}

func revision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return " (" + s.Value[:12] + ")"
		}
	}
	return ""
}
