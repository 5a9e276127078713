// Package tune finds the settings with which a model does best on a machine: lanes, threads, the wide lane and the size of
// batches. Each candidate is measured through the real scheduler with callers that wait for their answers, a little at
// a time and in turn with the others, so that a machine that gets slower meanwhile gets slower for all.
//
// A change is recommended only after a last comparison of the best candidate with the present setting, on fresh
// measurements: of many alike candidates one always looks best on those that it was chosen by.
package tune
