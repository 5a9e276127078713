// Package metrics counts what the server does, for Prometheus. Metrics of one kind are declared in one file, beside the code
// that counts them; docs/metrics.md is written from the declarations.
//
// A nil *Metrics, and what is made of one, counts nothing: that is a server without monitoring: true. With it a request costs
// some atomic additions on handles that were looked up before, and no memory.
package metrics
