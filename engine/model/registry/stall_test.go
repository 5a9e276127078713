package registry

import (
	"context"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// fetchWithin downloads with a short patience; client may be nil.
func fetchWithin(t *testing.T, handler http.HandlerFunc, client *http.Client) (string, error) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "x.pt")
	s := &Store{Client: client, Idle: 500 * time.Millisecond}
	return file, s.download(context.Background(), Source{URL: server.URL + "/x.pt", MD5: md5Of(content)}, file)
}

// stall waits until the client has given up. The limit only keeps the test from hanging where it never does.
func stall(t *testing.T, r *http.Request) {
	select {
	case <-r.Context().Done():
	case <-time.After(20 * time.Second):
		t.Error("a stalled transfer was not given up")
	}
}

func TestAStalledTransferIsTakenUpAgain(t *testing.T) {
	for _, client := range []*http.Client{nil, {}} {
		var calls atomic.Int32
		var asked atomic.Value
		file, err := fetchWithin(t, func(w http.ResponseWriter, r *http.Request) {
			if calls.Add(1) == 1 {
				w.Header().Set("Content-Length", "80000")
				w.Write(content[:1000])
				w.(http.Flusher).Flush()
				stall(t, r)
				return
			}
			asked.Store(r.Header.Get("Range"))
			serve(w, r)
		}, client)
		wantContent(t, file, err)
		if asked.Load() != "bytes=1000-" {
			t.Errorf("after the stall it asked for %v", asked.Load())
		}
	}
}

func TestAServerThatNeverAnswersIsAskedAgain(t *testing.T) {
	var calls atomic.Int32
	file, err := fetchWithin(t, func(w http.ResponseWriter, r *http.Request) {
		if calls.Add(1) == 1 {
			stall(t, r)
			return
		}
		serve(w, r)
	}, nil)
	wantContent(t, file, err)
}

func TestAServerThatAlwaysStallsIsAnError(t *testing.T) {
	var calls atomic.Int32
	_, err := fetchWithin(t, func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		stall(t, r)
	}, nil)
	if err == nil || !strings.Contains(err.Error(), "the server sent nothing for 500ms") || calls.Load() != attempts {
		t.Errorf("after %d attempts: %v", calls.Load(), err)
	}
}
