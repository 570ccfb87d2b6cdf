package registry

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/trailhook/trailhook/internal/entity"
	"github.com/trailhook/trailhook/internal/seal"
)

func newControlPlane(t *testing.T, r *Registry) ControlPlane {
	t.Helper()
	cp, err := r.CreateControlPlane(t.Context(), ControlPlane{OrgID: newOrganization(t, r).OrgID, Region: "us", Name: "cp"})
	if err != nil {
		t.Fatal(err)
	}
	return cp
}

func TestCoreEntitiesAreThereAfterARestartAndSealedOnDisk(t *testing.T) {
	dir, c := t.TempDir(), newClock()
	r, shut := openRegistry(t, dir, c)
	cp := newControlPlane(t, r)
	consumer, err := r.CreateCoreEntity(t.Context(), cp, entity.Consumers, entity.Document{"username": "ana"})
	if err != nil {
		t.Fatal(err)
	}
	const secret = "a-key-that-nobody-guesses"
	key, err := r.CreateCoreEntity(t.Context(), cp, entity.KeyAuths, entity.Document{"key": secret, "consumer": entity.ReferenceTo(consumer.ID())})
	if err != nil {
		t.Fatal(err)
	}
	shut()
	r, shut = openRegistry(t, dir, c)
	if got, err := r.CoreEntity(cp, entity.KeyAuths, key.ID()); err != nil || got.Text("key") != secret || got.Reference("consumer") != consumer.ID() {
		t.Errorf("after a restart: %v, %v", got, err)
	}
	shut()
	err = filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if bytes.Contains(data, []byte(secret)) {
			t.Errorf("%s holds the key in the clear", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestCoreEntitiesAreSealedAnewAndOpenWithTheNewKey(t *testing.T) {
	r, _ := openRegistry(t, t.TempDir(), newClock())
	cp := newControlPlane(t, r)
	for _, name := range []string{"a", "b"} {
		if _, err := r.CreateCoreEntity(t.Context(), cp, entity.Services, entity.Document{"name": name, "host": "h"}); err != nil {
			t.Fatal(err)
		}
	}
	with, err := seal.OpenFile(filepath.Join(t.TempDir(), "master.key"))
	if err != nil {
		t.Fatal(err)
	}
	if n, err := r.Reseal(t.Context(), with, with); err != nil || n != 3 {
		t.Fatalf("%d values were sealed anew, %v; want two services and the signing key", n, err)
	}
	r.sealer = with
	r.cores.planes = map[string]*coreSet{}
	set, _, err := r.CoreEntities(cp)
	if err != nil || set.Len() != 2 {
		t.Errorf("opened with the new key: %v, %v", set, err)
	}
}

func TestOfManyEntitiesOfOneNameMadeAtOnceOneIsMade(t *testing.T) {
	r, _ := openRegistry(t, t.TempDir(), newClock())
	cp := newControlPlane(t, r)
	var group sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		group.Go(func() {
			_, errs[i] = r.CreateCoreEntity(t.Context(), cp, entity.Services, entity.Document{"name": "s", "host": "a"})
		})
	}
	group.Wait()
	made := 0
	for _, err := range errs {
		var violation *entity.Violation
		switch {
		case err == nil:
			made++
		case !errors.As(err, &violation) || violation.Status != 409:
			t.Error(err)
		}
	}
	if made != 1 {
		t.Errorf("%d were made", made)
	}
}

func TestAControlPlaneHoldsABoundedNumberOfEntities(t *testing.T) {
	r, _ := openRegistry(t, t.TempDir(), newClock())
	cp := newControlPlane(t, r)
	// Written past the checks, which would take long for so many.
	for i := range MaxCoreEntities {
		id := fmt.Sprintf("00000000-0000-4000-8000-%012d", i)
		r.cores.planes[corePrefix(cp)] = fill(r.cores.planes[corePrefix(cp)], coreKey(cp, entity.Consumers, id), id)
	}
	set := entity.NewSet(map[entity.Kind][]entity.Document{entity.Consumers: r.cores.planes[corePrefix(cp)].documents()})
	r.cores.planes[corePrefix(cp)].set = set
	r.cores.planes[corePrefix(cp)].changed = r.coreEntities.Changed()
	_, err := r.CreateCoreEntity(t.Context(), cp, entity.Consumers, entity.Document{"username": "one too many"})
	var violation *entity.Violation
	if !errors.As(err, &violation) || violation.Status != 400 {
		t.Errorf("%v", err)
	}
	if _, err := r.PutCoreEntity(t.Context(), cp, entity.Consumers, set.All(entity.Consumers)[0].ID(), entity.Document{"username": "replaced"}, nil); err != nil {
		t.Errorf("one that is there cannot be replaced: %v", err)
	}
}

func fill(set *coreSet, key, id string) *coreSet {
	if set == nil {
		set = &coreSet{opened: map[string]opened{}}
	}
	set.opened[key] = opened{document: entity.Document{"id": id, "username": id}}
	return set
}

func (s *coreSet) documents() (list []entity.Document) {
	for _, one := range s.opened {
		list = append(list, one.document)
	}
	return list
}

func TestASetIsTheSameUntilAnEntityOfItsOwnControlPlaneChanges(t *testing.T) {
	r, _ := openRegistry(t, t.TempDir(), newClock())
	cp := newControlPlane(t, r)
	made, err := r.CreateCoreEntity(t.Context(), cp, entity.Services, entity.Document{"host": "a"})
	if err != nil {
		t.Fatal(err)
	}
	before, changed, err := r.CoreEntities(cp)
	if err != nil {
		t.Fatal(err)
	}
	other := newControlPlane(t, r)
	if _, err := r.CreateCoreEntity(t.Context(), other, entity.Services, entity.Document{"host": "a"}); err != nil {
		t.Fatal(err)
	}
	<-changed
	same, changed, err := r.CoreEntities(cp)
	if err != nil || same != before {
		t.Errorf("another's entity made another set: %v", err)
	}
	if err := r.DeleteCoreEntity(t.Context(), cp, entity.Services, made.ID(), nil); err != nil {
		t.Fatal(err)
	}
	<-changed
	if now, _, err := r.CoreEntities(cp); err != nil || now.Len() != 0 || before.Len() != 1 {
		t.Errorf("%d entities, %d before: %v", now.Len(), before.Len(), err)
	}
	text, _ := json.Marshal(before.All(entity.Services))
	if !bytes.Contains(text, []byte(`"host":"a"`)) {
		t.Errorf("the set from before: %s", text)
	}
}
