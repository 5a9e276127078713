package auth

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"clipd/frontend/fault"
)

// reloads notes what OnReload is told.
type reloads []string

func (r *reloads) note(keys int, err error) {
	if err != nil {
		*r = append(*r, err.Error())
		return
	}
	*r = append(*r, fmt.Sprint(keys, " keys"))
}

// told checks what was told since it was last asked.
func (r *reloads) told(t *testing.T, want ...string) {
	t.Helper()
	same := len(*r) == len(want)
	for i := 0; same && i < len(want); i++ {
		same = strings.Contains((*r)[i], want[i])
	}
	if !same {
		t.Errorf("told %q, want %q", *r, want)
	}
	*r = nil
}

func TestReload(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys")
	a, aLine := line(t, "a", "")
	b, bLine := line(t, "b", "")
	env, envLine := line(t, "env", "")
	t.Setenv("CLIPD_TEST_KEYS", envLine)
	write(t, file, aLine)
	synctest.Test(t, func(t *testing.T) {
		var r reloads
		keys := open(t, Options{File: file, Env: "CLIPD_TEST_KEYS", OnReload: r.note})
		known := func(secret string, want bool) {
			t.Helper()
			k, err := keys.Check(secret)
			if (err == nil) != want || (k != nil) != want {
				t.Errorf("known: %v, %v; want %v", k, err, want)
			}
		}
		known(a, true)
		known(b, false)
		write(t, file, aLine, bLine)
		known(b, false) // looked a moment ago
		time.Sleep(lookEvery)
		known(b, true)
		known(a, true)
		r.told(t, "3 keys")

		time.Sleep(lookEvery)
		known(b, true)
		r.told(t) // the same file
		if err := os.Chtimes(file, time.Time{}, time.Unix(1e9, 0)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(lookEvery)
		known(b, true)
		r.told(t) // only touched

		write(t, file, aLine, "broken")
		for range 3 {
			time.Sleep(lookEvery)
			known(b, true)
		}
		r.told(t, file+":2: the line has one word; it must be a name and a hash")
		write(t, file, "# empty")
		time.Sleep(lookEvery)
		known(a, false)
		known(env, true) // one key is left, so the file is right
		r.told(t, "1 keys")
	})
}

func TestReloadKeepsTheKeysOfABrokenFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys")
	a, aLine := line(t, "a", "")
	_, bLine := line(t, "b", "")
	write(t, file, aLine)
	synctest.Test(t, func(t *testing.T) {
		var r reloads
		keys := open(t, Options{File: file, OnReload: r.note})
		look := func(want ...string) {
			t.Helper()
			for range 3 {
				time.Sleep(lookEvery)
				if _, err := keys.Check(a); err != nil {
					t.Error(err)
				}
			}
			r.told(t, want...)
		}
		look()
		write(t, file, "")
		look("no key in the keys file " + file)
		write(t, file, aLine)
		look("1 keys") // the trouble is over
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		look("no such file")
		write(t, file, aLine)
		look("1 keys")
		other := file + ".new"
		write(t, other, aLine, bLine)
		if err := os.Rename(other, file); err != nil {
			t.Fatal(err)
		}
		look("2 keys")
		write(t, file, "x y", aLine)
		look("; the keys from before stay in use")
		keys.Close()
		write(t, file, aLine)
		look()
		keys.Close()
	})
}

// A change within the same step of the file system's clock, of the same size, is noticed all the same.
func TestReloadOfAFileThatLooksUnchanged(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys")
	_, aLine := line(t, "a", "")
	a2, a2Line := line(t, "a", "")
	write(t, file, aLine)
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		stamp := func() {
			t.Helper()
			if err := os.Chtimes(file, now, now); err != nil {
				t.Fatal(err)
			}
		}
		stamp()
		keys := open(t, Options{File: file})
		write(t, file, a2Line)
		stamp()
		time.Sleep(lookEvery)
		if _, err := keys.Check(a2); err != nil {
			t.Error(err)
		}
	})
}

func TestReloadKeepsWhatIsUsedUp(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys")
	secret, bare := line(t, "web", "")
	_, rotated := line(t, "web", "")
	write(t, file, bare+" rate=10/s concurrent=2 models=x")
	synctest.Test(t, func(t *testing.T) {
		keys := open(t, Options{File: file})
		k, err := keys.Check(secret)
		if err != nil {
			t.Fatal(err)
		}
		change := func(lines ...string) {
			t.Helper()
			write(t, file, lines...)
			time.Sleep(lookEvery)
		}
		open := begin(t, k, 1)
		change(bare + " rate=1/h concurrent=1 models=y")
		full(t, k, 1, time.Second, "has 1 requests in progress and may have 1")
		if again, err := keys.Check(secret); again != k || err != nil {
			t.Errorf("another key after the reload, %v", err)
		}
		refused(t, k.MayUse("x"), fault.Forbidden, "may use y")
		open()
		// The bucket keeps one token of the ten, which the new rate allows; the next takes an hour.
		begin(t, k, 1)()
		full(t, k, 1, time.Hour, "rate=1/h")
		change(bare)
		for range 100 {
			begin(t, k, 1)()
		}
		// Who waits for an end that does not come is let in by a wider limit.
		change(bare + " concurrent=1")
		open = begin(t, k, 1)
		waited := make(chan error)
		go func() {
			end, err := k.Wait(t.Context(), 1)
			if err == nil {
				end()
			}
			waited <- err
		}()
		synctest.Wait()
		change(bare + " concurrent=2")
		if _, err := keys.Check(secret); err != nil {
			t.Error(err)
		}
		if err := <-waited; err != nil {
			t.Error(err)
		}
		// One that waits while its key is taken back is refused, and so is what it holds the key for from then on.
		change(bare + " concurrent=1")
		if _, err := keys.Check(secret); err != nil {
			t.Error(err)
		}
		go func() {
			_, err := k.Wait(t.Context(), 1)
			waited <- err
		}()
		synctest.Wait()
		change(rotated + " concurrent=1")
		_, err = keys.Check(secret)
		refused(t, err, fault.Unauthenticated, "not known")
		refused(t, <-waited, fault.Unauthenticated, `the key "web" was taken back or replaced`)
		_, err = k.Begin(1)
		refused(t, err, fault.Unauthenticated)
		_, err = k.Wait(t.Context(), 1)
		refused(t, err, fault.Unauthenticated)
		// The new secret of the same name finds the old one's request still in progress.
		full(t, keys.set.Load().keys[0], 1, time.Second, "has 1 requests in progress")
		open()
		begin(t, keys.set.Load().keys[0], 1)()
	})
}

// Begin on a key that is held for long notices the change by itself, without any Check.
func TestAHeldKeyNoticesThatItIsGone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys")
	secret, mine := line(t, "web", "")
	_, other := line(t, "other", "")
	write(t, file, mine, other)
	synctest.Test(t, func(t *testing.T) {
		keys := open(t, Options{File: file})
		k, err := keys.Check(secret)
		if err != nil {
			t.Fatal(err)
		}
		write(t, file, other)
		time.Sleep(lookEvery)
		_, err = k.Begin(1)
		refused(t, err, fault.Unauthenticated, "taken back")
	})
}

// Callers check, begin and wait while the file changes again and again; a key that stays is never refused.
func TestReloadUnderLoad(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys")
	secret, stays := line(t, "stays", "")
	_, other := line(t, "other", "")
	write(t, file, stays)
	synctest.Test(t, func(t *testing.T) {
		var r reloads
		keys := open(t, Options{File: file, OnReload: r.note})
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for range 100 {
					k, err := keys.Check(secret)
					if err != nil {
						t.Error(err)
						return
					}
					for _, take := range []func() (func(), error){
						func() (func(), error) { return k.Wait(t.Context(), 2) },
						func() (func(), error) { return k.Begin(2) },
					} {
						end, err := take()
						if err != nil {
							t.Error(err)
							return
						}
						time.Sleep(50 * time.Millisecond)
						end()
					}
				}
			})
		}
		time.Sleep(lookEvery / 2) // between two looks, so that each change has one of its own
		for i := range 9 {
			time.Sleep(lookEvery)
			write(t, file+".new", stays+fmt.Sprintf(" concurrent=%d models=m%d", 100+i, i), other)
			if err := os.Rename(file+".new", file); err != nil {
				t.Error(err)
			}
		}
		all.Wait()
		keys.Close()
		if len(r) < 8 {
			t.Errorf("%d reloads", len(r))
		}
		if k := keys.set.Load().keys[0]; k.limiter.inProgress != 0 || k.limiter.waiting.Len() != 0 {
			t.Errorf("%d in progress, %d wait", k.limiter.inProgress, k.limiter.waiting.Len())
		}
	})
}
