//go:build !linux

package engine

// lowered runs f. Elsewhere threads have no priority of their own.
func lowered(_ int, f func() error) error { return f() }
