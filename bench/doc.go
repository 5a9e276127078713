// Package bench loads servers and raw runtimes with the same inputs and measures what comes back.
//
// A load is a closed loop (each client sends its next request when the last one is answered) or an open one (requests
// are due at a constant rate or as a Poisson process, whether or not earlier ones are answered). In an open loop a latency
// begins when the request was due, so a server that stalls is charged for everything that the stall held up, and not only
// for the requests that happened to be under way ("coordinated omission").
//
// Requests are encoded before the load begins and answers are hardly decoded, so that the generator takes as little of the
// machine as it can; what it takes is in each result.
package bench
