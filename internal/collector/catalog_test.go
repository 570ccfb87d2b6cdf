package collector

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/broker"
)

func openCatalog(t *testing.T, dir string) (c *Catalog, closeAll func()) {
	t.Helper()
	b, err := broker.Open(t.Context(), broker.Options{Dir: dir, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	c, err = OpenCatalog(t.Context(), b)
	if err != nil {
		b.Close()
		t.Fatal(err)
	}
	var once sync.Once
	closeAll = func() { once.Do(func() { c.Close(); b.Close() }) }
	t.Cleanup(closeAll)
	return c, closeAll
}

func TestTheCatalogIsThereAfterARestart(t *testing.T) {
	dir := t.TempDir()
	c, closeAll := openCatalog(t, dir)
	ctx := t.Context()
	made, err := c.CreateCollector(ctx, Collector{Name: "Konnect", Fields: map[string]string{"a": "b"}})
	if err != nil {
		t.Fatal(err)
	}
	source, err := c.CreateSource(ctx, Source{CollectorID: made.ID, Name: "Konnect", RequireAccessKey: true, JWKSURL: "https://k.example"})
	if err != nil {
		t.Fatal(err)
	}
	k, secret, err := c.CreateAccessKey(ctx, "admin", Administrator)
	if err != nil {
		t.Fatal(err)
	}
	closeAll()

	c, _ = openCatalog(t, dir)
	if diff := cmp.Diff([]Collector{made}, c.Collectors()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]Source{source}, c.Sources(made.ID)); diff != "" {
		t.Error(diff)
	}
	if got, outcome := c.Authenticate(k.ID, secret); outcome != audit.OutcomeSuccess || got.Label != "admin" || got.Role != Administrator {
		t.Errorf("the access key: %+v, %v", got, outcome)
	}
	if got, of, ok := c.SourceByCode(source.Code); !ok || got.ID != source.ID || of.ID != made.ID {
		t.Errorf("by its code: %+v of %+v, %v", got, of, ok)
	}
}

func TestNoIDIsGivenTwice(t *testing.T) {
	c, _ := openCatalog(t, t.TempDir())
	var mu sync.Mutex
	seen := map[int64]bool{}
	var group sync.WaitGroup
	for worker := range 4 {
		group.Go(func() {
			for i := range 5 {
				made, err := c.CreateCollector(t.Context(), Collector{Name: strings.Repeat("n", 1+worker*5+i)})
				if err == nil {
					err = c.DeleteCollector(t.Context(), made.ID, made.Revision)
				}
				mu.Lock()
				if err != nil || made.ID <= 0 || seen[made.ID] {
					t.Errorf("id %d, %v", made.ID, err)
				}
				seen[made.ID] = true
				mu.Unlock()
			}
		})
	}
	group.Wait()
}

func TestNamesAreUniqueWhereTheyMustBe(t *testing.T) {
	c, _ := openCatalog(t, t.TempDir())
	ctx := t.Context()
	var made atomic.Int32
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			_, err := c.CreateCollector(ctx, Collector{Name: "a"})
			switch {
			case err == nil:
				made.Add(1)
			case !errors.Is(err, ErrNameTaken):
				t.Error(err)
			}
		})
	}
	group.Wait()
	if made.Load() != 1 {
		t.Errorf("%d collectors have one name", made.Load())
	}
	a := c.Collectors()[0]
	b, err := c.CreateCollector(ctx, Collector{Name: "b"})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		do   func() error
		want error
	}{
		{"a source", func() error { _, err := c.CreateSource(ctx, Source{CollectorID: a.ID, Name: "s"}); return err }, nil},
		{"a second of the name", func() error { _, err := c.CreateSource(ctx, Source{CollectorID: a.ID, Name: "s"}); return err }, ErrNameTaken},
		{"the name at another collector", func() error { _, err := c.CreateSource(ctx, Source{CollectorID: b.ID, Name: "s"}); return err }, nil},
		{"a source of no collector", func() error { _, err := c.CreateSource(ctx, Source{CollectorID: 99, Name: "s"}); return err }, broker.ErrNotFound},
		{"no name", func() error { _, err := c.CreateCollector(ctx, Collector{}); return err }, ErrInvalid},
		{"a name too long", func() error { _, err := c.CreateCollector(ctx, Collector{Name: strings.Repeat("n", 129)}); return err }, ErrInvalid},
		{"an access key without a label", func() error { _, _, err := c.CreateAccessKey(ctx, "", Administrator); return err }, ErrInvalid},
		{"a rename to a name in use", func() error { b.Name = "a"; _, err := c.UpdateCollector(ctx, b); return err }, ErrNameTaken},
		{"a rename", func() error { b.Name = "c"; _, err := c.UpdateCollector(ctx, b); return err }, nil},
		{"a rename of what was renamed since", func() error { b.Name = "d"; _, err := c.UpdateCollector(ctx, b); return err }, broker.ErrConflict},
	} {
		if err := test.do(); !errors.Is(err, test.want) || test.want == nil && err != nil {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
	}
}

func TestASourceKeepsItsAddressThroughUpdates(t *testing.T) {
	c, _ := openCatalog(t, t.TempDir())
	ctx := t.Context()
	made, err := c.CreateCollector(ctx, Collector{Name: "a"})
	if err != nil {
		t.Fatal(err)
	}
	source, err := c.CreateSource(ctx, Source{CollectorID: made.ID, Name: "s"})
	if err != nil {
		t.Fatal(err)
	}
	updated, err := c.UpdateSource(ctx, Source{ID: source.ID, Revision: source.Revision, Name: "t"})
	if err != nil || updated.Code != source.Code || updated.CollectorID != made.ID || updated.Name != "t" || updated.Revision == source.Revision {
		t.Errorf("%+v, %v", updated, err)
	}
}

func TestADeletedAccessKeyOpensNothing(t *testing.T) {
	c, _ := openCatalog(t, t.TempDir())
	k, secret, err := c.CreateAccessKey(context.Background(), "x", Sender)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.CreateAccessKey(context.Background(), "admin", Administrator); err != nil {
		t.Fatal(err)
	}
	if !c.Authorized(secret) {
		t.Error("it opens nothing while it is there")
	}
	if err := c.DeleteAccessKey(t.Context(), k); err != nil {
		t.Fatal(err)
	}
	if c.Authorized(secret) {
		t.Error("it opens what it did")
	}
}

func TestTheFirstAccessKeyIsMadeOnceAndNotBeforeItIsKept(t *testing.T) {
	c, _ := openCatalog(t, t.TempDir())
	noDisk := errors.New("no disk")
	if _, _, err := c.Bootstrap(t.Context(), func(string, string) error { return noDisk }); !errors.Is(err, noDisk) || len(c.AccessKeys()) != 0 {
		t.Errorf("a key that was not kept: %v, %d keys", err, len(c.AccessKeys()))
	}
	var kept string
	id, secret, err := c.Bootstrap(t.Context(), func(id, secret string) error { kept = id + secret; return nil })
	if k, outcome := c.Authenticate(id, secret); outcome != audit.OutcomeSuccess || k.Role != Administrator || err != nil || kept != id+secret {
		t.Errorf("the first key %q does not open: %v", id, err)
	}
	again, _, err := c.Bootstrap(t.Context(), func(string, string) error { return noDisk })
	if again != "" || err != nil {
		t.Errorf("a second time: %q, %v", again, err)
	}
}
