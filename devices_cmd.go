package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"clipd/cuda"
	"clipd/engine/cpus"
)

// machine is what `clipd devices --json` prints.
type machine struct {
	CPUs    []int         `json:"cpus"`  // that clipd may use
	Nodes   []cuda.Node   `json:"nodes"` // NUMA nodes
	Driver  string        `json:"driver"`
	CUDA    string        `json:"cuda"` // the newest version that the driver runs
	GPUs    []cuda.Device `json:"gpus"`
	Visible []string      `json:"visible"` // UUIDs: cuda:0, cuda:1, … of a flow
	Notes   []string      `json:"notes"`   // why there is no GPU, what CUDA_VISIBLE_DEVICES hides
}

func newDevices() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "devices",
		Short: "Print the processors and GPUs of this machine, and which GPUs a flow may use",
		Long: `Print the processors and GPUs of this machine.

The column CLIPD says what a flow calls a GPU (device: cuda:0). CUDA_VISIBLE_DEVICES in the environment hides GPUs and
orders them; "split" is a GPU in MIG mode, whose instances follow it.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			m, visible, err := look()
			if err != nil {
				return err
			}
			if asJSON {
				out := json.NewEncoder(cmd.OutOrStdout())
				out.SetIndent("", "  ")
				return out.Encode(m)
			}
			return m.print(cmd.OutOrStdout(), visible)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// look finds out what there is. Only what no machine lacks is an error.
func look() (m machine, visible []cuda.Device, err error) {
	if m.CPUs, err = cuda.AllowedCPUs(); err != nil {
		return m, nil, err
	}
	m.Nodes = append([]cuda.Node{}, cuda.Nodes(os.DirFS("/sys"))...) // JSON has empty lists rather than null
	m.GPUs, m.Visible, m.Notes = []cuda.Device{}, []string{}, []string{}
	library, err := cuda.Open()
	if err != nil {
		m.Notes = append(m.Notes, err.Error())
		return m, nil, nil
	}
	defer func() { err = errors.Join(err, library.Close()) }()
	m.Driver, m.CUDA = library.Driver()
	found, err := library.Discover()
	if err != nil {
		m.Notes = append(m.Notes, err.Error())
	}
	if len(found) == 0 {
		return m, nil, nil
	}
	m.GPUs = found
	selection, err := cuda.Visible(found, cuda.FromEnvironment(nil, os.LookupEnv))
	if err != nil {
		m.Notes = append(m.Notes, err.Error())
		return m, nil, nil
	}
	m.Notes = append(m.Notes, selection.Notes...)
	for _, d := range selection.Devices {
		m.Visible = append(m.Visible, d.UUID)
	}
	return m, selection.Devices, nil
}

func (m machine) print(w io.Writer, visible []cuda.Device) error {
	fmt.Fprintf(w, "processors %s (%d) for clipd\n", cpus.Set(m.CPUs), len(m.CPUs))
	for _, n := range m.Nodes {
		fmt.Fprintf(w, "NUMA node %d: processors %s, %s\n", n.ID, cpus.Set(n.CPUs), cuda.GiB(n.Memory))
	}
	if m.Driver != "" {
		fmt.Fprintf(w, "NVIDIA driver %s, CUDA up to %s\n", m.Driver, m.CUDA)
	}
	if len(m.GPUs) > 0 {
		fmt.Fprintln(w)
		if err := cuda.Table(w, m.GPUs, visible); err != nil {
			return err
		}
	}
	for _, note := range slices.Compact(m.Notes) {
		fmt.Fprintln(w, note)
	}
	return nil
}
