// Package flows reads flow files: the YAML that says what a server listens on and which CLIP models it serves, as
// CLIP-as-service defines it. Load and Parse give a typed Flow with every default filled in, or all mistakes of the file
// at once, each with its line and column. The keys stand in tables (keys_*.go); docs/flows.md is written from the same
// tables.
package flows
