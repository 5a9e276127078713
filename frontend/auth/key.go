package auth

import (
	"context"
	"crypto/sha256"
	"slices"
	"strings"
	"sync/atomic"

	"clipd/frontend/fault"
)

// Key is one who may call. It may be held for as long as a connection lasts: it follows the changes of the keys file,
// and refuses everything once its line is gone or has another secret. A nil *Key has no limits.
type Key struct {
	name    string
	hash    [sha256.Size]byte
	keys    *Keys
	limiter *limiter // of all keys that had the name, one after another
	removed atomic.Bool

	models   atomic.Pointer[[]string] // sorted; none = every model
	priority atomic.Int32             // a Priority
	at       atomic.Pointer[string]   // where its line stands
}

// Name returns the key's name; "" for a nil *Key.
func (k *Key) Name() string {
	if k == nil {
		return ""
	}
	return k.name
}

// MayUse returns nil when requests with the key may go to the model, or a fault.Forbidden.
func (k *Key) MayUse(model string) error {
	if k == nil {
		return nil
	}
	models := *k.models.Load()
	if _, found := slices.BinarySearch(models, model); found || len(models) == 0 {
		return nil
	}
	return fault.New(fault.Forbidden, "the key %q may not use the model %q; it may use %s", k.name, shorten(model), strings.Join(models, ", "))
}

// MayUseAny returns nil when the key may use one of the models, or the refusal of the last. An empty name is none.
func (k *Key) MayUseAny(models ...string) (err error) {
	for _, model := range models {
		if model == "" {
			continue
		}
		if err = k.MayUse(model); err == nil {
			return nil
		}
	}
	return err
}

// Begin takes a place for a request of so many documents now; end gives it back. When a limit of the key leaves no
// place, or requests wait for one already, that is a fault.Overloaded whose RetryAfter is the time until the rates let
// this request in, or a second where another request has to end first.
//
// A request of more documents than come in a second is let in when a second's worth is there; what it takes beyond
// that is missing to those who come next.
func (k *Key) Begin(items int) (end func(), err error) {
	if k == nil {
		return func() {}, nil
	}
	k.keys.look()
	return k.limiter.begin(k, max(items, 0))
}

// Wait is Begin that waits for its turn instead of being refused: requests of the key get their places in the order in
// which they came. When ctx ends first, that is a fault.Deadline and nothing is used up.
func (k *Key) Wait(ctx context.Context, items int) (end func(), err error) {
	if k == nil {
		return func() {}, nil
	}
	k.keys.look()
	return k.limiter.wait(ctx, k, max(items, 0))
}

// gone returns the error for a key that is not in the keys any more.
func (k *Key) gone() error {
	if k.removed.Load() {
		return fault.New(fault.Unauthenticated, "the key %q was taken back or replaced", k.name)
	}
	return nil
}
