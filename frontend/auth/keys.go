package auth

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"clipd/frontend/fault"
)

// Options say where the keys are.
type Options struct {
	File string // path of the keys file; "" = none
	Env  string // name of an environment variable that holds the same lines, ended by newlines or semicolons; "" = none

	// OnReload is told when a changed file was read: how many keys there are now, those of the environment included,
	// or why the keys from before stay. The same reason is told once. It is called from Check, Begin and Wait, one
	// call at a time, and must not call Close. May be nil.
	OnReload func(keys int, err error)
}

// Keys are all keys of a server. A nil *Keys lets everyone in.
type Keys struct {
	options Options
	env     *ring // what the environment gave
	set     atomic.Pointer[set]
	watch   watch // of the file
}

// set is what Check reads: keys[i] has hashes[i].
type set struct {
	hashes [][sha256.Size]byte
	keys   []*Key
}

// Open reads the keys. It fails when there is none, or when a line is wrong: a server that was to have keys must not
// stand open, nor lock out those whose line comes later.
func Open(o Options) (*Keys, error) {
	k := &Keys{options: o, env: newRing()}
	if o.Env != "" {
		k.env.fromEnv(o.Env, os.Getenv(o.Env))
	}
	var lines string
	if o.File != "" {
		k.watch.start = time.Now()
		var err error
		if lines, _, err = k.watch.read(o.File); err != nil {
			return nil, err
		}
	}
	if err := k.load(lines); err != nil {
		return nil, err
	}
	return k, nil
}

// Close ends the looking for changes of the file. OnReload is not called any more when it returns; the keys go on.
func (k *Keys) Close() {
	if k != nil {
		k.watch.close()
	}
}

// Check returns the key that a credential is: the value of Authorization as it came, with "Bearer" before it or without.
// A fault.Unauthenticated says that there is none, or that it is not known, and does not repeat it.
func (k *Keys) Check(credential string) (*Key, error) {
	if k == nil {
		return nil, nil
	}
	k.look()
	secret := strings.Trim(credential, " \t")
	if scheme, rest, found := strings.Cut(secret, " "); strings.EqualFold(scheme, "Bearer") {
		secret = ""
		if found {
			secret = strings.TrimLeft(rest, " \t")
		}
	}
	if secret == "" {
		return nil, fault.New(fault.Unauthenticated, `this server needs a key: send the header "Authorization: Bearer KEY" `+
			`(over gRPC the metadata "authorization"; with clip_client, credential={'Authorization': 'KEY'})`)
	}
	hash := sha256.Sum256([]byte(secret))
	// Every key is compared, and each in the same time, so that the time tells nothing about any.
	s, found := k.set.Load(), -1
	for i := range s.hashes {
		found = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(s.hashes[i][:], hash[:]), i, found)
	}
	if found < 0 {
		return nil, fault.New(fault.Unauthenticated, "the key that was sent is not known to this server; it may be misspelt, or was taken back")
	}
	return s.keys[found], nil
}

// load puts the keys of the file's lines, and those of the environment, in the place of what was there. On an error
// nothing changes.
func (k *Keys) load(lines string) error {
	r := k.env.clone()
	r.fromFile(k.options.File, lines)
	if err := r.err(); err != nil {
		return err
	}
	if len(r.entries) == 0 {
		return k.empty()
	}
	k.replace(r.entries)
	return nil
}

// empty says that there is no key, and how one is made.
func (k *Keys) empty() error {
	var places []string
	if k.options.File != "" {
		places = append(places, "the keys file "+k.options.File)
	}
	if k.options.Env != "" {
		places = append(places, "the environment variable "+k.options.Env)
	}
	if len(places) == 0 {
		return errors.New("neither a keys file nor an environment variable with keys is named")
	}
	return fmt.Errorf("no key in %s; `clipd key new NAME` makes one", strings.Join(places, " or "))
}

// replace puts new keys in the place of the old. A key that stays is the same *Key, with the limits of its new line;
// one whose secret changed goes on with what its name has used up.
func (k *Keys) replace(entries []Entry) {
	before := map[string]*Key{}
	if old := k.set.Load(); old != nil {
		for _, key := range old.keys {
			before[key.name] = key
		}
	}
	s := &set{make([][sha256.Size]byte, 0, len(entries)), make([]*Key, 0, len(entries))}
	for _, e := range entries {
		key := before[e.Name]
		switch {
		case key == nil:
			key = &Key{name: e.Name, hash: e.Hash, keys: k, limiter: new(limiter)}
		case key.hash != e.Hash:
			key = &Key{name: e.Name, hash: e.Hash, keys: k, limiter: key.limiter}
		default:
			delete(before, e.Name)
		}
		key.models.Store(&e.Models)
		key.priority.Store(int32(e.Priority))
		key.at.Store(&e.at)
		key.limiter.set(e.Limits)
		s.hashes, s.keys = append(s.hashes, e.Hash), append(s.keys, key)
	}
	k.set.Store(s)
	for _, key := range before {
		key.removed.Store(true)
		key.limiter.wake()
	}
}
