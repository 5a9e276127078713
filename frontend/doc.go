// Package frontend opens the doors of the server: it owns the listeners and what all protocols share. A protocol
// lives in a folder of its own below and knows the engine, never the other way round.
package frontend
