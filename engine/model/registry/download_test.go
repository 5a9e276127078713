package registry

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

var content = []byte(strings.Repeat("weights ", 10000))

func md5Of(b []byte) string    { s := md5.Sum(b); return hex.EncodeToString(s[:]) }
func sha256Of(b []byte) string { s := sha256.Sum256(b); return hex.EncodeToString(s[:]) }

// download fetches one address into a new folder and returns the file.
func download(t *testing.T, handler http.HandlerFunc, source Source, part []byte) (string, error) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "models", "x.pt")
	if part != nil {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file+".part", part, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s := &Store{Client: server.Client(), Progress: func(stage string, done, total int64) {
		if stage != "download" || done < 0 || total >= 0 && done > total {
			t.Errorf("progress %s %d of %d", stage, done, total)
		}
	}}
	source.URL = server.URL + "/x.pt"
	return file, s.download(context.Background(), source, file)
}

func wantContent(t *testing.T, file string, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(file)
	if err != nil || string(got) != string(content) {
		t.Errorf("downloaded %d bytes, %v", len(got), err)
	}
	if _, err := os.Stat(file + ".part"); err == nil {
		t.Error("the part is still there")
	}
}

func serve(w http.ResponseWriter, r *http.Request) {
	http.ServeContent(w, r, "x.pt", time.Time{}, strings.NewReader(string(content)))
}

func TestDownload(t *testing.T) {
	file, err := download(t, serve, Source{MD5: md5Of(content)}, nil)
	wantContent(t, file, err)
}

func TestDownloadGoesOn(t *testing.T) {
	var asked atomic.Value
	file, err := download(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Store(r.Header.Get("Range"))
		serve(w, r)
	}, Source{SHA256: sha256Of(content)}, content[:1234])
	wantContent(t, file, err)
	if asked.Load() != "bytes=1234-" {
		t.Errorf("asked for %v", asked.Load())
	}
}

func TestDownloadWithoutRangesBeginsAgain(t *testing.T) {
	file, err := download(t, func(w http.ResponseWriter, r *http.Request) { w.Write(content) }, Source{MD5: md5Of(content)}, content[:1234])
	wantContent(t, file, err)
}

func TestDownloadOfAWholePart(t *testing.T) {
	file, err := download(t, serve, Source{MD5: md5Of(content)}, content)
	wantContent(t, file, err)
	file, err = download(t, serve, Source{MD5: md5Of(content)}, append(append([]byte{}, content...), "more"...))
	wantContent(t, file, err)
}

func TestDownloadSurvivesABrokenConnection(t *testing.T) {
	var calls atomic.Int32
	file, err := download(t, func(w http.ResponseWriter, r *http.Request) {
		if calls.Add(1) < 3 {
			w.Header().Set("Content-Length", fmt.Sprint(len(content)))
			w.Write(content[:1000])
			panic(http.ErrAbortHandler)
		}
		serve(w, r)
	}, Source{MD5: md5Of(content)}, nil)
	wantContent(t, file, err)
}

func TestDownloadOfDamagedBytesIsTriedAgainAndThenRefused(t *testing.T) {
	var calls atomic.Int32
	file, err := download(t, func(w http.ResponseWriter, r *http.Request) {
		if calls.Add(1) == 1 {
			w.Write([]byte("something else"))
			return
		}
		serve(w, r)
	}, Source{MD5: md5Of(content)}, nil)
	wantContent(t, file, err)
	file, err = download(t, func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("else")) }, Source{MD5: md5Of(content)}, nil)
	if err == nil || !strings.Contains(err.Error(), "check sum "+md5Of([]byte("else"))) {
		t.Errorf("damaged bytes: %v", err)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("a damaged file was kept")
	}
}

func TestHubAnnouncesTheCheckSum(t *testing.T) {
	handler := func(sum string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/x.pt" {
				w.Header().Set("X-Linked-Etag", `"`+sum+`"`)
				http.Redirect(w, r, "/blob", http.StatusFound)
				return
			}
			serve(w, r)
		}
	}
	file, err := download(t, handler(sha256Of(content)), Source{}, nil)
	wantContent(t, file, err)
	if _, err = download(t, handler(sha256Of([]byte("x"))), Source{}, nil); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("another check sum than announced: %v", err)
	}
	// What is pinned counts, also where the server announces the sum of what it sends.
	if _, err = download(t, handler(sha256Of(content)), Source{MD5: md5Of([]byte("x"))}, nil); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("another check sum than pinned: %v", err)
	}
	file, err = download(t, handler(sha256Of([]byte("x"))), Source{MD5: md5Of(content)}, nil)
	wantContent(t, file, err)
}

func TestEveryPinnedCheckSumIsVerified(t *testing.T) {
	right, wrong := Source{MD5: md5Of(content), SHA256: sha256Of(content)}, []byte("x")
	file, err := download(t, serve, right, nil)
	wantContent(t, file, err)
	for _, source := range []Source{{MD5: md5Of(wrong), SHA256: right.SHA256}, {MD5: right.MD5, SHA256: sha256Of(wrong)}} {
		if _, err := download(t, serve, source, nil); err == nil || !strings.Contains(err.Error(), "damaged") {
			t.Errorf("%+v: %v", source, err)
		}
	}
}

func TestDownloadErrors(t *testing.T) {
	var calls atomic.Int32
	_, err := download(t, func(w http.ResponseWriter, r *http.Request) { calls.Add(1); http.NotFound(w, r) }, Source{}, nil)
	if err == nil || !strings.Contains(err.Error(), "404") || calls.Load() != 1 {
		t.Errorf("404: %v after %d calls", err, calls.Load())
	}
	calls.Store(0)
	_, err = download(t, func(w http.ResponseWriter, r *http.Request) { calls.Add(1); w.WriteHeader(503) }, Source{}, nil)
	if err == nil || !strings.Contains(err.Error(), "503") || calls.Load() != attempts {
		t.Errorf("503: %v after %d calls", err, calls.Load())
	}
	_, err = download(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Range", "bytes 5-9/10")
		w.WriteHeader(206)
	}, Source{}, []byte("12"))
	if err == nil || !strings.Contains(err.Error(), "asked to go on at byte 2") {
		t.Errorf("wrong range: %v", err)
	}
}

// transport sends every request to a function.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestFetchLooksHereFirst(t *testing.T) {
	folder, also := t.TempDir(), t.TempDir()
	s := &Store{Folder: folder, Also: []string{also}, Client: &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
		return nil, errors.New("no route to " + r.URL.Host)
	})}}
	c, err := Find("ViT-B/32")
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Fetch(context.Background(), c)
	for _, want := range []string{"no route to clip-as-service", "no route to openaipublic", "no route to huggingface.co", "put it at " + filepath.Join(folder, "ViT-B-32.pt")} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("without a network: %v; expected %q", err, want)
		}
	}
	for _, dir := range []string{also, folder} {
		file := filepath.Join(dir, "ViT-B-32.pt")
		if err := os.WriteFile(file, content, 0o644); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Fetch(context.Background(), c); err != nil || got != file {
			t.Errorf("Fetch = %s, %v; expected %s", got, err, file)
		}
	}
	if m, _ := Find("M-CLIP/LABSE-Vit-L-14"); m != nil {
		if _, err := s.Fetch(context.Background(), m); err == nil || !strings.Contains(err.Error(), "not supported") {
			t.Errorf("M-CLIP: %v", err)
		}
	}
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	if other, _ := Find("RN50"); other != nil {
		if _, err := s.Fetch(cancelled, other); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
	}
}
