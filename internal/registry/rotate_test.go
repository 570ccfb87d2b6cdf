package registry

import (
	"errors"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/broker"
	"github.com/trailhook/trailhook/internal/seal"
)

func TestAfterARotationNewLinesAndOldOnesVerify(t *testing.T) {
	dir, c := t.TempDir(), newClock()
	r, shut := openRegistry(t, dir, c)
	first := signed(t, r)
	c.advance(time.Hour)
	made, err := r.RotateSigningKey(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if signer, err := r.Signer(); err != nil || signer.KeyID() != made.KeyID {
		t.Errorf("signs with %v, %v; want %s", signer, err, made.KeyID)
	}
	second := signed(t, r)
	shut()
	r, _ = openRegistry(t, dir, c)
	keys, err := r.KeySet()
	if err != nil || keys.Len() != 2 {
		t.Fatalf("key set of %d, %v", keys.Len(), err)
	}
	for _, line := range [][]byte{first, second, signed(t, r)} {
		if verdict, _ := keys.Verify(line); verdict != audit.Valid {
			t.Errorf("%s: %s", verdict, line)
		}
	}
	list := r.SigningKeys()
	if len(list) != 2 || list[0].KeyID != made.KeyID || !list[0].RetiredAt.IsZero() || !list[1].RetiredAt.Equal(made.CreatedAt) {
		t.Errorf("keys: %+v", list)
	}
}

func TestAnEventIsSignedWithTheKeyOfItsTimeUntilThatIsDropped(t *testing.T) {
	c := newClock()
	r, _ := openRegistry(t, t.TempDir(), c)
	const delay = 2 * time.Second
	var keys []string
	var times []time.Time // of each key's rule, the first and the last
	for range 3 {
		from := c.Now()
		if len(keys) > 0 {
			made, err := r.RotateSigningKey(t.Context(), delay)
			if err != nil {
				t.Fatal(err)
			}
			from = from.Add(delay)
			keys, times = append(keys, made.KeyID), append(times, from.Add(-time.Millisecond), from)
		} else {
			keys, times = append(keys, r.SigningKeyID()), append(times, from.Add(-time.Hour))
		}
		c.advance(time.Hour)
	}
	times = append(times, c.Now())
	check := func(when string, want ...string) {
		t.Helper()
		signers := r.Signers()
		for i, at := range times {
			signer, err := signers.At(at)
			if err != nil || signer.KeyID() != want[i] {
				t.Errorf("%s: time %d: signed with %v, %v; want %s", when, i, signer, err, want[i])
			}
		}
	}
	check("all there", keys[0], keys[0], keys[1], keys[1], keys[2], keys[2])
	if n, err := r.DropRetiredSeeds(t.Context(), times[2].Add(time.Millisecond)); n != 1 || err != nil {
		t.Errorf("dropped %d, %v", n, err)
	}
	check("the first dropped", keys[2], keys[2], keys[1], keys[1], keys[2], keys[2])
	if n, err := r.DropRetiredSeeds(t.Context(), c.Now().Add(time.Hour)); n != 1 || err != nil {
		t.Errorf("dropped %d, %v", n, err)
	}
	check("all dropped but the last", keys[2], keys[2], keys[2], keys[2], keys[2], keys[2])
	if set, err := r.KeySet(); err != nil || set.Len() != 3 {
		t.Errorf("key set of %d, %v", set.Len(), err)
	}
}

func TestARotationThatWasCutShortIsDoneByTheNext(t *testing.T) {
	r, _ := openRegistry(t, t.TempDir(), newClock())
	active, err := r.signingKeys.Get(activeKey)
	if err != nil {
		t.Fatal(err)
	}
	// The crash comes between the retired copy and the new key.
	copied := active.Value
	copied.Seed, copied.RetiredAt = nil, r.instant()
	if err := r.signingKeys.Create(t.Context(), copied.KeyID, copied); err != nil {
		t.Fatal(err)
	}
	if list := r.SigningKeys(); len(list) != 1 || !list[0].RetiredAt.IsZero() {
		t.Errorf("after the crash: %+v", list)
	}
	if _, err := r.Signer(); err != nil {
		t.Errorf("after the crash: %v", err)
	}
	if _, err := r.RotateSigningKey(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if keys, err := r.KeySet(); err != nil || keys.Len() != 2 || len(r.SigningKeys()) != 2 {
		t.Errorf("after the next rotation: %d keys, %v", keys.Len(), err)
	}
}

func TestAnAnnouncedKeyIsKnownBeforeItSigns(t *testing.T) {
	r, _ := openRegistry(t, t.TempDir(), newClock())
	before, err := r.Signer()
	if err != nil {
		t.Fatal(err)
	}
	announced, err := r.AnnounceSigningKey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if again, err := r.AnnounceSigningKey(t.Context()); err != nil || again.KeyID != announced.KeyID {
		t.Errorf("announced again: %s, %v; want %s", again.KeyID, err, announced.KeyID)
	}
	copied, err := r.KeySet()
	if err != nil || copied.Len() != 2 {
		t.Fatalf("key set of %d, %v", copied.Len(), err)
	}
	if signer, err := r.Signer(); err != nil || signer.KeyID() != before.KeyID() {
		t.Errorf("an announced key signs: %v", err)
	}
	if list := r.SigningKeys(); len(list) != 2 || list[0].Announced || !list[1].Announced {
		t.Errorf("keys: %+v", list)
	}
	made, err := r.RotateSigningKey(t.Context(), 0)
	if err != nil || made.KeyID != announced.KeyID {
		t.Fatalf("rotated to %s, %v; want %s", made.KeyID, err, announced.KeyID)
	}
	if verdict, _ := copied.Verify(signed(t, r)); verdict != audit.Valid {
		t.Errorf("by a copy of the set from before a line is %s", verdict)
	}
	// A crash before the announcement's end leaves it behind.
	if err := r.signingKeys.Create(t.Context(), nextKey, made); err != nil {
		t.Fatal(err)
	}
	if list := r.SigningKeys(); len(list) != 2 || list[1].RetiredAt.IsZero() {
		t.Errorf("after the crash: %+v", list)
	}
	next, err := r.AnnounceSigningKey(t.Context())
	if err != nil || next.KeyID == made.KeyID || len(r.SigningKeys()) != 3 {
		t.Errorf("after the crash %s was announced, %v: %+v", next.KeyID, err, r.SigningKeys())
	}
}

// A rotation of the master key is cut short after each of its steps. What is on
// disk then must open, and the rotation must be able to go on.
func TestEverythingOpensAfterEachStepOfAMasterKeyRotation(t *testing.T) {
	dir := t.TempDir()
	r, shut := openRegistry(t, dir, newClock())
	user := newOrganization(t, r)
	var destinations []Destination
	for _, name := range []string{"one", "two"} {
		d, err := r.CreateDestination(t.Context(), Destination{
			OrgID: user.OrgID, Name: name, Endpoint: "https://siem.example/", LogFormat: audit.CEF,
		}, "secret of "+name)
		if err != nil {
			t.Fatal(err)
		}
		destinations = append(destinations, d)
	}
	if _, err := r.RotateSigningKey(t.Context(), 0); err != nil { // a retired key is there too
		t.Fatal(err)
	}
	shut()

	path := filepath.Join(dir, "master.key")
	crash := func(step string) *Registry {
		t.Helper()
		shut()
		r, shut = openRegistry(t, dir, newClock())
		for _, d := range destinations {
			d, err := r.Destination(d.OrgID, d.ID)
			if err != nil {
				t.Fatalf("%s: %v", step, err)
			}
			if got, err := r.Authorization(d); err != nil || got != "secret of "+d.Name {
				t.Errorf("%s: authorization %q, %v", step, got, err)
			}
			if !d.UpdatedAt.IsZero() {
				t.Errorf("%s: the destination counts as updated", step)
			}
		}
		if _, err := r.Signer(); err != nil {
			t.Errorf("%s: %v", step, err)
		}
		return r
	}
	keys, err := seal.ReadKeyset(path)
	if err != nil {
		t.Fatal(err)
	}
	step := func(change func() (*seal.Keyset, error)) {
		t.Helper()
		if keys, err = change(); err == nil {
			err = keys.Replace(path)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	step(keys.Add)
	crash("a key is added")
	step(keys.Activate)
	r = crash("the key is active")

	with, only := sealers(t, keys)
	at, err := key(user.OrgID, destinations[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	entry, err := r.destinations.Get(at)
	if err != nil {
		t.Fatal(err)
	}
	half := entry.Value
	if _, err := r.resealValue(&half.Authorization, sealContext(half), with, only); err != nil {
		t.Fatal(err)
	}
	if err := r.destinations.Update(t.Context(), at, half, entry.Revision); err != nil {
		t.Fatal(err)
	}
	r = crash("one value is sealed anew")
	if n, err := r.Reseal(t.Context(), with, only); err != nil || n != 3 {
		t.Errorf("%d values were sealed anew, %v; want the other destination and both signing keys", n, err)
	}
	r = crash("all are sealed anew")
	if n, err := r.Reseal(t.Context(), with, only); err != nil || n != 0 {
		t.Errorf("%d values were sealed anew a second time, %v", n, err)
	}
	step(keys.Prune)
	crash("the old key is dropped")
}

func TestNothingIsSealedAnewWithAKeyThatDoesNotOpenIt(t *testing.T) {
	dir := t.TempDir()
	_, shut := openRegistry(t, dir, newClock())
	shut()
	b, err := broker.Open(t.Context(), broker.Options{Dir: dir, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	stranger, err := seal.OpenFile(filepath.Join(t.TempDir(), "master.key"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := Open(t.Context(), b, Options{Sealer: stranger, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	if n, err := r.Reseal(t.Context(), stranger, stranger); err == nil || n != 0 {
		t.Errorf("%d values, %v", n, err)
	}
}

func TestOfTwoRotationsAtOnceNoneLosesAKey(t *testing.T) {
	r, _ := openRegistry(t, t.TempDir(), newClock())
	results := make(chan error)
	for range 4 {
		go func() {
			_, err := r.RotateSigningKey(t.Context(), 0)
			results <- err
		}()
	}
	rotated := 0
	for range 4 {
		switch err := <-results; {
		case err == nil:
			rotated++
		case !errors.Is(err, ErrConflict):
			t.Error(err)
		}
	}
	if list := r.SigningKeys(); rotated == 0 || len(list) != rotated+1 || len(list[0].Seed) == 0 {
		t.Errorf("%d rotations left %+v", rotated, list)
	}
}

// sealers are the one that seals, and the one that opens nothing but what it sealed.
func sealers(t *testing.T, keys *seal.Keyset) (with, only *seal.Sealer) {
	t.Helper()
	pruned, err := keys.Prune()
	if err != nil {
		t.Fatal(err)
	}
	with, err = keys.Sealer()
	if err == nil {
		only, err = pruned.Sealer()
	}
	if err != nil {
		t.Fatal(err)
	}
	return with, only
}

func signed(t *testing.T, r *Registry) []byte {
	t.Helper()
	signer, err := r.Signer()
	if err != nil {
		t.Fatal(err)
	}
	return signer.AppendLine(nil, audit.CEF, &audit.Event{
		Kind: audit.Authentication, Time: time.UnixMilli(1), AuthType: audit.AuthPAT, Outcome: audit.OutcomeSuccess,
	})
}
