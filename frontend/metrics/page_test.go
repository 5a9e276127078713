package metrics

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/metrics.md")

const pagePath = "../../docs/metrics.md"

const pageHead = `# Metrics

` + "`monitoring: true` under `with:` in the flow serves metrics in Prometheus's text format at `/metrics` of a port of their own, `port_monitoring`" + ` (9090;
0 picks one). The log says where:

` + "```sh" + `
curl -s 127.0.0.1:9090/metrics
` + "```" + `

That port speaks plain HTTP on the flow's ` + "`host`" + ` and asks for no key, so let nobody reach it who should not read it. Without ` + "`monitoring: true`" + ` nothing
listens and nothing is counted. The cost of a request with it is below 2 µs and no memory (` + "`go test -run '^$' -bench . ./frontend/metrics`" + `).

This page is written from the declarations in ` + "`frontend/metrics`" + `.
`

const pageOwn = `
## clipd's own

A request is one message of a stream or WebSocket, one gRPC call of a single message, or one HTTP request for the model. ` + "`endpoint` is `/encode`, `/rank`, `/`" + ` or
` + "`other`, `/encode/MODEL` counting as `/encode`; `protocol` is `grpc`, `http` or `websocket`" + `. What is refused before a whole message is there, such as one
over ` + "`max_message_bytes`" + ` over gRPC, is not counted, nor is a stream that gets in without any message. ` + "`executor`" + ` is the name of the executor in the flow, ` + "`tower` is `image` or `text`" + `.

`

const pageJina = `
## Jina's

For dashboards that read those of CLIP-as-service: names and labels are those of jina 3.27 with ` + "`monitoring: true`" + `. Where jina has summaries without quantiles these are
histograms: ` + "`_sum` and `_count` are the same, and there are buckets, as jina has them by OpenTelemetry" + `.

| here | in jina |
| --- | --- |
| gateway and executors on one port | a port for each |
| ` + "`runtime_name` is `gateway`, or the executor's name" + ` | on Kubernetes the same, elsewhere with ` + "`/rep-0`" + ` behind it |
| ` + "`executor_endpoint` is `/encode`, `/rank`, `/` or `other`" + ` | whatever callers send |
| bytes of the gateway only; no ` + "`jina_sent_request_bytes`, `jina_received_response_bytes`" + `: nothing travels between gateway and executor | of each |
| no ` + "`_created` and no `jina_request_size_bytes`" + ` | the old name of ` + "`jina_received_request_bytes`" + `, too |

`

const pageTail = `
## The process

` + "`go_*` and `process_*`" + ` are those of Prometheus's library for Go: memory, garbage collection, goroutines, processor time, file descriptors.

## Questions

| question | query |
| --- | --- |
| requests a second | ` + "`sum by (protocol, endpoint) (rate(clipd_requests_total[1m]))`" + ` |
| errors | ` + "`sum(rate(clipd_requests_total{status!=\"ok\"}[5m])) / sum(rate(clipd_requests_total[5m]))`" + ` |
| why requests are refused | ` + "`sum by (reason) (rate(clipd_refused_requests_total[5m]))`" + ` |
| the slowest of a hundred | ` + "`histogram_quantile(0.99, sum by (le, endpoint) (rate(clipd_request_seconds_bucket[5m])))`" + ` |
| rows of a batch | ` + "`rate(clipd_batch_rows_sum[5m]) / rate(clipd_batch_rows_count[5m])`" + ` |
| share of padding | ` + "`rate(clipd_padding_tokens_total[5m]) / (rate(clipd_padding_tokens_total[5m]) + rate(clipd_tokens_total[5m]))`" + ` |
| is the queue filling up | ` + "`clipd_queued_inputs`, beside `max_queued`" + ` |
| do lanes fail | ` + "`clipd_lanes{state=\"out\"} > 0`, `rate(clipd_failed_batches_total[5m]) > 0`" + ` |
`

func page() string {
	var b strings.Builder
	b.WriteString(pageHead)
	table := func(prefix string) {
		b.WriteString("| metric | kind | labels | meaning |\n| --- | --- | --- | --- |\n")
		all := slices.Clone(New("").declared)
		slices.SortFunc(all, func(a, b declared) int { return strings.Compare(a.name, b.name) })
		for _, d := range all {
			if strings.HasPrefix(d.name, prefix) {
				fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", d.name, d.kind, d.labels, d.help)
			}
		}
	}
	b.WriteString(pageOwn)
	table("clipd_")
	b.WriteString(pageJina)
	table("jina_")
	b.WriteString(pageTail)
	return b.String()
}

// TestPage keeps docs/metrics.md equal to what is declared; go test -update writes it.
func TestPage(t *testing.T) {
	want := page()
	if *update {
		if err := os.WriteFile(pagePath, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(pagePath)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("docs/metrics.md does not say what is declared; run: go test ./frontend/metrics -run TestPage -update")
	}
	for _, d := range New("").declared {
		if !strings.HasPrefix(d.name, "clipd_") && !strings.HasPrefix(d.name, "jina_") {
			t.Errorf("%s is on no table of the page", d.name)
		}
	}
}
