package broker

import (
	"errors"
	"testing"
)

func TestTheNewestMessageOfASubjectIsFoundOrThereIsNone(t *testing.T) {
	b := open(t, t.TempDir())
	makeStream(t, b)
	if _, _, err := b.Newest(t.Context(), "S", "s.a"); !errors.Is(err, ErrNotFound) {
		t.Errorf("of a subject without messages: %v", err)
	}
	if _, err := b.Publish(t.Context(), messages("s.a", 3)...); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Publish(t.Context(), messages("s.b", 1)...); err != nil {
		t.Fatal(err)
	}
	last, err := b.Last(t.Context(), "S", "s.a")
	if err != nil {
		t.Fatal(err)
	}
	sequence, stored, err := b.Newest(t.Context(), "S", "s.a")
	if err != nil || sequence != 3 || !stored.Equal(last.Stored) {
		t.Errorf("message %d of %v, %v; want 3 of %v", sequence, stored, err, last.Stored)
	}
	if _, _, err := b.Newest(t.Context(), "NOSUCH", "s.a"); !errors.Is(err, ErrUnavailable) {
		t.Errorf("of no stream: %v", err)
	}
}
