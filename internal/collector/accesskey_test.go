package collector

import (
	"strings"
	"testing"
)

func TestNoSecretLooksLikeAFlag(t *testing.T) {
	for range 5000 {
		if secret := newSecret(); strings.HasPrefix(secret, "-") || len(secret) != 43 {
			t.Fatalf("%q", secret)
		}
	}
}
