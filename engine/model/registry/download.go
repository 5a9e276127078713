package registry

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// attempts is how often a broken transfer is taken up again before the next address is tried.
const attempts = 4

// Store finds checkpoints on this machine and downloads them.
type Store struct {
	Folder   string                                // where downloads are kept
	Also     []string                              // folders that are looked into as well, such as that of CLIP-as-service
	Client   *http.Client                          // nil: one that gives up on a server that does not answer
	Idle     time.Duration                         // how long a server may send nothing before an attempt has failed; 0: 60 s
	Progress func(stage string, done, total int64) // may be nil
	Pause    time.Duration                         // before the second attempt, doubled for each one after it
}

// Fetch returns the path of a checkpoint, downloading it when it is not here.
func (s *Store) Fetch(ctx context.Context, c *Checkpoint) (string, error) {
	if c.Unsupported != "" {
		return "", fmt.Errorf("model %s is not supported: %s", c.Name, c.Unsupported)
	}
	sources := c.Sources()
	for _, folder := range append([]string{s.Folder}, s.Also...) {
		for _, source := range sources {
			file := filepath.Join(folder, source.File)
			if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() && info.Size() > 0 {
				return file, nil
			}
		}
	}
	var failures []error
	for _, source := range sources {
		file := filepath.Join(s.Folder, source.File)
		err := s.download(ctx, source, file)
		if err == nil {
			return file, nil
		}
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		failures = append(failures, fmt.Errorf("%s: %w", source.URL, err))
	}
	first := sources[0]
	return "", fmt.Errorf("cannot download model %s; on a machine with a network get %s and put it at %s: %w",
		c.Name, first.URL, filepath.Join(s.Folder, first.File), errors.Join(failures...))
}

// permanent errors are not tried again.
type permanent struct{ error }

func (p permanent) Unwrap() error { return p.error }

// download gets one address, going on where a part is there already, and moves it into place when its check sum is right.
func (s *Store) download(ctx context.Context, source Source, file string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	part := file + ".part"
	unlock, err := lock(ctx, part+".lock")
	if err != nil {
		return err
	}
	defer unlock()
	if info, err := os.Stat(file); err == nil && info.Size() > 0 {
		return nil // another process was quicker
	}
	pause := s.Pause
	for attempt := range attempts {
		if attempt > 0 {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(pause):
			}
			pause *= 2
		}
		var sha string
		if sha, err = s.transfer(ctx, source.URL, part); err == nil {
			expected := source
			if source.SHA256 == "" && source.MD5 == "" { // what is pinned counts more than what a server says of itself
				expected.SHA256 = sha
			}
			if err = verify(part, expected); err == nil {
				return os.Rename(part, file)
			}
			if removed := os.Remove(part); removed != nil {
				return errors.Join(err, removed)
			}
		}
		var final permanent
		if errors.As(err, &final) || ctx.Err() != nil {
			return err
		}
	}
	return err
}

// transfer appends the rest of the address to part. It returns the SHA-256 that Hugging Face announces, if it does.
func (s *Store) transfer(ctx context.Context, url, part string) (sha string, err error) {
	f, err := os.OpenFile(part, os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return "", permanent{err}
	}
	defer func() {
		if closed := f.Close(); err == nil {
			err = closed
		}
	}()
	have, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return "", permanent{err}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", permanent{err}
	}
	request.Header.Set("User-Agent", "clipd")
	request.Header.Set("Accept-Encoding", "identity") // the length must be that of the file
	if have > 0 {
		request.Header.Set("Range", fmt.Sprintf("bytes=%d-", have))
	}
	idle := s.Idle
	if idle <= 0 {
		idle = defaultIdle
	}
	var client http.Client
	if s.Client != nil {
		client = *s.Client
	} else {
		client = *newClient(idle)
		defer client.CloseIdleConnections()
	}
	client.CheckRedirect = func(r *http.Request, via []*http.Request) error {
		if tag := strings.Trim(r.Response.Header.Get("X-Linked-Etag"), `"`); len(tag) == 64 {
			sha = tag
		}
		if len(via) >= 10 {
			return errors.New("more than 10 redirections")
		}
		return nil
	}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	switch response.StatusCode {
	case http.StatusOK:
		have = 0
	case http.StatusPartialContent:
		var first int64
		if _, err := fmt.Sscanf(response.Header.Get("Content-Range"), "bytes %d-", &first); err != nil || first != have {
			return "", permanent{fmt.Errorf("asked to go on at byte %d, the server answered %q", have, response.Header.Get("Content-Range"))}
		}
	case http.StatusRequestedRangeNotSatisfiable: // the part is whole already, or longer than the file
		var total int64
		if _, err := fmt.Sscanf(response.Header.Get("Content-Range"), "bytes */%d", &total); err == nil && total == have {
			return sha, nil
		}
		return "", errors.Join(errors.New("the part on disk does not fit the file; starting again"), f.Truncate(0))
	case http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return "", fmt.Errorf("the server answered %s", response.Status)
	default:
		return "", permanent{fmt.Errorf("the server answered %s", response.Status)}
	}
	if err := f.Truncate(have); err != nil {
		return "", permanent{err}
	}
	if _, err := f.Seek(have, io.SeekStart); err != nil {
		return "", permanent{err}
	}
	total := int64(-1)
	if response.ContentLength >= 0 {
		total = have + response.ContentLength
	}
	n, err := io.Copy(&meter{f, s.Progress, have, total}, &stallReader{ctx, response.Body, idle, cancel})
	if err == nil && response.ContentLength >= 0 && n != response.ContentLength {
		err = io.ErrUnexpectedEOF
	}
	return sha, err
}

// meter reports what has passed.
type meter struct {
	w           io.Writer
	progress    func(stage string, done, total int64)
	done, total int64
}

func (m *meter) Write(p []byte) (int, error) {
	n, err := m.w.Write(p)
	m.done += int64(n)
	if m.progress != nil {
		m.progress("download", m.done, m.total)
	}
	return n, err
}

// verify compares every check sum that is known, reading the file once.
func verify(file string, source Source) error {
	type check struct {
		name string
		sum  hash.Hash
		want string
	}
	var checks []check
	var sums []io.Writer
	for _, c := range []check{{"SHA-256", sha256.New(), source.SHA256}, {"MD5", md5.New(), source.MD5}} {
		if c.want != "" {
			checks, sums = append(checks, c), append(sums, c.sum)
		}
	}
	if len(checks) == 0 {
		return nil
	}
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := io.Copy(io.MultiWriter(sums...), f); err != nil {
		return err
	}
	for _, c := range checks {
		if got := hex.EncodeToString(c.sum.Sum(nil)); !strings.EqualFold(got, c.want) {
			return fmt.Errorf("the file is damaged: %s check sum %s instead of %s", c.name, got, c.want)
		}
	}
	return nil
}
