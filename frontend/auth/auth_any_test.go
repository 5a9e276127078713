package auth

import (
	"testing"

	"clipd/frontend/fault"
)

// TestMayUseAny shows that one allowed name suffices, that an empty one allows nothing, and that no key allows all.
func TestMayUseAny(t *testing.T) {
	t.Setenv("KEYS_ANY", "small plain:a-secret-of-this-test-0123456789 models=small")
	keys, err := Open(Options{Env: "KEYS_ANY"})
	if err != nil {
		t.Fatal(err)
	}
	key, err := keys.Check("a-secret-of-this-test-0123456789")
	if err != nil {
		t.Fatal(err)
	}
	check := func(k *Key, allowed bool, models ...string) {
		t.Helper()
		err := k.MayUseAny(models...)
		if (err == nil) != allowed || err != nil && fault.Of(err).Code != fault.Forbidden {
			t.Errorf("%q: %v", models, err)
		}
	}
	check(key, true, "clip", "small")
	check(key, true, "small", "ViT-B-32::openai")
	check(key, false, "clip", "")
	check(key, false, "", "clip")
	check(nil, true, "clip", "")
}
